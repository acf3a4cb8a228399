import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { rowsOf } from '../../graph/batch.ts'
import { Columns } from '../../graph/columns.ts'
import type { Placed } from '../../graph/port.ts'
import { logged, schemaId, snake } from '../../graph/schema.ts'
import { quote, trade } from '../../market/event.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { MemoryLog, MemoryStore } from '../../runtime/memory-log.ts'
import { joined } from '../../sinks/arrow.ts'
import type { Limits } from '../../sinks/clickhouse/lane.ts'
import { runClickhouse } from '../../sinks/clickhouse/load.ts'
import type { Loading, TableChange } from '../../sinks/clickhouse/load.ts'
import { clickhouse } from '../../sinks/clickhouse/sink.ts'
import type { ClickhouseSink } from '../../sinks/clickhouse/sink.ts'
import type { Tables } from '../../sinks/clickhouse/tables.ts'
import { MemoryObjects } from './clickhouse-fake.ts'

export const DAY = Date.UTC(2026, 2, 1) * 1000
export const HOUR = 3_600_000_000
const ITS = { venue: 'binance', first: 1, last: 2 }
const tradeRow = (n: number, received: number) => ({
  ...ITS,
  instrument: `binance:perp:C${n % 7}-USDT`,
  time: received - 5,
  received,
  id: `é${n}`,
  side: n % 3 === 0 ? 'sell' : 'buy',
  price: n / 8,
  size: Math.PI * n,
})
const quoteRow = (n: number, received: number) => ({
  ...ITS,
  first: n % 2 === 0 ? n : null,
  instrument: 'okx:spot:C-USDT',
  time: received,
  received,
  trust: 'live',
  why: '',
  bid: n,
  bidSize: n % 5 === 0 ? null : n,
  ask: null,
  askSize: 3,
  trustedDepth: 20,
})

/** A topic with a log of its own, loaded into a table of its own. */
export class Topic {
  readonly log: MemoryLog
  readonly store = new MemoryStore()
  readonly objects = new MemoryObjects()
  readonly clock = systemClock()
  readonly sink: ClickhouseSink
  readonly #row: (n: number, received: number) => object
  #rows = 0
  #step = 0

  constructor(table: string, kind: 'trade' | 'quote' = 'trade') {
    this.sink = kind === 'trade' ? clickhouse(trade, { table }) : clickhouse(quote, { table })
    this.#row = kind === 'trade' ? tradeRow : quoteRow
    this.log = new MemoryLog(this.clock, { store: this.store })
  }

  /** Steps of some rows in each of two partitions, an hour apart. */
  async write(steps: number, rows: number, received = DAY): Promise<void> {
    const writer = await this.log.write('shard')
    for (let i = 0; i < steps; i++) {
      const records = [0, 1].map((partition) => {
        const columns = new Columns(logged(this.sink.schema))
        for (let row = 0; row < rows; row++)
          columns.add(this.#row(this.#rows++, received + i * HOUR + row), row)
        return { topic: this.sink.table, partition, schema: schemaId(this.sink.schema), ...columns.take() }
      })
      await writer.append({ shard: 'shard', step: this.#step++, time: received, inputs: [], records })
    }
    await writer.close()
  }

  run(
    tables: Tables,
    limits: Partial<Limits> = { lingerMs: 30, rowsMax: 300 },
    report: (change: TableChange) => void = () => {},
  ): Loading {
    const { log, clock, objects, sink } = this
    const sinks = [{ topic: sink.table, partitions: 2, sink }]
    const loading = runClickhouse({ log, clock, objects, tables, limits, sinks, report })
    running.add(loading)
    return loading
  }

  records(): readonly Placed[] {
    return this.store.steps.flat()
  }

  /** Rows as the log has them, in its order, with the names of the table. */
  wanted(): readonly unknown[] {
    const rows = this.records().flatMap((record) => rowsOf(joined(this.sink.schema, [record])))
    const named = rows.map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [snake(name), value])),
    )
    return named.sort((a, b) => ordered(a) - ordered(b))
  }
}

const ordered = (row: Readonly<Record<string, unknown>>): number =>
  Number(row['_part']) * 1e12 + Number(row['_off']) * 1e6 + Number(row['_row'])

const running = new Set<Loading>()

/** Stop all that `run` began. */
export const stopAll = async (): Promise<void> => {
  for (const loading of running) await loading.stop()
  running.clear()
}

export const until = async (met: () => boolean, what: string): Promise<void> => {
  for (let i = 0; i < 1500; i++) {
    if (met()) return
    await pause(20)
  }
  expect.fail(what)
}

export const caughtUp = (topic: Topic, loading: Loading): Promise<void> => {
  const next = topic.store.extents
  const done = (): boolean =>
    loading
      .status()
      .every(
        ({ state, partitions }) =>
          state === 'idle' &&
          partitions.every(
            (one) => one.next === (next.get(`${topic.sink.table}\n${one.partition}`)?.next ?? 0),
          ),
      )
  return until(
    done,
    `it did not catch up: ${JSON.stringify(loading.status().map(({ state, error }) => [state, error?.message, error?.why]))}`,
  )
}

/** Rows of the table in the order of the log, times as microseconds. */
const found = async (tables: Tables, { sink }: Topic): Promise<readonly unknown[]> => {
  const columns = sink.schema.columns.map(({ kind, name }) => {
    const column = `\`${snake(name)}\``
    if (kind === 'micros') return `toFloat64(toUnixTimestamp64Micro(${column})) AS ${column}`
    return kind === 'count' ? `toFloat64(${column}) AS ${column}` : column
  })
  const system = '_order, _topic, _part, toFloat64(_off) AS _off, _row, toFloat64(_step) AS _step, _epoch'
  const sql = `SELECT ${columns.join(', ')}, ${system} FROM ${sink.table} ORDER BY _part, _off, _row`
  return tables.query(sql, {})
}

/** The table holds the rows of the log: each once, every value as it was. */
export const expectExact = async (tables: Tables, topic: Topic): Promise<void> =>
  expect(await found(tables, topic)).toEqual(topic.wanted())

export const counted = async (
  tables: Tables,
  topic: Topic,
): Promise<readonly [rows: number, unique: number]> => {
  const sql = `SELECT count() AS rows, uniqExact(_part, _off, _row) AS unique FROM ${topic.sink.table}`
  const [row] = await tables.query(sql, {})
  return [Number(row?.['rows']), Number(row?.['unique'])]
}
