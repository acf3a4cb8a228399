import { graph } from '../graph/graph.ts'
import { plan } from '../graph/plan.ts'
import type { SourceHost } from '../graph/source.ts'
import { topic } from '../graph/topic.ts'
import { bookDelta, byPair, quote, trade } from '../market/index.ts'
import type { Quote } from '../market/index.ts'
import { systemTopics } from '../market/topics.ts'
import { normalize, reconstruct } from '../operators/index.ts'
import { Batches } from '../runtime/batches.ts'
import { Stage } from '../runtime/stage.ts'
import { clickhouse } from '../sinks/index.ts'
import { loadMapping } from '../sources/driver/jsonata.ts'
import { binance } from '../sources/index.ts'
import { Player } from '../sources/replay.ts'
import type { FrameSet } from './frames.ts'
import type { Pipeline } from './pipeline.ts'

/** Frames between two steps: about what five milliseconds of a busy symbol bring. */
const STEP_FRAMES = 50

/** What a shard does with a frame: map it, check its numbering, rebuild the book, write columns. */
export const ktPipeline = ({ source, frames, symbol }: FrameSet): Pipeline => {
  const market = source === 'binance.spot' ? binance.spot : binance.usdm
  const books = graph('books', (g) => {
    const from = g.source(market, { universe: {}, channels: ['trade', 'book'], keep: byPair })
    from.trade.via(normalize(trade)).through(topic('trade', { schema: trade, key: byPair }))
    const deltas = from.book.via(normalize(bookDelta))
    deltas.through(topic('book-delta', { schema: bookDelta, key: byPair }))
    deltas.via(reconstruct({})).through(topic('quote', { schema: quote, key: byPair }))
  })
  const planned = plan(books, { topics: systemTopics, sink: () => clickhouse(trade) })
  const batches = new Batches(planned.topics, 8192)
  let [quotes, bytes] = [0, 0]
  let last: Quote | undefined
  const stage = new Stage(planned.stages[0]!, (to, row) => {
    batches.add(to, row)
    if (to.name !== 'quote') return
    quotes++
    if ((row as Quote).trust === 'live') last = row as Quote
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
  const player = new Player(market, host, {
    channels: ['trade', 'book'],
    universe: {},
    endpoint: undefined,
    owns: () => true,
  })
  const take = (at: number): void => {
    const { channel, received, bytes: message } = frames[at]!
    const common = { received, source, bytes: message, symbol }
    // The whole book is taken as known, so that the books of both pipelines live to the end.
    if (channel === 'seed') player.deliver({ ...common, what: 'seed', channel: 'book', limit: 0 })
    else player.deliver({ ...common, what: 'message', channel, connection: 1, epoch: 1 })
    if (at % STEP_FRAMES === 0) for (const record of batches.take()) bytes += record.bytes.length
  }
  return { name: 'kt', take, end: () => ({ quotes, bytes, bid: last?.bid ?? 0, ask: last?.ask ?? 0 }) }
}
