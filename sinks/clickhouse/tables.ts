import type { Rows } from '../arrow.ts'
import type { Replication } from './replication.ts'

/**
 * How an insert is known: to ClickHouse's own deduplication, and to whoever looks for it among running
 * queries.
 */
export interface Label {
  /** Names exactly one set of rows: of two inserts with one token, ClickHouse keeps the first. */
  readonly token: string
  /** `clickhouse.trade/trade/0/…`: what `RUNNING` finds an insert by. */
  readonly comment: string
}

export type Row = Readonly<Record<string, unknown>>

/**
 * One database of ClickHouse. All reject with `HostError`; after a rejected insert nobody knows whether it
 * was applied.
 */
export interface Tables {
  /** Undefined: tables are on one server. */
  readonly replication?: Replication | undefined
  readonly exec: (sql: string) => Promise<void>
  /** Rows; 64-bit integers come as text. */
  readonly query: (
    sql: string,
    parameters: Readonly<Record<string, string | number>>,
  ) => Promise<readonly Row[]>
  /** All of the rows as one block. */
  readonly insert: (table: string, rows: Rows, label: Label) => Promise<void>
}

/** How far each partition of a topic was loaded: answered from the projection `p_hwm`. */
export const HIGH = `SELECT \`_part\`, max(\`_off\`) AS high, count() AS rows FROM {table:Identifier}
WHERE \`_topic\` = {topic:String} GROUP BY \`_topic\`, \`_part\``

/** What is there of a range of offsets, record by record. */
export const PRESENT = `SELECT \`_off\`, count() AS rows, uniqExact(\`_row\`) AS places,
  min(\`_step\`) AS low_step, max(\`_step\`) AS high_step,
  min(\`_epoch\`) AS low_epoch, max(\`_epoch\`) AS high_epoch
FROM {table:Identifier}
WHERE \`_topic\` = {topic:String} AND \`_part\` = {part:Int32}
  AND \`_off\` BETWEEN {first:Int64} AND {last:Int64}
GROUP BY \`_off\``

/** The rows that are there of one record. */
export const PLACES = `SELECT DISTINCT \`_row\` FROM {table:Identifier}
WHERE \`_topic\` = {topic:String} AND \`_part\` = {part:Int32} AND \`_off\` = {offset:Int64}`

/** Inserts of one partition that have not ended. */
export const RUNNING = `SELECT count() AS running FROM system.processes
WHERE startsWith(Settings['log_comment'], {comment:String}) AND query ILIKE 'INSERT%'`

/** Which table a name means now: another after DROP and CREATE. */
export const IDENTITY = `SELECT toString(uuid) AS uuid, engine FROM system.tables
WHERE database = currentDatabase() AND name = {table:String}`

/** The columns of a table. */
export const DESCRIBE = `SELECT name, type FROM system.columns
WHERE database = currentDatabase() AND table = {table:String} ORDER BY position`
