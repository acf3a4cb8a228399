import { GraphError } from '../../graph/error.ts'
import type { AnySchema, Schema } from '../../graph/schema.ts'
import { snake } from '../../graph/schema.ts'
import type { AnySink, Sink } from '../../graph/sink.ts'

/** How an event's table is laid out. Everything has a default that fits the events of `market/`. */
export interface ClickhouseOptions<E> {
  /** What rows are sorted by, and so found by. */
  readonly orderBy?: readonly (keyof E & string)[]
  /**
   * One part of the table for a day or a month of `received`. A day suits tables of more than a million rows
   * a day.
   */
  readonly partitionBy?: 'day' | 'month'
  /** Rows this long after `received` are dropped. Default: never; long history belongs in the lake. */
  readonly ttlDays?: number
  /** Default: the event's name in snake_case. */
  readonly table?: string
}

/** A sink with everything that its table needs. */
export interface ClickhouseSink extends AnySink {
  readonly engine: 'clickhouse'
  readonly table: string
  readonly partitionBy: 'day' | 'month'
  readonly ttlDays: number | undefined
  /** The column that partitions and TTL go by: `received`, or `time` where there is none. */
  readonly clock: string
}

/** Events of these are few: a part a day would be mostly empty. */
const FEW: ReadonlySet<string> = new Set([
  'funding',
  'fundingInterval',
  'candle',
  'gap',
  'instrument',
  'control',
  'latency',
])

/**
 * Keep a topic's events in a ClickHouse table, each row exactly once. Rows of a run are loaded about once a
 * second; when ClickHouse is away they wait in the log.
 */
export const clickhouse = <E>(
  schema: Schema<E>,
  options: ClickhouseOptions<NoInfer<E>> = {},
): Sink<E> & ClickhouseSink => {
  const { table = snake(schema.name), orderBy = sortedBy(schema), ttlDays } = options
  if (!/^[a-z][a-z0-9_]{0,99}$/.test(table)) {
    throw new GraphError('KT1030', `"${table}" cannot name a ClickHouse table`, {
      fix: 'Use small letters, digits and underscores.',
    })
  }
  if (ttlDays !== undefined && !(Number.isInteger(ttlDays) && ttlDays >= 1)) {
    throw new GraphError('KT1031', `rows of table "${table}" are kept for ${ttlDays} days`, {
      fix: 'Use a whole number from 1.',
    })
  }
  return Object.freeze({
    name: `clickhouse.${table}`,
    engine: 'clickhouse',
    schema,
    table,
    orderBy: Object.freeze(orderBy.map((column) => sortable(schema, column))),
    partitionBy: options.partitionBy ?? (FEW.has(schema.name) ? 'month' : 'day'),
    ttlDays,
    clock: clockOf(schema),
  })
}

const sortable = (schema: AnySchema, column: string): string => {
  const found = schema.columns.find((one) => one.name === column)
  if (found !== undefined && !found.nullable && found.kind !== 'floats') return column
  throw new GraphError('KT1032', `a table of "${schema.name}" cannot be sorted by "${column}"`, {
    why: found === undefined ? 'It has no such column.' : 'The column may be missing, or is a list.',
    fix: 'Sort by a column that every row has one value of.',
  })
}

const clockOf = (schema: AnySchema): string => {
  const clock = ['received', 'time'].find((name) =>
    schema.columns.some((one) => one.name === name && one.kind === 'micros'),
  )
  if (clock !== undefined) return clock
  throw new GraphError(
    'KT1033',
    `events of "${schema.name}" cannot be stored: they have neither "received" nor "time"`,
    {
      fix: 'Give the event a column of micros() with one of these names.',
    },
  )
}

/** What the event is about, then when: the names of the first row of these that it has, and its time. */
const ABOUT = [
  ['instrument', 'frame'],
  ['pair', 'perp', 'reference'],
  ['source', 'channel', 'hop'],
] as const

const sortedBy = (schema: AnySchema): readonly string[] => {
  const has = (name: string): boolean => schema.columns.some((one) => one.name === name && !one.nullable)
  const about = ABOUT.find(([first]) => has(first)) ?? []
  const time = ['start', 'time'].find(has) ?? clockOf(schema)
  return [...about.filter(has), time]
}
