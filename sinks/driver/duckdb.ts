import { DuckDBInstance, StatementType } from '@duckdb/node-api'
import type { DuckDBConnection, DuckDBPreparedStatement } from '@duckdb/node-api'
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

  /**
   * Run statements over what is committed now; the answer of the last. Throws KT3410 for one that would
   * write.
   */
  async query(sql: string): Promise<LakeAnswer> {
    await this.refresh()
    const statements = await this.#connection.extractStatements(sql).catch((error: unknown) => refuse(error))
    let answer: LakeAnswer = { columns: [], rows: [] }
    for (let i = 0; i < statements.count; i++) {
      const prepared = await statements.prepare(i).catch((error: unknown) => refuse(error))
      try {
        answer = await this.#run(prepared)
      } finally {
        prepared.destroySync()
      }
    }
    return answer
  }

  close(): void {
    this.#connection.closeSync()
  }

  async #run(prepared: DuckDBPreparedStatement): Promise<LakeAnswer> {
    if (!ALLOWED.has(prepared.statementType)) {
      const verb = StatementType[prepared.statementType].toLowerCase().replaceAll('_', ' ')
      throw new KtError('KT3410', `a question to the lake does not ${verb}`, {
        why: 'Only kt writes to the lake, and a query writes no files.',
        fix: 'Select, and redirect the output of kt sql: it writes CSV and JSON.',
      })
    }
    const result = await prepared.runAndReadAll().catch((error: unknown) => refuse(error))
    const names = result.deduplicatedColumnNames()
    const types = result.columnTypes()
    const rows = result
      .getRows()
      .map((row) => Object.fromEntries(row.map((value, i) => [names[i]!, exact(value)])))
    return { columns: names.map((name, i) => ({ name, type: String(types[i]) })), rows }
  }
}

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
