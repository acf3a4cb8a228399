import type { Book } from './book.ts'
import type { Quote, Trust } from './event.ts'
import type { Moment } from './hole.ts'
import { parseInstrument } from './instrument.ts'

/**
 * What was last said of the best prices of a book. It is one row, written anew for each quote: who takes a
 * quote has a copy of it before the next one.
 */
export class LastQuote {
  readonly #quote: Writable<Quote>
  /** Its prices and sizes, as a book tells its best: NaN where there is none. */
  readonly #best = new Float64Array(4).fill(NaN)
  #said = false

  constructor(instrument: string) {
    this.#quote = {
      venue: parseInstrument(instrument).venue,
      instrument,
      time: 0,
      received: 0,
      first: null,
      last: null,
      trust: 'syncing',
      why: '',
      bid: null,
      bidSize: null,
      ask: null,
      askSize: null,
      trustedDepth: 0,
    }
  }

  /**
   * The quote, when it differs from the last one, or when that is old and the book has moved since. `first`
   * and `last` are the ids of the newest change in the book. They come one by one, because this is called for
   * each change.
   */
  next(
    book: Book,
    trust: Trust,
    why: string,
    first: number | null,
    last: number | null,
    { time, received }: Moment,
  ): Quote | undefined {
    const quote = this.#quote
    const live = trust === 'live'
    const best = live ? book.best() : NONE
    const same = this.#said && quote.trust === trust && quote.why === why && equal(this.#best, best)
    if (same && !(live && quote.last !== last && received >= quote.received + SIGN_OF_LIFE_EVERY)) return
    this.#said = true
    quote.time = time
    quote.received = received
    quote.first = first
    quote.last = last
    quote.trust = trust
    quote.why = why
    this.#best.set(best)
    quote.bid = present(best[0]!)
    quote.bidSize = present(best[1]!)
    quote.ask = present(best[2]!)
    quote.askSize = present(best[3]!)
    quote.trustedDepth = live ? book.trustedDepth : 0
    return quote
  }

  save(): Quote | null {
    return this.#said ? { ...this.#quote } : null
  }

  load(saved: Quote | null): void {
    this.#said = saved !== null
    if (saved === null) return
    Object.assign(this.#quote, saved)
    this.#best.set([saved.bid, saved.bidSize, saved.ask, saved.askSize].map((value) => value ?? NaN))
  }
}

const NONE = new Float64Array(4).fill(NaN)

/** Two of them may be missing, and are the same then. */
const equal = (a: Float64Array, b: Float64Array): boolean => {
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false
  return true
}

const present = (value: number): number | null => (Number.isNaN(value) ? null : value)

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** One second. */
const SIGN_OF_LIFE_EVERY = 1_000_000
