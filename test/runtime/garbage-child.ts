import { PerformanceObserver } from 'node:perf_hooks'
import { graph } from '../../graph/graph.ts'
import { plan } from '../../graph/plan.ts'
import type { SourceHost } from '../../graph/source.ts'
import { topic } from '../../graph/topic.ts'
import { bookDelta, byPair, quote, trade } from '../../market/index.ts'
import { systemTopics } from '../../market/topics.ts'
import { normalize, reconstruct } from '../../operators/index.ts'
import { Batches } from '../../runtime/batches.ts'
import { Stage } from '../../runtime/stage.ts'
import { clickhouse } from '../../sinks/index.ts'
import { loadMapping } from '../../sources/driver/jsonata.ts'
import { binance } from '../../sources/index.ts'
import { Intake } from '../../sources/intake.ts'

// Feeds endless messages of one symbol, as a socket has them, from bytes to the batches of the log, and tells
// its parent what garbage that made: `node garbage-child.ts WARM MESSAGES`.
const [warm, messages] = process.argv.slice(2).map(Number) as [number, number]
const planned = plan(
  graph('garbage', (g) => {
    const from = g.source(binance.spot, { universe: {}, channels: ['trade', 'book'], keep: byPair })
    from.trade.via(normalize(trade)).through(topic('trade', { schema: trade, key: byPair }))
    const deltas = from.book.via(normalize(bookDelta))
    deltas.through(topic('book-delta', { schema: bookDelta, key: byPair }))
    deltas.via(reconstruct({})).through(topic('quote', { schema: quote, key: byPair }))
  }),
  { topics: systemTopics, sink: () => clickhouse(trade) },
)
const batches = new Batches(planned.topics, 8192, new Map())
let rows = 0
const stage = new Stage(planned.stages[0]!, (to, row) => {
  batches.add(to, row)
  rows++
})
const host: SourceHost = {
  clock: { now: () => 0, after: () => () => {} },
  random: { below: () => 0 },
  net: { connect: () => ({ send: () => {}, close: () => {} }), get: () => new Promise(() => {}) },
  mapping: loadMapping,
  frame: (frame) => stage.frame(frame),
  system: stage.system,
  note: () => {},
}
const intake = new Intake(binance.spot.market, host, {
  channels: ['trade', 'book'], universe: {}, endpoint: undefined, owns: () => true,
})
intake.name('BTCUSDT', { instrument: 'binance:spot:BTC-USDT', wanted: true })
const line = { connection: 1, epoch: 1, frames: 0 }
const [trades, books] = [intake.inlet('trade', 'BTCUSDT', line), intake.inlet('book', 'BTCUSDT', line)]

const levels = (from: number, step: number): string =>
  Array.from({ length: 20 }, (_, i) => `["${(from + i * step).toFixed(2)}","0.${100 + i}"]`).join()
const message = (text: string) => {
  const bytes = new Uint8Array(text.length + 8)
  new TextEncoder().encodeInto(text, bytes)
  return { bytes, to: text.length, id: text.indexOf('1000000000'), last: text.lastIndexOf('1000000000') }
}
const one = message('{"stream":"btcusdt@trade","data":{"e":"trade","E":1770000000125,"s":"BTCUSDT","t":1000000000,"p":"95123.45000000","q":"0.01500000","T":1770000000123,"m":true,"M":true}}')
const change = message(`{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1770000000200,"s":"BTCUSDT","U":1000000000,"u":1000000000,"b":[${levels(95_100, -0.5)}],"a":[${levels(95_101, 0.5)}]}}`)

const put = (bytes: Uint8Array, at: number, id: number): void => {
  for (let digit = 9, rest = id; digit >= 0; digit--) {
    bytes[at + digit] = 48 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}

const seed = `{"lastUpdateId":1000000000,"bids":[${levels(95_100, -0.5)}],"asks":[${levels(95_101, 0.5)}]}`
intake.seed(books, new TextEncoder().encode(seed), 1_770_000_000_000_000, 0)

let [tradeId, bookId] = [1_000_000_000, 1_000_000_000]
const feed = (count: number): void => {
  for (let i = 0; i < count; i++) {
    const received = 1_770_000_000_000_000 + i
    if (i % 4 === 0) {
      bookId++
      put(change.bytes, change.id, bookId)
      put(change.bytes, change.last, bookId)
      intake.take(books, change.bytes, received, 0, change.to)
    } else {
      put(one.bytes, one.id, ++tradeId)
      intake.take(trades, one.bytes, received, 0, one.to)
    }
    if (i % 100 === 0) batches.take()
  }
}

feed(warm)
globalThis.gc?.()
let collections = 0
new PerformanceObserver((list) => (collections += list.getEntries().length)).observe({ entryTypes: ['gc'] })
const before = process.memoryUsage()
const rowsBefore = rows
feed(messages)
const grown = process.memoryUsage().heapUsed - before.heapUsed
await new Promise((resolve) => setTimeout(resolve, 50))
const counted = collections
globalThis.gc?.()
const kept = process.memoryUsage().heapUsed - before.heapUsed
const scanned = intake.reads().reduce((sum, one) => sum + one.scanned, 0)
process.send?.({ collections: counted, grown, kept, rows: rows - rowsBefore, scanned })
