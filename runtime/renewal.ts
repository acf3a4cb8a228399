import type { Clock } from '../graph/port.ts'

/** What a quote says of its book; the rest of it does not matter here. */
interface Quoted {
  readonly instrument: string
  readonly trust: string
  readonly trustedDepth: number
}

/** A book that knows fewer levels a side than this is given a deeper snapshot before it runs out of them. */
const DEPTH_MIN = 100
/** One book is not asked for more often than this, whatever its quotes say. */
const EVERY_MS = 15_000

/**
 * Books that cannot be trusted, or soon not any more, are begun anew: a snapshot knows only so many levels,
 * and prices leave them. The operator says so in its quotes, the source asks the venue; this stands between
 * the two.
 */
export class Renewal {
  readonly #clock: Clock
  readonly #renew: (instrument: string) => void
  readonly #asked = new Map<string, number>()

  constructor(clock: Clock, renew: (instrument: string) => void) {
    this.#clock = clock
    this.#renew = renew
  }

  /** Look at a row that was just emitted. */
  see(schema: string, row: object): void {
    if (schema !== 'quote') return
    const { instrument, trust, trustedDepth } = row as Quoted
    if (trust !== 'gap' && (trust !== 'live' || trustedDepth >= DEPTH_MIN)) return
    const now = this.#clock.now()
    if (now - (this.#asked.get(instrument) ?? -Infinity) < EVERY_MS * 1000) return
    this.#asked.set(instrument, now)
    // Not within the operator's own call: asking may lead back to it.
    this.#clock.after(0, () => this.#renew(instrument))
  }
}
