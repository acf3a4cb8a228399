import type { Clock } from '../graph/port.ts'
import type { Renew } from '../graph/source.ts'

/** What a quote says of its book; the rest of it does not matter here. */
interface Quoted {
  readonly instrument: string
  readonly trust: string
  readonly trustedDepth: number
}

/** A book that knows fewer levels a side than this is given a deeper snapshot before it runs out of them. */
const DEPTH_MIN = 100
/** One book is not asked for more often than this, whatever its quotes say. */
const EVERY_US = 15_000_000
/** A book that stays shallow has no more levels at the venue: it is asked for ever less often, up to this. */
const SHALLOW_MAX_US = 3_600_000_000

/** When a book was asked for, and how long it is not asked for again for want of levels. */
interface Asked {
  at: number
  waitUs: number
}

/**
 * Books that cannot be trusted, or soon not any more, are begun anew: a snapshot knows only so many levels,
 * and prices leave them. The operator says so in its quotes, the source asks the venue; this stands between
 * the two.
 */
export class Renewal {
  readonly #clock: Clock
  readonly #renew: (instrument: string, why: Renew) => void
  readonly #asked = new Map<string, Asked>()

  constructor(clock: Clock, renew: (instrument: string, why: Renew) => void) {
    this.#clock = clock
    this.#renew = renew
  }

  /** Look at a row that was just emitted. */
  see(schema: string, row: object): void {
    if (schema !== 'quote') return
    const { instrument, trust, trustedDepth } = row as Quoted
    if (trust !== 'gap' && (trust !== 'live' || trustedDepth >= DEPTH_MIN)) return
    const why = trust === 'gap' ? 'gap' : 'shallow'
    if (!this.#due(instrument, why, this.#clock.now())) return
    // Not within the operator's own call: asking may lead back to it.
    this.#clock.after(0, () => this.#renew(instrument, why))
  }

  #due(instrument: string, why: Renew, now: number): boolean {
    const asked = this.#asked.get(instrument)
    if (asked === undefined) {
      this.#asked.set(instrument, { at: now, waitUs: EVERY_US })
      return true
    }
    const since = now - asked.at
    if (since < (why === 'gap' ? EVERY_US : asked.waitUs)) return false
    // One that was not shallow as soon as it might be asked for had grown meanwhile.
    const stays = why === 'shallow' && since < 2 * asked.waitUs
    asked.waitUs = stays ? Math.min(2 * asked.waitUs, SHALLOW_MAX_US) : EVERY_US
    asked.at = now
    return true
  }
}
