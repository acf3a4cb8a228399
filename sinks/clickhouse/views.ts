import type { ClickhouseSink } from './sink.ts'
import { marketTables } from './market.ts'
import { ready } from './migrate.ts'
import { onCluster } from './replication.ts'
import type { Tables } from './tables.ts'

/** The statements of an SQL text: each ends with a semicolon at the end of a line. */
const statementsOf = (sql: string): readonly string[] =>
  sql
    .split(/;\s*\n/)
    .map((one) => one.replace(/^--.*\n/gm, '').trim())
    .filter((one) => one !== '')

/** Create the tables of a graph, those that views also read, and the views of `sql/clickhouse/views.sql`. */
export const createViews = async (
  tables: Tables,
  own: readonly ClickhouseSink[],
  sql: string,
): Promise<void> => {
  const named = new Map([...marketTables, ...own].map((sink) => [sink.table, sink]))
  for (const sink of named.values()) await ready(tables, sink)
  const name = /^CREATE OR REPLACE VIEW \w+/
  for (const statement of statementsOf(sql))
    await tables.exec(statement.replace(name, (begin) => `${begin}${onCluster(tables.replication)}`))
}
