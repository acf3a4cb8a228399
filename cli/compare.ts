import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { cellOf, readBatch } from '../graph/batch.ts'
import type { Log } from '../graph/port.ts'
import { present } from '../graph/present.ts'
import { logged, snake } from '../graph/schema.ts'
import type { AnySchema, Column } from '../graph/schema.ts'
import type { AnyTopic } from '../graph/topic.ts'
import type { End } from '../runtime/records.ts'
import { scanned } from '../runtime/scan.ts'
import type { LakeReader } from '../sinks/driver/duckdb.ts'
import type { Server } from './server.ts'

/**
 * What one engine holds of one topic: how many rows, how many places (`_part, _off, _row`) these are, and a
 * digest of the rows in order. Equal digests are equal rows: the digest covers every value of every column
 * of the event.
 */
export interface Holding {
  readonly rows: number
  readonly places: number
  readonly digest: string
  /** Rows of each record, to find which are missing. */
  readonly records: ReadonlyMap<string, number>
}

/** Rows are fed in order; a place that repeats is counted once. */
class Tally {
  readonly #hash: Hash = createHash('sha256')
  readonly records = new Map<string, number>()
  rows = 0
  places = 0
  #last = ''

  add(part: number, offset: number, row: number, values: readonly unknown[]): void {
    const place = `${part}/${offset}/${row}`
    this.rows++
    if (place !== this.#last) this.places++
    this.#last = place
    const record = `${part}/${offset}`
    this.records.set(record, (this.records.get(record) ?? 0) + 1)
    this.#hash.update(JSON.stringify(values))
  }

  done(): Holding {
    return { rows: this.rows, places: this.places, digest: this.#hash.digest('hex'), records: this.records }
  }
}

const BYTES = 8_000_000

/** The records of one partition that are compared: those at `first` and later, before `next`. */
export interface Range {
  readonly partition: number
  readonly first: number
  readonly next: number
}

type Readable = Pick<Log, 'read' | 'ends'>

/** Of a log's ends those of a topic. */
export const rangesOf = (ends: readonly End[], { name }: AnyTopic): readonly Range[] =>
  ends
    .filter(({ topic }) => topic === name)
    .map(({ partition, first, next }) => ({ partition, first, next }))
    .toSorted((a, b) => a.partition - b.partition)

/** The rows of a topic in the log: all that it has now, or those of these ranges. */
export const inLog = async (log: Readable, topic: AnyTopic, ranges?: readonly Range[]): Promise<Holding> => {
  const tally = new Tally()
  const schema = logged(topic.schema)
  for (const { partition, first, next } of ranges ?? rangesOf(await log.ends(), topic)) {
    const reader = await log.read([{ topic: topic.name, partition, offset: first }])
    for (let at = first; at < next;) {
      const seen = await scanned(reader, BYTES, 0, (record) => {
        const { offset } = record
        at = offset + 1
        if (offset >= next) return
        const { rows, columns } = readBatch(schema, present(topic.schema, record).bytes)
        const own = columns.filter(({ column }) => column.name !== '_order')
        for (let row = 0; row < rows; row++)
          tally.add(
            partition,
            offset,
            row,
            own.map((buffers) => cellOf(buffers, row)),
          )
      })
      if (seen === 0) break
    }
    await reader.close()
  }
  return tally.done()
}

/** These records alone, as a condition. */
export const within = (ranges: readonly Range[]): string =>
  ranges
    .map(({ partition, first, next }) => {
      const upper = Number.isFinite(next) ? ` AND _off < ${next}` : ''
      return `(_part = ${partition} AND _off >= ${first}${upper})`
    })
    .join(' OR ') || '1 = 0'

/** How a column is asked for so that its values come as the log has them. */
const asked = (column: Column, micros: (name: string) => string): string =>
  column.kind === 'micros' ? micros(`"${snake(column.name)}"`) : `"${snake(column.name)}"`

const valueOf = (column: Column, value: unknown): unknown => {
  if (value === null || value === undefined) return null
  if (column.kind === 'count' || column.kind === 'int' || column.kind === 'micros' || column.kind === 'float')
    return Number(value)
  if (column.kind === 'floats') return (value as readonly unknown[]).map(Number)
  return column.kind === 'flag' ? value === true || value === 1 : value
}

const selectOf = (
  schema: AnySchema,
  table: string,
  micros: (name: string) => string,
  where: string,
): string => {
  const columns = schema.columns.map((column) => asked(column, micros)).join(', ')
  return `SELECT _part, _off, _row, ${columns} FROM "${table}" WHERE ${where} ORDER BY _part, _off, _row`
}

const addRow = (tally: Tally, schema: AnySchema, row: readonly unknown[]): void => {
  const [part, offset, at, ...values] = row
  tally.add(
    Number(part),
    Number(offset),
    Number(at),
    values.map((value, i) => valueOf(schema.columns[i]!, value)),
  )
}

/** The rows of a topic in a ClickHouse table. */
export const inClickhouse = async (
  server: Server,
  topic: AnyTopic,
  table: string,
  ranges: readonly Range[],
): Promise<Holding> => {
  const tally = new Tally()
  const where = `_topic = '${topic.name}' AND (${within(ranges)})`
  const query = selectOf(topic.schema, table, (name) => `toUnixTimestamp64Micro(${name})`, where)
  const settings = {
    output_format_json_quote_64bit_integers: 1,
    output_format_json_quote_denormals: 1,
    // A replica that lacks rows says so.
    select_sequential_consistency: '1',
  } as const
  const result = await there(
    server.client.query({ query, format: 'JSONCompactEachRow', clickhouse_settings: settings }),
  )
  if (result === undefined) return tally.done()
  for await (const rows of result.stream<unknown[]>())
    for (const row of rows) addRow(tally, topic.schema, row.json())
  return tally.done()
}

const lastOf = (topic: AnyTopic, table: string): string =>
  `SELECT _part AS part, max(_off) AS last FROM "${table}" WHERE _topic = '${topic.name}' GROUP BY _part`

/** By partition, the offset that an engine will load next. */
export type Loaded = ReadonlyMap<number, number>

const loadedOf = (rows: readonly Readonly<Record<string, unknown>>[]): Loaded =>
  new Map(rows.map(({ part, last }) => [Number(part), Number(last) + 1]))

export const loadedInClickhouse = async (server: Server, topic: AnyTopic, table: string): Promise<Loaded> => {
  const result = await there(server.client.query({ query: lastOf(topic, table), format: 'JSONEachRow' }))
  return loadedOf((await result?.json<Readonly<Record<string, unknown>>>()) ?? [])
}

/** Undefined: there is no such table, or no such database, as where no sink has come to make it. */
export const there = async <T>(answer: Promise<T>): Promise<T | undefined> => {
  try {
    return await answer
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    if (code === UNKNOWN_TABLE || code === UNKNOWN_DATABASE) return undefined
    throw error
  }
}

/** @see https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp */
const UNKNOWN_TABLE = '60'
const UNKNOWN_DATABASE = '81'

export const loadedInLake = async (lake: LakeReader, topic: AnyTopic, table: string): Promise<Loaded> =>
  loadedOf((await lake.query(lastOf(topic, table))).rows)

/** About so many rows of the lake are in memory at once. */
const PAGE = 200_000

/** The rows of a topic in the lake, a range of offsets at a time: that is how its files are sorted. */
export const inLake = async (
  lake: LakeReader,
  topic: AnyTopic,
  table: string,
  ranges: readonly Range[],
): Promise<Holding> => {
  const tally = new Tally()
  for (const range of ranges) {
    const where = `_topic = '${topic.name}' AND ${within([range])}`
    const extent = 'count(*) AS rows, min(_off) AS first, max(_off) AS last'
    const [found] = (await lake.query(`SELECT ${extent} FROM "${table}" WHERE ${where}`)).rows
    const [rows, first, last] = [Number(found!['rows']), Number(found!['first']), Number(found!['last'])]
    const records = Math.max(1, Math.floor((PAGE * (last - first + 1)) / rows))
    for (let from = first; rows > 0 && from <= last; from += records) {
      const those = `${where} AND _off >= ${from} AND _off < ${from + records}`
      const page = await lake.query(selectOf(topic.schema, table, (name) => `epoch_us(${name})`, those))
      const names = page.columns.map(({ name }) => name)
      for (const row of page.rows) {
        const values = names.map((name) => row[name])
        addRow(tally, topic.schema, values)
      }
    }
  }
  return tally.done()
}

/** How one holding differs from the log's, as sentences; none when it does not. */
export const differences = (
  name: string,
  engine: string,
  log: Holding,
  other: Holding,
): readonly string[] => {
  const found: string[] = []
  const missing = [...log.records].filter(([record, rows]) => (other.records.get(record) ?? 0) < rows)
  const extra = [...other.records].filter(([record, rows]) => (log.records.get(record) ?? 0) < rows)
  const lost = missing.reduce((sum, [record, rows]) => sum + rows - (other.records.get(record) ?? 0), 0)
  if (lost > 0) found.push(`${name}: ${lost} rows are not in ${engine}, first in record ${missing[0]![0]}`)
  if (other.places < other.rows)
    found.push(`${name}: ${other.rows - other.places} rows are twice in ${engine}`)
  else if (extra.length > 0)
    found.push(`${name}: ${engine} has rows that the log has not, first in record ${extra[0]![0]}`)
  if (found.length === 0 && log.digest !== other.digest)
    found.push(`${name}: the rows of ${engine} have other values than those of the log`)
  return found
}
