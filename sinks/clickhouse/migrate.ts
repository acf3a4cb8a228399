import { KtError } from '../../graph/error.ts'
import { snake } from '../../graph/schema.ts'
import type { Column } from '../../graph/schema.ts'
import { stored } from '../arrow.ts'
import { SHARDS } from './replication.ts'
import type { Replication } from './replication.ts'
import type { ClickhouseSink } from './sink.ts'
import { clickhouseType, columnOf, createTable, quoted } from './table.ts'
import { DESCRIBE, IDENTITY } from './tables.ts'
import type { Row, Tables } from './tables.ts'

/** What a table has to become before rows of the sink's schema fit. Empty: it fits. */
export interface Drift {
  /** Columns that may be missing, and are: ClickHouse adds them at once, whatever the table's size. */
  readonly add: readonly string[]
  /** Columns that an earlier version of the event held in a narrower type. */
  readonly widen: readonly string[]
}

/**
 * Create the sink's table, or check the one that is there, and return the table's identity. A column that the
 * table lacks is added when it may be missing in rows, and one that an earlier version of the event had in a
 * narrower type is widened. Throws KT6103 when the table differs otherwise.
 */
export const ready = async (tables: Tables, sink: ClickhouseSink): Promise<string> => {
  const found = (await identityOf(tables, sink)) ?? (await created(tables, sink))
  checkEngine(sink, String(found['engine']), tables.replication)
  const described = await tables.query(DESCRIBE, { table: sink.table })
  const has = new Map(described.map((row) => [String(row['name']), String(row['type'])]))
  const { add, widen } = driftOf(sink, has)
  for (const sql of [...add, ...widen]) await tables.exec(sql)
  return String(found['uuid'])
}

const identityOf = async (tables: Tables, { table }: ClickhouseSink): Promise<Row | undefined> =>
  (await tables.query(IDENTITY, { table }))[0]

/** A statement for a whole cluster waits for every server of it, so it is asked only when it is needed. */
const created = async (tables: Tables, sink: ClickhouseSink): Promise<Row> => {
  const { replication } = tables
  if (replication?.cluster !== undefined) await checkShards(tables, replication.cluster)
  await tables.exec(createTable(sink, replication))
  const found = await identityOf(tables, sink)
  if (found !== undefined) return found
  throw different(sink, 'It was dropped while it was being created.', 'Start kt again.')
}

const checkShards = async (tables: Tables, cluster: string): Promise<void> => {
  const shards = Number((await tables.query(SHARDS, { cluster }))[0]?.['shards'] ?? 0)
  if (shards === 1) return
  throw new KtError('KT6109', `tables cannot be replicated over the cluster "${cluster}"`, {
    where: 'KT_CLICKHOUSE_REPLICATED',
    why:
      shards === 0 ? 'The server knows no such cluster.' : `It has ${shards} shards, with rows of their own.`,
    fix: 'Name a cluster of one shard, with all servers that are to hold the rows (system.clusters).',
  })
}

/** A table must be replicated as it was said: what makes an insert safe hangs on it. */
const checkEngine = (sink: ClickhouseSink, engine: string, replication: Replication | undefined): void => {
  if (!engine.endsWith('MergeTree'))
    throw different(
      sink,
      `Its engine is ${engine}.`,
      'Move it away with RENAME TABLE; kt then creates its own.',
    )
  const replicated = engine.startsWith('Replicated')
  if (replicated && replication === undefined)
    throw different(
      sink,
      `Its engine is ${engine}, and kt was not told of it: it would wait for no majority.`,
      'Set KT_CLICKHOUSE_REPLICATED to cluster:NAME, or to database, and start again.',
    )
  // The engine of ClickHouse Cloud replicates by itself.
  if (replicated || replication === undefined || engine.startsWith('Shared')) return
  const table = quoted(sink.table)
  const attach = `DETACH TABLE ${table}; ATTACH TABLE ${table} AS REPLICATED`
  throw different(
    sink,
    `Its engine is ${engine}, and tables are to be replicated.`,
    `Run ${attach}; SYSTEM RESTORE REPLICA ${table}; or ${AWAY}`,
  )
}

/**
 * Compare a table's columns with what the sink writes. Columns that only the table has are the user's own
 * affair.
 */
export const driftOf = (sink: ClickhouseSink, has: ReadonlyMap<string, string>): Drift => {
  const add: string[] = []
  const widen: string[] = []
  for (const column of stored(sink.schema).columns) {
    const name = snake(column.name)
    const type = has.get(name)
    const wanted = clickhouseType(column)
    if (type === wanted) continue
    if (type !== undefined && typesBefore(column).includes(type)) {
      widen.push(widening(sink, column))
      continue
    }
    if (type !== undefined) {
      const change = `ALTER TABLE ${quoted(sink.table)} MODIFY COLUMN ${quoted(name)} ${wanted}`
      throw different(
        sink,
        `Its column "${name}" is ${type}, and rows have ${wanted}.`,
        `Run ${change}; or ${AWAY}`,
      )
    }
    if (!column.nullable) {
      throw different(
        sink,
        `It lacks the column "${name}", which every row has.`,
        `Add the column with a default; or ${AWAY}`,
      )
    }
    add.push(addition(sink, column))
  }
  return { add, widen }
}

const addition = ({ table }: ClickhouseSink, column: Column): string =>
  `ALTER TABLE ${quoted(table)} ADD COLUMN IF NOT EXISTS ${columnOf(column)}`

const widening = ({ table }: ClickhouseSink, column: Column): string =>
  `ALTER TABLE ${quoted(table)} MODIFY COLUMN ${columnOf(column)}`

/** The types that earlier versions of its event gave a column. */
const typesBefore = (column: Column): readonly string[] =>
  (column.was ?? []).map((former) => clickhouseType({ ...column, ...former }))

/**
 * The statements that take a table from one version of its event to the present one. A sink applies them by
 * itself when it starts; rows are read and written meanwhile.
 */
export const migration = (sink: ClickhouseSink, from: number): readonly string[] =>
  sink.schema.columns.flatMap((column) => {
    if ((column.since ?? 1) > from) return [addition(sink, column)]
    return (column.was ?? []).some(({ until }) => until > from) ? [widening(sink, column)] : []
  })

const AWAY =
  'move the table away with RENAME TABLE: kt then creates a new one and loads what the log still has.'

const different = (sink: ClickhouseSink, why: string, fix: string): KtError =>
  new KtError('KT6103', `table "${sink.table}" does not fit "${sink.schema.name}"`, {
    where: sink.name,
    why,
    fix,
  })
