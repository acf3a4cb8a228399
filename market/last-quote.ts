import { sharedCells } from '../graph/row.ts'
import type { Book } from './book.ts'
import { quote } from './event.ts'
import type { Quote, Trust } from './event.ts'
import type { Moment } from './hole.ts'
import { parseInstrument } from './instrument.ts'

/** The row that all quotes are lent in; and where its values are. */
const cells = sharedCells(quote)
const place = (column: keyof Quote & string): number => quote.columns.findIndex(({ name }) => name === column)
// Not members of an object: V8 may compile a read of such a one again and again, each time to give it up.
const [VENUE, INSTRUMENT, WHY] = [place('venue'), place('instrument'), place('why')]
const [FIRST, LAST, TRUST] = [place('first'), place('last'), place('trust')]
const [BID, BID_SIZE, ASK, ASK_SIZE] = [place('bid'), place('bidSize'), place('ask'), place('askSize')]
const [AT, RECEIVED_AT, TRUSTED] = [place('time'), place('received'), place('trustedDepth')]
const trusts = quote.columns[TRUST]!.values

/**
 * What was last said of the best prices of a book. A quote is lent: who takes one has a copy of it before the
 * next one, of whatever instrument.
 */
export class LastQuote {
  readonly #instrument: string
  readonly #venue: string
  #trust: Trust = 'syncing'
  #why = ''
  #first: number | null = null
  #last: number | null = null
  /** Its prices and sizes, as a book tells its best; its time at the venue, and ours; its trusted depth. */
  readonly #values = new Float64Array(7).fill(NaN)
  #said = false

  constructor(instrument: string) {
    this.#instrument = instrument
    this.#venue = parseInstrument(instrument).venue
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
    const values = this.#values
    const live = trust === 'live'
    const best = live ? book.best() : NONE
    const same = this.#said && this.#trust === trust && this.#why === why && equal(values, best)
    if (same && !(live && this.#last !== last && received >= values[RECEIVED]! + SIGN_OF_LIFE_EVERY)) return
    this.#said = true
    this.#first = first
    this.#last = last
    this.#trust = trust
    this.#why = why
    values[TIME] = time
    values[RECEIVED] = received
    for (let i = 0; i < best.length; i++) values[i] = best[i]!
    values[DEPTH] = live ? book.trustedDepth : 0
    return this.#lent()
  }

  save(): Quote | null {
    return this.#said ? { ...this.#lent() } : null
  }

  load(saved: Quote | null): void {
    this.#said = saved !== null
    if (saved === null) return
    const { trust, why, first, last, bid, bidSize, ask, askSize, time, received, trustedDepth } = saved
    this.#trust = trust
    this.#why = why
    this.#first = first
    this.#last = last
    const best = [bid, bidSize, ask, askSize].map((value) => value ?? NaN)
    this.#values.set([...best, time, received, trustedDepth])
  }

  #lent(): Quote {
    const { names, numbers, row } = cells
    const values = this.#values
    names[VENUE] = this.#venue
    names[INSTRUMENT] = this.#instrument
    names[WHY] = this.#why
    numbers[FIRST] = this.#first ?? NaN
    numbers[LAST] = this.#last ?? NaN
    numbers[TRUST] = trusts.indexOf(this.#trust)
    numbers[BID] = values[0]!
    numbers[BID_SIZE] = values[1]!
    numbers[ASK] = values[2]!
    numbers[ASK_SIZE] = values[3]!
    numbers[AT] = values[TIME]!
    numbers[RECEIVED_AT] = values[RECEIVED]!
    numbers[TRUSTED] = values[DEPTH]!
    return row as Quote
  }
}

/** Behind the best prices and sizes. */
const [TIME, RECEIVED, DEPTH] = [4, 5, 6]
const NONE = new Float64Array(4).fill(NaN)

/** Two of them may be missing, and are the same then. */
const equal = (values: Float64Array, best: Float64Array): boolean => {
  for (let i = 0; i < best.length; i++) if (!Object.is(values[i], best[i])) return false
  return true
}

/** One second. */
const SIGN_OF_LIFE_EVERY = 1_000_000
