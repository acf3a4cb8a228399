import { Columns } from '../graph/columns.ts'
import { graph } from '../graph/graph.ts'
import { Layout } from '../graph/layout.ts'
import { plan } from '../graph/plan.ts'
import type { LogRecord } from '../graph/port.ts'
import { logged } from '../graph/schema.ts'
import type { EmitRow, SourceHost } from '../graph/source.ts'
import { topic } from '../graph/topic.ts'
import { bookDelta, byPair, quote, trade } from '../market/index.ts'
import type { Quote } from '../market/index.ts'
import { systemTopics } from '../market/topics.ts'
import { normalize, reconstruct } from '../operators/index.ts'
import { Batches } from '../runtime/batches.ts'
import { Stage } from '../runtime/stage.ts'
import { clickhouse } from '../sinks/index.ts'
import { loadExamples } from '../sources/driver/examples.ts'
import { loadMapping } from '../sources/driver/jsonata.ts'
import { binance, markets } from '../sources/index.ts'
import { Player } from '../sources/replay.ts'
import type { Recorded } from '../sources/replay.ts'
import type { MarketFrame, SourceName } from './frames.ts'
import type { Pipeline, Reach } from './pipeline.ts'

/** Frames between two steps: about what five milliseconds of a busy symbol bring. */
const STEP_FRAMES = 50

/** Every venue of the bench has trades and a book under these names. */
export const marketOf = (source: SourceName): typeof binance.spot =>
  markets.find(({ name }) => name === source) as typeof binance.spot

const wired = (source: SourceName, reach: Reach) =>
  graph('books', (g) => {
    const channels = channelsOf(reach)
    const from = g.source(marketOf(source), { universe: {}, channels, keep: byPair })
    if (reach !== 'book' && reach !== 'best') {
      from.trade.via(normalize(trade)).through(topic('trade', { schema: trade, key: byPair }))
    }
    if (reach === 'trade') return
    const deltas = from.book.via(normalize(bookDelta))
    if (reach !== 'best') deltas.through(topic('book-delta', { schema: bookDelta, key: byPair }))
    if (reach === 'book' || reach === 'columns') return
    deltas.via(reconstruct({})).through(topic('quote', { schema: quote, key: byPair }))
  })

/** A shard without its log: a stage, and the batches that it fills. */
interface Shard {
  readonly host: Pick<SourceHost, 'frame' | 'system'>
  /** A frame was taken: every so many, a step is cut. */
  readonly tick: () => void
  readonly end: Pipeline['end']
}

/** `step` is called with the records of each step. */
export const ktShard = (
  source: SourceName,
  reach: Reach,
  step: (records: readonly LogRecord[]) => void = () => {},
): Shard => {
  const planned = plan(wired(source, reach), { topics: systemTopics, sink: () => clickhouse(trade) })
  const batches = new Batches(planned.topics, 8192)
  let [trades, deltas, bytes, frames] = [0, 0, 0, 0]
  let [bid, ask] = [Number.NaN, Number.NaN]
  const stage = new Stage(planned.stages[0]!, (to, row) => {
    // What the peers keep in a variable is not written either.
    if (reach !== 'best') batches.add(to, row)
    if (to.name === 'trade') trades++
    else if (to.name === 'book-delta') deltas++
    else if (to.name === 'quote') {
      const { bid: bought, ask: sold, trust } = row as Quote
      if (trust !== 'live') return
      bid = bought ?? Number.NaN
      ask = sold ?? Number.NaN
    }
  })
  const cut = (): void => {
    const records = batches.take()
    for (const record of records) bytes += record.bytes.length
    step(records)
  }
  return {
    host: { frame: (frame) => stage.frame(frame), system: stage.system },
    tick: () => {
      if (++frames % STEP_FRAMES === 0) cut()
    },
    end: () => {
      cut()
      return { trades, deltas, bytes, bid, ask }
    },
  }
}

/** What a graph of this reach asks a source for. */
export const channelsOf = (reach: Reach): readonly ('trade' | 'book')[] =>
  reach === 'trade' ? ['trade'] : ['trade', 'book']

/** A world in which nothing happens but what is delivered. */
export const still: Pick<SourceHost, 'clock' | 'net' | 'random' | 'mapping' | 'examples' | 'note'> = {
  clock: { now: () => 0, after: () => () => {} },
  net: { connect: () => ({ send: () => {}, close: () => {} }), get: () => new Promise(() => {}) },
  random: { below: () => 0 },
  mapping: loadMapping,
  examples: loadExamples,
  note: () => {},
}

/** A source alone: its frames are mapped, and their rows go to `emit`. */
export const ktReader = (source: SourceName, emit: EmitRow): ((frame: MarketFrame) => void) => {
  const host: SourceHost = { ...still, frame: (frame) => frame.read(emit), system: () => {} }
  const opening = { channels: channelsOf('all'), universe: {}, endpoint: undefined, owns: () => true }
  const to = playing(new Player(marketOf(source), host, opening), source)
  return (frame) => deliver(to, frame)
}

type Message = { -readonly [K in keyof MessageOf]: MessageOf[K] }
type MessageOf = Extract<Recorded, { what: 'message' }>

/** A player, and the message that it is given: one for all, as a socket makes nothing of a message either. */
interface Playing {
  readonly player: Player
  readonly message: Message
}

const playing = (player: Player, source: SourceName): Playing => {
  const common = { source, received: 0, bytes: new Uint8Array(0), from: 0, to: 0 }
  const message = { ...common, what: 'message', channel: '', symbol: '', connection: 1, epoch: 1 } as const
  return { player, message: { ...message } }
}

const deliver = ({ player, message }: Playing, frame: MarketFrame): void => {
  const { channel, received, bytes, symbol } = frame
  const { source } = message
  // The whole book is taken as known, so that the books of both pipelines live to the end.
  if (channel === 'seed') {
    player.deliver({ received, source, bytes, symbol, what: 'seed', channel: 'book', limit: 0 })
  } else if (channel === 'listing') player.deliver({ received, source, bytes, what: 'listing' })
  else {
    message.channel = channel
    message.received = received
    const { memory } = frame
    message.bytes = memory ?? bytes
    message.from = memory === undefined ? 0 : bytes.byteOffset
    message.to = message.from + bytes.length
    message.symbol = symbol
    player.deliver(message)
  }
}

/**
 * Only what the mappers of other libraries do, and into columns at that: no gap check, no book, no step of the
 * log.
 */
export const ktColumns = (source: SourceName): Pipeline => {
  const all = new Map<string, Columns>([trade, bookDelta].map((one) => [one.name, new Columns(logged(one))]))
  const layout = new Layout()
  const made = new Map<string, number>()
  let [bytes, frames] = [0, 0]
  const read = ktReader(source, (schema, row) => all.get(schema)?.add(row))
  const cut = (): void => {
    layout.clear()
    for (const [schema, columns] of all) {
      if (columns.rows === 0) continue
      const batch = columns.take(layout)
      bytes += batch.bytes.length
      made.set(schema, (made.get(schema) ?? 0) + batch.rows)
    }
  }
  const rows = (schema: string): number => made.get(schema) ?? 0
  return {
    name: 'kt',
    take: (frame) => {
      read(frame)
      if (++frames % STEP_FRAMES === 0) cut()
    },
    end: () => {
      cut()
      return { trades: rows('trade'), deltas: rows('bookDelta'), bytes, bid: Number.NaN, ask: Number.NaN }
    },
  }
}

/** What a shard does with a frame: map it, check its numbering, rebuild the book, write columns. */
export const ktPipeline = (
  source: SourceName,
  reach: Reach = 'all',
  step: (records: readonly LogRecord[]) => void = () => {},
): Pipeline => {
  const shard = ktShard(source, reach, step)
  const host: SourceHost = { ...still, ...shard.host }
  const opening = { channels: channelsOf(reach), universe: {}, endpoint: undefined, owns: () => true }
  const to = playing(new Player(marketOf(source), host, opening), source)
  const take: Pipeline['take'] = (frame) => {
    deliver(to, frame)
    shard.tick()
  }
  return { name: 'kt', take, end: shard.end }
}
