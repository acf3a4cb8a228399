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
    const { bids, asks } = book
    const bidSize = live && bids.count > 0 ? bids.size(0) : null
    const askSize = live && asks.count > 0 ? asks.size(0) : null
    const bid = bidSize === null ? null : bids.price(0)
    const ask = askSize === null ? null : asks.price(0)
    const same =
      this.#said &&
      quote.trust === trust &&
      quote.why === why &&
      quote.bid === bid &&
      quote.ask === ask &&
      quote.bidSize === bidSize &&
      quote.askSize === askSize
    if (same && !(live && quote.last !== last && received >= quote.received + SIGN_OF_LIFE_EVERY)) return
    this.#said = true
    quote.time = time
    quote.received = received
    quote.first = first
    quote.last = last
    quote.trust = trust
    quote.why = why
    quote.bid = bid
    quote.bidSize = bidSize
    quote.ask = ask
    quote.askSize = askSize
    quote.trustedDepth = live ? book.trustedDepth : 0
    return quote
  }

  save(): Quote | null {
    return this.#said ? { ...this.#quote } : null
  }

  load(saved: Quote | null): void {
    this.#said = saved !== null
    if (saved !== null) Object.assign(this.#quote, saved)
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** One second. */
const SIGN_OF_LIFE_EVERY = 1_000_000
