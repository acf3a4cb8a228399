import { cellOf, readBatch } from '../../graph/batch.ts'
import { Columns } from '../../graph/columns.ts'
import { Layout } from '../../graph/layout.ts'
import type { Placed } from '../../graph/port.ts'
import { logged, schemaId } from '../../graph/schema.ts'
import { trade } from '../../market/index.ts'
import type { Trade } from '../../market/index.ts'
import { joined, stored } from '../../sinks/arrow.ts'
import { arrowEncoder } from '../../sinks/driver/arrow.ts'
import { Arena } from '../../sinks/memory.ts'
import { binanceFrames } from '../frames.ts'
import { ktPipeline } from '../kt.ts'
import { measure, resultOf } from '../measure.ts'
import { arrowWriter } from '../peer/arrow.ts'
import type { Result } from './result.ts'

/** Rows of real trades, as the events that an operator is given. */
export const realTrades = (count: number): readonly Trade[] => {
  const frames = binanceFrames('spot').frames.filter(({ channel }) => channel === 'trade')
  const rows: Trade[] = []
  const kt = ktPipeline('binance.spot', 'trade', (records) => {
    for (const { topic, bytes } of records) if (topic === 'trade') rows.push(...tradesOf(bytes))
  })
  for (const frame of frames.slice(0, count)) kt.take(frame)
  kt.end()
  if (rows.length < count) throw new Error(`the recording has ${rows.length} trades, not ${count}`)
  return rows
}

const tradesOf = (bytes: Uint8Array): readonly Trade[] => {
  const batch = readBatch(logged(trade), bytes)
  const columns = trade.columns.map(({ name }) => batch.columns.find(({ column }) => column.name === name)!)
  return Array.from({ length: batch.rows }, (_, row) =>
    Object.fromEntries(columns.map((buffers) => [buffers.column.name, cellOf(buffers, row)])),
  ) as unknown as readonly Trade[]
}

/** The record that a log would hold of a batch. */
export const placed = (batch: { readonly rows: number; readonly bytes: Uint8Array }, offset = 0): Placed => ({
  ...batch,
  topic: 'trade',
  partition: 0,
  schema: schemaId(trade),
  offset,
  shard: 'shard-0',
  epoch: 1,
  step: 1,
  time: 0,
})

/**
 * G10: a batch of rows as an Arrow IPC stream. Rows: from events, beside the builders of apache-arrow.
 * Columns: from the batch as the log has it, beside typed arrays that are ready for the writer of
 * apache-arrow.
 */
export const arrow = async (quick: boolean): Promise<readonly Result[]> => {
  const rows = realTrades(19_000)
  const results: Result[] = []
  for (const size of [100, 1_000, rows.length]) {
    const batches = Array.from({ length: Math.floor(rows.length / size) }, (_, at) =>
      rows.slice(at * size, (at + 1) * size),
    )
    const columns = new Columns(logged(trade))
    const layout = new Layout()
    // A shard lays its batches out in the same memory, step by step.
    const taken = (batch: readonly Trade[], into = layout): Placed => {
      for (let at = 0; at < batch.length; at++) columns.add(batch[at]!, at)
      into.clear()
      return placed(columns.take(into))
    }
    const encode = arrowEncoder()
    // As in a sink, whose batches nobody keeps.
    const arena = new Arena()
    const encoded = (record: Placed): Uint8Array => {
      arena.reset()
      return encode(joined(trade, [record], arena))
    }
    const records = batches.map((batch) => taken(batch, new Layout()))
    const peer = await arrowWriter(stored(trade))
    const tables = records.map((record) => peer.ready(joined(trade, [record])))
    const ops = batches.length * size
    const whole = encoded(records[0]!)
    peer.expectSame(whole, peer.write(tables[0]!))
    peer.expectSame(whole, peer.build(batches[0]!.map((row, at) => ({ ...row, ...placeOf(at) }))))
    const full = batches.map((batch) => batch.map((row, at) => ({ ...row, ...placeOf(at) })))
    let bytes = 0
    const each =
      <T>(of: readonly T[], encode: (one: T) => Uint8Array) =>
      (): void => {
        for (const one of of) bytes += encode(one).length
      }
    const [fromRows, builders, fromColumns, writer] = await measure(
      [
        { name: 'kt', run: each(batches, (batch) => encoded(taken(batch))) },
        { name: 'apache-arrow builders', run: each(full, peer.build) },
        { name: 'kt', run: each(records, encoded) },
        { name: 'apache-arrow writer, arrays ready', run: each(tables, peer.write) },
      ],
      { rounds: quick ? 3 : 9, ops, leastMs: 30 },
    )
    const about = { goal: 'G10', unit: 'CPU ns/row' }
    const batch = `batches of ${size.toLocaleString('en')} trades`
    const least = size > 1_000 ? { least: 0 } : {}
    results.push(
      resultOf({ ...about, ...least, what: `${batch}, events to Arrow IPC` }, fromRows!, builders!),
      resultOf({ ...about, ...least, what: `${batch}, log record to Arrow IPC` }, fromColumns!, writer!),
    )
    if (bytes === 0) throw new Error('nothing was encoded')
  }
  return results
}

/** What is stored beside a row: its place in the log. */
const placeOf = (at: number): object => ({
  _order: at,
  _topic: 'trade',
  _part: 0,
  _off: 0,
  _row: at,
  _step: 1,
  _epoch: 1,
})
