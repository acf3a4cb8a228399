import { DuckDBInstance, ResultReturnType, StatementType } from '@duckdb/node-api'
import type { DuckDBConnection, DuckDBPreparedStatement, DuckDBResult } from '@duckdb/node-api'
import { KtError } from '../../graph/error.ts'
import type { ObjectStore } from '../../graph/port.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { DeltaLog } from '../lake/delta.ts'
import { tableName } from '../lake/schema.ts'
import { viewOf } from '../lake/view.ts'
import { exact } from './duckdb-value.ts'
import type { LakeValue } from './duckdb-value.ts'
import { parquet } from './parquet.ts'

/** Where a lake is, and what may be in it. */
export interface LakeAt {
  readonly objects: ObjectStore
  /** How DuckDB opens an object: a file's path, or an `s3://` URL where DuckDB can read those. */
  readonly place: (path: string) => string
  /** The events that have a view; one that nothing was loaded of yet is an empty table of the right types. */
  readonly schemas: readonly AnySchema[]
  /** The views and macros of `sql/lake`, and the reader's own: statements, run in this order. */
  readonly views: readonly string[]
}

export interface LakeColumn {
  readonly name: string
  /** As DuckDB writes it: `DOUBLE`, `TIMESTAMP WITH TIME ZONE`. */
  readonly type: string
}

/** An answer; see `LakeValue` for how numbers and times come. */
export interface LakeAnswer {
  readonly columns: readonly LakeColumn[]
  readonly rows: readonly Readonly<Record<string, LakeValue>>[]
}

/** An answer that is read as it comes, some thousand rows at a time. */
export interface LakeStream {
  /** None: the statement has no answer, as a CREATE. */
  readonly columns: readonly LakeColumn[]
  readonly pieces: AsyncIterable<readonly (readonly LakeValue[])[]>
}

/** Statements that change nothing but what this connection has in memory. */
const ALLOWED: ReadonlySet<StatementType> = new Set([
  StatementType.SELECT,
  StatementType.EXPLAIN,
  StatementType.CREATE,
  StatementType.CREATE_FUNC,
  StatementType.DROP,
  StatementType.INSERT,
  StatementType.SET,
  StatementType.VARIABLE_SET,
  StatementType.PRAGMA,
])

/**
 * DuckDB over a lake. A view lists the files that are committed when the question is asked, never those of a
 * folder: a file that a crash left behind, or that compaction has replaced, is not in the answer.
 */
export class LakeReader {
  readonly #at: LakeAt
  readonly #connection: DuckDBConnection
  readonly #logs: readonly { readonly schema: AnySchema; readonly log: DeltaLog }[]
  readonly #seen = new Map<string, number>()

  private constructor(at: LakeAt, connection: DuckDBConnection) {
    this.#at = at
    this.#connection = connection
    this.#logs = at.schemas.map((schema) => ({
      schema,
      log: new DeltaLog(at.objects, tableName(schema), parquet.checkpoint),
    }))
  }

  static async open(at: LakeAt): Promise<LakeReader> {
    const connection = await (await DuckDBInstance.create(':memory:')).connect()
    await connection.run("SET TimeZone = 'UTC'")
    const reader = new LakeReader(at, connection)
    await reader.refresh()
    for (const view of at.views) await connection.run(view)
    return reader
  }

  /** Take up what was committed since. `query` does it by itself. */
  async refresh(): Promise<void> {
    await Promise.all(this.#logs.map(({ log }) => log.refresh()))
    for (const { schema, log } of this.#logs) {
      if (this.#seen.get(schema.name) === log.version) continue
      const view = viewOf(schema, log.files(), (path) => this.#at.place(`${log.table}/${path}`))
      await this.#connection.run(view).catch((error: unknown) => unreadable(log.table, error))
      this.#seen.set(schema.name, log.version)
    }
  }

  /** As `stream`, with all rows of the answer. Several may be asked at once. */
  async query(sql: string): Promise<LakeAnswer> {
    const { columns, pieces } = await this.#ask(sql, (statement) => statement.run())
    const rows: Readonly<Record<string, LakeValue>>[] = []
    for await (const piece of pieces)
      for (const row of piece) rows.push(Object.fromEntries(row.map((value, i) => [columns[i]!.name, value])))
    return { columns, rows }
  }

  /**
   * Run statements over what is committed now; the answer of the last. It is read to its end before anything
   * else is asked: DuckDB ends an answer that is on its way where its connection is asked again. Throws
   * KT3410 for a statement that would write, KT3411 for one that DuckDB does not take.
   */
  stream(sql: string): Promise<LakeStream> {
    return this.#ask(sql, (statement) => statement.stream())
  }

  close(): void {
    this.#connection.closeSync()
  }

  async #ask(
    sql: string,
    run: (statement: DuckDBPreparedStatement) => Promise<DuckDBResult>,
  ): Promise<LakeStream> {
    await this.refresh()
    await this.#checkTargets(sql)
    const statements = await this.#connection.extractStatements(sql).catch(refuse)
    let answer: DuckDBResult | undefined
    for (let i = 0; i < statements.count; i++) {
      const prepared = await statements.prepare(i).catch(refuse)
      try {
        if (!ALLOWED.has(prepared.statementType)) throw readOnly(verbOf(prepared.statementType))
        const last = i + 1 === statements.count
        answer = await (last ? run(prepared) : prepared.run()).catch(refuse)
      } finally {
        prepared.destroySync()
      }
    }
    if (answer === undefined || answer.returnType === ResultReturnType.NOTHING)
      return { columns: [], pieces: piecesOf(undefined) }
    const types = answer.columnTypes()
    const columns = answer.deduplicatedColumnNames().map((name, i) => ({ name, type: String(types[i]) }))
    return { columns, pieces: piecesOf(answer) }
  }

  /** To DuckDB tables of the lake are views, and its words about writing to one are about views. */
  async #checkTargets(sql: string): Promise<void> {
    const targets = writtenBy(sql)
    if (targets.length === 0) return
    const found = await this.#connection.runAndReadAll(
      'SELECT view_name FROM duckdb_views() WHERE NOT internal',
    )
    const views = new Set(found.getRows().map(([name]) => String(name).toLowerCase()))
    for (const { verb, name } of targets) if (views.has(name.toLowerCase())) throw readOnly(verb, name)
  }
}

async function* piecesOf(answer: DuckDBResult | undefined): LakeStream['pieces'] & AsyncGenerator {
  for (;;) {
    const chunk = await answer?.fetchChunk().catch(refuse)
    if (chunk === undefined || chunk === null || chunk.rowCount === 0) return
    yield chunk.getRows().map((row) => row.map(exact))
  }
}

/** How a statement that changes a table or a view begins, up to its name. */
const CHANGES = [
  'insert( or [a-z]+)? into',
  'update',
  'delete from',
  'merge into',
  'truncate( table)?',
  '(alter|drop) (table|view)( if exists)?',
].map((words) => words.replaceAll(' ', '\\s+'))
const WRITES = new RegExp(`(?:^|;)\\s*(?<verb>${CHANGES.join('|')})\\s+(?:main\\.)?"?(?<name>\\w+)`, 'gi')

/** What statements would write to, at their beginnings. */
const writtenBy = (sql: string): readonly { readonly verb: string; readonly name: string }[] =>
  [...sql.replaceAll(/--.*$|\/\*[^]*?\*\//gm, ' ').matchAll(WRITES)].map(({ groups }) => ({
    verb: groups!['verb']!.split(/\s/)[0]!.toLowerCase(),
    name: groups!['name']!,
  }))

const verbOf = (type: StatementType): string => StatementType[type].toLowerCase().replaceAll('_', ' ')

const readOnly = (verb: string, table?: string): KtError =>
  new KtError('KT3410', `the lake is only read through SQL: it does not ${verb}`, {
    ...(table === undefined ? {} : { where: `table "${table}"` }),
    why: 'Its rows are those of the log, which kt alone writes; a question writes no files.',
    fix: 'Select, and redirect the output of kt sql. A graph fills the lake: through(topic).to(lake(event)).',
  })

const refuse = (error: unknown): never => {
  const message = error instanceof Error ? error.message : String(error)
  throw new KtError('KT3411', 'DuckDB refused the question', {
    why: message,
    fix: 'See the tables with "show tables", and the columns of one with "describe trade".',
    cause: error,
  })
}

const unreadable = (table: string, error: unknown): never => {
  throw new KtError('KT3412', `table "${table}" of the lake cannot be read`, {
    why: (error instanceof Error ? error.message : String(error)).split('\n')[0]!,
    fix: 'A file that the table lists is gone or damaged: restore it, or load the topic into a new lake.',
    cause: error,
  })
}

/** Ask a lake once. */
export const queryLake = async (at: LakeAt, sql: string): Promise<LakeAnswer> => {
  const reader = await LakeReader.open(at)
  try {
    return await reader.query(sql)
  } finally {
    reader.close()
  }
}
