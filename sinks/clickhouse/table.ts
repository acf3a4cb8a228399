import { schemaId, snake } from '../../graph/schema.ts'
import type { AnySchema, Column } from '../../graph/schema.ts'
import { stored } from '../arrow.ts'
import { engineOf, onCluster } from './replication.ts'
import type { Replication } from './replication.ts'
import type { ClickhouseSink } from './sink.ts'

/** Inserts that the table remembers by their token: some hours at one a second. */
const WINDOW = 10_000

export const quoted = (name: string): string => `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``

export const literal = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** The ClickHouse type of a column, as DESCRIBE prints it. */
export const clickhouseType = (column: Column): string => {
  const bare = bareType(column)
  if (!column.nullable) return bare
  return column.kind === 'name' ? 'LowCardinality(Nullable(String))' : `Nullable(${bare})`
}

const bareType = (column: Column): string => {
  switch (column.kind) {
    case 'text':
      return 'String'
    case 'name':
      return 'LowCardinality(String)'
    case 'float':
      return 'Float64'
    case 'count':
      return 'Int64'
    case 'int':
      return 'Int32'
    case 'micros':
      return "DateTime64(6, 'UTC')"
    case 'flag':
      return 'Bool'
    case 'choice':
      return `Enum8(${column.values.map((value, code) => `${literal(value)} = ${code}`).join(', ')})`
    case 'floats':
      return 'Array(Float64)'
  }
}

/** Ids that grow row by row within an instrument: their differences are nearly all the same. */
const REGULAR: ReadonlySet<string> = new Set(['first', 'last', 'start'])

/** What keeps a column small, measured on trades: deltas for times and places, plain ZSTD for prices. */
const codecOf = (column: Column): string => {
  if (REGULAR.has(column.name)) return 'DoubleDelta, ZSTD(1)'
  if (column.kind === 'micros' || column.kind === 'count') return 'Delta(8), ZSTD(1)'
  return 'ZSTD(1)'
}

/** A column as CREATE TABLE and ADD COLUMN have it. */
export const columnOf = (column: Column): string =>
  [
    quoted(snake(column.name)),
    clickhouseType(column),
    `COMMENT ${literal(column.about)}`,
    `CODEC(${codecOf(column)})`,
  ].join(' ')

/** What DESCRIBE must say of a table of this schema. */
export const describedAs = (schema: AnySchema): readonly { readonly name: string; readonly type: string }[] =>
  stored(schema).columns.map((column) => ({ name: snake(column.name), type: clickhouseType(column) }))

/**
 * The table of a sink. `_off` has an index, and the projection `p_hwm` answers in milliseconds how far each
 * partition of the log was loaded. Parts are on disk before an insert is acknowledged.
 */
export const createTable = (sink: ClickhouseSink, replication?: Replication): string => {
  const clock = quoted(snake(sink.clock))
  const month = sink.partitionBy === 'month'
  const lines = [
    ...stored(sink.schema).columns.map(columnOf),
    'INDEX `ix_off` `_off` TYPE minmax GRANULARITY 4',
    'PROJECTION `p_hwm` (SELECT `_topic`, `_part`, max(`_off`), count() GROUP BY `_topic`, `_part`)',
  ]
  return [
    `CREATE TABLE IF NOT EXISTS ${quoted(sink.table)}${onCluster(replication)}`,
    `(\n${lines.map((line) => `  ${line}`).join(',\n')}\n)`,
    `ENGINE = ${engineOf(replication)}`,
    `PARTITION BY ${month ? 'toYYYYMM' : 'toDate'}(${clock})`,
    `ORDER BY (${sink.orderBy.map((column) => quoted(snake(column))).join(', ')})`,
    ...(sink.ttlDays === undefined ? [] : [`TTL toDateTime(${clock}) + toIntervalDay(${sink.ttlDays})`]),
    `SETTINGS ${settingsOf(sink).join(', ')}`,
    `COMMENT ${literal(`${sink.schema.about} (${schemaId(sink.schema)})`)}`,
  ].join('\n')
}

const settingsOf = (sink: ClickhouseSink): readonly string[] => [
  `non_replicated_deduplication_window = ${WINDOW}`,
  `replicated_deduplication_window = ${WINDOW}`,
  `replicated_deduplication_window_seconds = 604800`,
  'fsync_after_insert = 1',
  'fsync_part_directory = 1',
  ...(sink.ttlDays === undefined ? [] : ['ttl_only_drop_parts = 1']),
]
