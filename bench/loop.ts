import type { FrameSet, MarketFrame } from './frames.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** A number within the bytes of a frame that grows with each turn. */
interface Id {
  readonly bytes: Buffer
  readonly from: number
  readonly to: number
  readonly first: number
  readonly span: number
}

/**
 * Real frames that can be taken again and again: in each turn the ids go on where the turn before ended,
 * digit by digit in place, and the book begins anew with its snapshot. So a pipeline sees an endless run
 * without a gap, and nothing is allocated between two turns. They lie in one memory, as a socket reads them.
 */
export class Loop {
  readonly frames: readonly MarketFrame[]
  readonly #mutable: readonly Mutable<MarketFrame>[]
  readonly #ids: readonly Id[]
  readonly #received: readonly number[]
  readonly #durationUs: number

  constructor(set: FrameSet) {
    const kept = withoutOldChanges(set.frames)
    const memory = new Uint8Array(kept.reduce((size, { bytes }) => size + bytes.length, ROOM))
    let used = 0
    this.#mutable = kept.map((one) => {
      const bytes = Buffer.from(memory.buffer, used, one.bytes.length)
      used += one.bytes.copy(bytes)
      return { ...one, bytes, memory }
    })
    this.frames = this.#mutable
    this.#received = kept.map((one) => one.received)
    this.#durationUs = (this.#received.at(-1) ?? 0) - (this.#received[0] ?? 0) + 100_000
    this.#ids = idsOf(this.frames)
  }

  /** Make the frames those of a turn, counted from 0. */
  turn(turn: number): void {
    for (let at = 0; at < this.#mutable.length; at++) {
      this.#mutable[at]!.received = this.#received[at]! + turn * this.#durationUs
    }
    for (const { bytes, from, to, first, span } of this.#ids) {
      let rest = first + turn * span
      for (let at = to - 1; at >= from; at--) {
        const higher = Math.floor(rest / 10)
        bytes[at] = 48 + (rest - higher * 10)
        rest = higher
      }
      if (rest > 0) throw new Error('an id of the recording has outgrown its digits')
    }
  }
}

/** What is read behind the last message, and is no part of it. */
const ROOM = 64

const numberOf = (frame: MarketFrame, key: string): number | undefined => {
  const found = new RegExp(`"${key}":(\\d+)`).exec(frame.bytes.toString('latin1'))?.[1]
  return found === undefined ? undefined : Number(found)
}

/**
 * The snapshot first, then what follows it: changes that it holds already would be a hole in the second
 * turn.
 */
const withoutOldChanges = (frames: readonly MarketFrame[]): readonly MarketFrame[] => {
  const seed = frames.find(({ channel }) => channel === 'seed')
  if (seed === undefined) return frames
  const begun = numberOf(seed, 'lastUpdateId')!
  const rest = frames.filter(
    (one) => one.channel === 'trade' || (one.channel === 'book' && numberOf(one, 'u')! > begun),
  )
  return [{ ...seed, received: rest[0]?.received ?? seed.received }, ...rest]
}

const BOOK_KEYS = /"(?:U|u|pu|lastUpdateId)":(\d+)/g
const TRADE_KEYS = /"t":(\d+)/g

const idsOf = (frames: readonly MarketFrame[]): readonly Id[] => {
  const books = frames.filter(({ channel }) => channel === 'book' || channel === 'seed')
  const trades = frames.filter(({ channel }) => channel === 'trade')
  return [...idsAt(books, BOOK_KEYS, bookSpan(books)), ...idsAt(trades, TRADE_KEYS, tradeSpan(trades))]
}

const bookSpan = (books: readonly MarketFrame[]): number => {
  const last = books.at(-1) === undefined ? 0 : numberOf(books.at(-1)!, 'u')!
  const [head] = books
  if (head === undefined) return 0
  const asked = numberOf(head, 'lastUpdateId')
  // A snapshot within the stream has an id of its own; one over REST is where the book stands.
  return asked === undefined ? last - numberOf(head, 'u')! + 1 : last - asked
}

const tradeSpan = (trades: readonly MarketFrame[]): number => {
  const [first, last] = [trades[0], trades.at(-1)]
  return first === undefined ? 0 : (numberOf(last!, 't') ?? 0) - (numberOf(first, 't') ?? 0) + 1
}

const idsAt = (frames: readonly MarketFrame[], keys: RegExp, span: number): readonly Id[] =>
  frames.flatMap(({ bytes }) =>
    [...bytes.toString('latin1').matchAll(keys)].map((match) => {
      const to = match.index + match[0].length
      return { bytes, from: to - match[1]!.length, to, first: Number(match[1]), span }
    }),
  )
