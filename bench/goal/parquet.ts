import type { Batch } from '../../graph/batch.ts'
import type { LogRecord, Placed } from '../../graph/port.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { bookDelta, quote, trade } from '../../market/index.ts'
import { joined } from '../../sinks/arrow.ts'
import { columnParquetOf } from '../../sinks/driver/parquet-columns.ts'
import { wasmParquetOf } from '../../sinks/driver/parquet-wasm.ts'
import { binanceFrames } from '../frames.ts'
import { ktPipeline } from '../kt.ts'
import { measure, resultOf } from '../measure.ts'
import type { Result } from './result.ts'

type Timed = LogRecord & { readonly received: number }

/** The records of set B, spot and perpetual in one partition as a pair is kept: in the order of their receipt. */
const recordsByTopic = (): ReadonlyMap<string, readonly Placed[]> => {
  const all: Timed[] = []
  for (const market of ['spot', 'usdm'] as const) {
    let received = 0
    const kt = ktPipeline(`binance.${market}`, 'all', (records) => {
      for (const record of records) all.push({ ...record, bytes: record.bytes.slice(), received })
    })
    for (const frame of binanceFrames(market).frames) {
      received = frame.received
      kt.take(frame)
    }
    kt.end()
  }
  all.sort((a, b) => a.received - b.received)
  const topics = Map.groupBy(all, ({ topic }) => topic)
  const place = ({ received, ...record }: Timed, offset: number): Placed => ({
    ...record,
    offset,
    shard: 'shard-0',
    epoch: 1,
    step: 1 + 2 * offset,
    time: received,
  })
  return new Map([...topics].map(([topic, records]) => [topic, records.map(place)]))
}

/**
 * G11: the rows of one file of the lake as Parquet, by our own writer and by parquet-wasm. Both files hold the same
 * rows (`test/sinks/parquet.test.ts`); a line holds if ours is no larger.
 */
export const parquet = async (quick: boolean): Promise<readonly Result[]> => {
  const records = recordsByTopic()
  const results: Result[] = []
  const tables: readonly (readonly [string, AnySchema])[] = [
    ['trade', trade],
    ['book-delta', bookDelta],
    ['quote', quote],
  ]
  for (const [topic, schema] of tables) {
    const batch = joined(schema, records.get(topic) ?? [])
    if (batch.rows === 0) throw new Error(`the recording has no rows of ${topic}`)
    results.push(...(await resultsOf(batch, topic, quick)))
  }
  return results
}

/** A file of twenty columns goes through some hundred functions, each called a few times a file. */
const WARM_MS = 2_500

const resultsOf = async (batch: Batch, topic: string, quick: boolean): Promise<readonly Result[]> => {
  const about = { schema: topic }
  const [ours, theirs] = await measure(
    [
      { name: 'kt', run: () => columnParquetOf(batch, about) },
      { name: 'parquet-wasm', run: () => wasmParquetOf(batch, about) },
    ],
    { rounds: quick ? 3 : 9, ops: batch.rows, leastMs: 50, warmMs: quick ? 1_000 : WARM_MS },
  )
  const [size, other] = [columnParquetOf, wasmParquetOf].map(
    (write) => write(batch, about).length / batch.rows,
  )
  const what = `${batch.rows.toLocaleString('en')} rows of ${topic} to a file`
  const common = { goal: 'G11', holds: size! <= other! }
  return [
    resultOf({ ...common, what, unit: 'CPU ns/row' }, ours!, theirs!),
    { ...common, what, ours: size!, peer: theirs!.name, theirs: other!, unit: 'bytes/row', least: 1 },
  ]
}
