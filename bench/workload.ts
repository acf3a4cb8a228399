import { binanceFrames } from './frames.ts'
import type { MarketFrame } from './frames.ts'
import { Loop } from './loop.ts'

/** Messages in an order, made before the clock runs. */
interface Workload {
  /** Taken before the clock runs: lists, beginnings of books, and what makes the code warm. */
  readonly warm: () => Iterable<MarketFrame>
  /** Taken by the clock; a run may be longer than memory, so it comes in parts. */
  readonly timed: () => Iterable<readonly MarketFrame[]>
}

export type WorkloadName = 'one' | 'wide' | 'burst' | 'cold' | 'drift'

const [STEP_US, SEED_DEEP, SEED_SHALLOW] = [100, 1_000, 100]

/** What a shard meets: see `bench/goal/edge.ts`. */
export const workload = (name: WorkloadName, messages: number): Workload => {
  if (name === 'one') return endless(messages)
  if (name === 'cold') return cold()
  if (name === 'drift') return drifting(messages)
  const symbols = Array.from({ length: name === 'wide' ? 1_000 : 200 }, (_, at) => `K${letters(at)}USDT`)
  const order = name === 'wide' ? byRank(symbols.length, messages) : together(symbols.length, messages)
  return many(symbols, order)
}

/** The recording of one symbol again and again. */
const endless = (messages: number): Workload => {
  const loop = new Loop(binanceFrames('spot'))
  function* turns(): Generator<readonly MarketFrame[]> {
    for (let [turn, left] = [1, messages]; left > 0; turn++, left -= loop.frames.length) {
      loop.turn(turn)
      yield left < loop.frames.length ? loop.frames.slice(0, left) : loop.frames
    }
  }
  const warm = (): readonly MarketFrame[] => {
    loop.turn(0)
    return loop.frames
  }
  return { warm, timed: turns }
}

/** The first frames of a process. */
const cold = (): Workload => {
  const { frames } = new Loop(binanceFrames('spot'))
  return { warm: () => [], timed: () => [frames.slice(0, 2_000)] }
}

/** The venue says something new in each message, in another order, from one message to the next. */
const drifting = (messages: number): Workload => {
  const loop = new Loop(binanceFrames('spot'))
  const { frames } = loop
  const half = Math.floor(frames.length / 2)
  const changed = frames
    .slice(half, half + messages)
    .map(({ bytes, received, channel, symbol }) => ({ bytes: reshaped(bytes), received, channel, symbol }))
  return { warm: () => frames.slice(0, half), timed: () => [changed] }
}

/** The same message with a key that no mapping knows, and with two keys in the other order. */
const reshaped = (bytes: Buffer): Buffer => {
  const text = bytes.toString('latin1')
  const swapped = text.replace(/("E":\d+),("s":"[^"]+")/, '$2,"rpi":false,$1')
  return Buffer.from(swapped, 'latin1')
}

const letters = (at: number): string =>
  String.fromCharCode(65 + (Math.floor(at / 676) % 26), 65 + (Math.floor(at / 26) % 26), 65 + (at % 26))

/** Symbols by rank: the second half as often as the first, the third a third as often, and so on. */
const byRank = (symbols: number, messages: number): Uint16Array => {
  const ends: number[] = []
  let sum = 0
  for (let rank = 1; rank <= symbols; rank++) ends.push((sum += 1 / rank))
  // A fixed sequence of even spread:
  // https://en.wikipedia.org/wiki/Low-discrepancy_sequence#Additive_recurrence
  let at = 0.5
  return Uint16Array.from({ length: messages }, () => {
    at = (at + 0.618_033_988_749_895) % 1
    return ends.findIndex((end) => end >= at * sum)
  })
}

/** All symbols at once, again and again: a move of the market. */
const together = (symbols: number, messages: number): Uint16Array =>
  Uint16Array.from({ length: messages }, (_, at) => at % symbols)

/** Each symbol says what the recorded one said, from the beginning, at its own pace. */
const many = (symbols: readonly string[], order: Uint16Array): Workload => {
  const [seed, ...rest] = new Loop(binanceFrames('spot')).frames
  const cursors = new Uint32Array(symbols.length)
  let received = rest[0]!.received
  const named = ({ bytes, channel }: MarketFrame, symbol: string): MarketFrame => {
    const text = bytes.toString('latin1').replace('btcusdt@', `${symbol.toLowerCase()}@`)
    received += STEP_US
    return {
      bytes: Buffer.from(text.replace('"BTCUSDT"', `"${symbol}"`), 'latin1'),
      channel,
      symbol,
      received,
    }
  }
  const begin = symbols.map((symbol, rank) => ({
    bytes: shallow(seed!.bytes, rank < 50 ? SEED_DEEP : SEED_SHALLOW),
    channel: 'seed' as const,
    symbol,
    received,
  }))
  const frames = Array.from(order, (at) => named(rest[cursors[at]!++ % rest.length]!, symbols[at]!))
  const first = Math.floor(frames.length / 4)
  return {
    warm: () => [listing(symbols, received), ...begin, ...frames.slice(0, first)],
    timed: () => [frames.slice(first)],
  }
}

const shallow = (bytes: Buffer, levels: number): Buffer => {
  const book = JSON.parse(bytes.toString('latin1')) as { bids: unknown[]; asks: unknown[] }
  return Buffer.from(
    JSON.stringify({ ...book, bids: book.bids.slice(0, levels), asks: book.asks.slice(0, levels) }),
  )
}

/** The venue's own list, as far as its mapping reads it. */
const listing = (symbols: readonly string[], received: number): MarketFrame => {
  const filters = [
    { filterType: 'PRICE_FILTER', tickSize: '0.01000000' },
    { filterType: 'LOT_SIZE', stepSize: '0.00001000' },
  ]
  const listed = symbols.map((symbol) => {
    const baseAsset = symbol.slice(0, -4)
    return { symbol, baseAsset, quoteAsset: 'USDT', status: 'TRADING', filters }
  })
  return { bytes: Buffer.from(JSON.stringify({ symbols: listed })), channel: 'listing', symbol: '', received }
}
