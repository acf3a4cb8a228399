import { Backlog } from './backlog.ts'
import type { Pending } from './backlog.ts'
import { Book } from './book.ts'
import type { Levels, SavedBook } from './book.ts'
import type { BookDelta, Quote, Trust } from './event.ts'
import { Holes, gapRow } from './hole.ts'
import type { Hole, Moment } from './hole.ts'
import { LastQuote } from './last-quote.ts'
import { continues, follows } from './sequence.ts'
import type { Position } from './sequence.ts'
import { causeOf } from './session.ts'
import type { Cause } from './session.ts'
import type { Control, Gap } from './system.ts'

/**
 * Our copy of one order book, and whether it may be acted on.
 *
 * - `syncing`: no snapshot yet. `gap`: changes are missing, or the book contradicts itself. In both, changes
 *   wait in a backlog, and a snapshot heals: one within the stream at once, one that was asked for over REST
 *   iff every change since it is in the backlog. An older one is left alone: the next one will do.
 * - `stale`: the copy was right, and something may have been missed since: the session went down, we
 *   restarted, frames were dropped, it is silent. A change that continues the copy proves that nothing was,
 *   and so heals it; so does a snapshot. That a session is up again proves nothing.
 * - `live`: every id since the snapshot was applied, by the one gap rule.
 *
 * A book that is right takes a snapshot only to know more levels. One in the middle of the stream may be
 * ahead of it; changes up to its id are then repeats. Should the stream not catch up, the copy stands still
 * while it claims to live, so after some seconds that is a gap, too.
 *
 * @see
 * https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
 */
export class Replica {
  source = ''
  readonly instrument: string
  readonly #book: Book
  readonly #backlog = new Backlog()
  #trust: Trust = 'syncing'
  #why = 'no snapshot yet'
  /** The ids of the newest change in the book. */
  #first: number | null = null
  #last: number | null = null
  /** Where the stream is: behind a snapshot, or ahead of a broken book. */
  #heard: { last: number; time: number } | null = null
  /** When a snapshot was last taken, by our clock. */
  #seeded = 0
  #down = false
  #cause: Cause = 'lost'
  readonly #holes = new Holes()
  readonly #shown: LastQuote

  constructor(instrument: string, depthMax: number) {
    this.instrument = instrument
    this.#shown = new LastQuote(instrument)
    this.#book = new Book(depthMax)
  }

  /** Take a snapshot or a change. */
  take(row: BookDelta): void {
    if (!row.snapshot) this.#change(row)
    else if (row.origin === 'stream') this.#begin(row)
    else this.#splice(row)
    if (this.#held && this.#book.fault !== '') this.#set('gap', this.#book.fault)
  }

  /** Take what happened to the session. True when trust may have changed. */
  hear(kind: Control['kind']): boolean {
    this.#cause = causeOf(this.#cause, kind)
    if (kind === 'down' || kind === 'up' || kind === 'start') this.#down = kind === 'down'
    const doubt = DOUBTS[kind]
    if (doubt !== undefined && this.#held) this.#set('stale', doubt)
    else if (kind === 'stale' && this.#trust === 'live') this.#set('stale', SILENT)
    else if (kind === 'live' && this.#why === SILENT) this.#set('live', '')
    else return false
    return true
  }

  /** Holes that are closed since the last call: the book is whole again. */
  healed(at: Moment): readonly Gap[] {
    if (this.#trust !== 'live') return NONE
    const holes = this.#holes.close()
    return holes.length === 0
      ? NONE
      : holes.map((hole) => gapRow(this.instrument, 'bookDelta', 'healed', hole, at))
  }

  /** The quote, when there is news. It is lent, until the next one. */
  news(at: Moment): Quote | undefined {
    return this.#shown.next(this.#book, this.#trust, this.#why, this.#first, this.#last, at)
  }

  /** Memory that it holds for the levels of its book. */
  get bytes(): number {
    return this.#book.bytes
  }

  save(): SavedReplica {
    return {
      source: this.source,
      trust: this.#trust,
      why: this.#why,
      first: this.#first,
      last: this.#last,
      heard: this.#heard && { ...this.#heard },
      seeded: this.#seeded,
      down: this.#down,
      cause: this.#cause,
      holes: this.#holes.save(),
      shown: this.#shown.save(),
      book: this.#book.save(),
      backlog: this.#backlog.save(),
    }
  }

  static load(saved: SavedReplica, instrument: string, depthMax: number): Replica {
    const replica = new Replica(instrument, depthMax)
    replica.source = saved.source
    replica.#trust = saved.trust
    replica.#why = saved.why
    replica.#first = saved.first
    replica.#last = saved.last
    replica.#heard = saved.heard && { ...saved.heard }
    replica.#seeded = saved.seeded
    replica.#down = saved.down
    replica.#cause = saved.cause
    replica.#holes.load(saved.holes)
    replica.#shown.load(saved.shown)
    replica.#book.load(saved.book)
    replica.#backlog.load(saved.backlog)
    return replica
  }

  /** The copy is right at its id, whether or not anything was missed since. */
  get #held(): boolean {
    return this.#trust === 'live' || this.#trust === 'stale'
  }

  #set(trust: Trust, why: string): void {
    this.#trust = trust
    this.#why = why
  }

  #change(row: BookDelta): void {
    const { last } = row
    if (last === null) {
      // Without numbers nothing but an unbroken session tells that a change continues the book.
      if (this.#trust === 'live' || this.#why === SILENT) this.#apply(row, row.first, last)
      return
    }
    const first = row.first ?? last
    const found = this.#heard === null ? 'apply' : follows(this.#heard, first, last, row.time)
    if (found === 'repeat') return
    if (found !== 'apply') this.#miss(row, found === 'gap' ? first - 1 : null)
    this.#hears(row, last)
    if (found === 'renumbered') this.#set('gap', 'renumbered')
    const verdict = this.#held && this.#last !== null ? continues(this.#last, first, last) : 'wait'
    if (verdict === 'apply') this.#apply(row, first, last)
    else if (verdict === 'gap') this.#set('gap', 'changes missing')
    else if (verdict === 'repeat' && row.received > this.#seeded + BEHIND_MAX)
      this.#set('gap', 'stream behind snapshot')
    if (!this.#held) this.#backlog.add(row, first, last)
  }

  /** A whole book within the stream: also the numbering goes on from it. */
  #begin(row: BookDelta): void {
    const { last } = row
    const heard = this.#heard
    if (last === null) {
      this.#seed(row, true)
      return
    }
    if (heard !== null && last < heard.last) {
      // Another connection's older snapshot, or a new numbering: the venue's clock tells them apart.
      if (row.time <= heard.time) {
        this.#splice(row)
        return
      }
      this.#miss(row, null)
    } else if (heard !== null && (row.first ?? last) > heard.last + 1) {
      this.#miss(row, (row.first ?? last) - 1)
    }
    this.#hears(row, last)
    this.#seed(row, true)
    this.#set('live', '')
  }

  /** A whole book of which it must be shown that it goes together with the stream. */
  #splice(row: BookDelta): void {
    const { last } = row
    if (last !== null) {
      // Binance answers -1 for a symbol that has no book yet.
      if (last < 0) return
      const reach = { horizon: row.horizon, window: false }
      if (this.#held && this.#last !== null && last < this.#last) return this.#book.deepen(row, last, reach)
      if (this.#trust === 'live' && !this.#deepens(row)) return
      const heard = this.#held
        ? Math.max(this.#last ?? -1, this.#heard?.last ?? -1)
        : (this.#heard?.last ?? -1)
      if (last + 1 < (this.#backlog.first ?? heard + 1)) return
    }
    const waiting = this.#backlog.changes
    this.#seed(row, row.origin === 'stream')
    for (const change of waiting) {
      if (this.#last !== null && continues(this.#last, change.first, change.last) === 'apply')
        this.#apply(change, change.first, change.last)
    }
    if (this.#down) this.#set('stale', SESSION_DOWN)
    else this.#set('live', '')
  }

  #deepens({ horizon, bidPrices, askPrices }: BookDelta): boolean {
    return horizon === 0 || Math.min(bidPrices.length, askPrices.length) > this.#book.trustedDepth
  }

  #seed(row: BookDelta, within: boolean): void {
    this.#book.seed(row, row.last, { horizon: row.horizon, window: within && row.horizon > 0 })
    this.#backlog.clear()
    this.#first = row.first ?? row.last
    this.#last = row.last
    this.#seeded = row.received
    this.#set('live', '')
  }

  #apply(levels: Levels, first: number | null, last: number | null): void {
    this.#book.apply(levels, last)
    this.#first = first
    this.#last = last
    this.#set('live', '')
  }

  #hears(row: BookDelta, last: number): void {
    const heard = (this.#heard ??= { last, time: row.time })
    heard.last = last
    heard.time = row.time
    this.#cause = 'lost'
  }

  /** Changes are missing between what was heard and a row; what waits is no longer without a hole. */
  #miss(row: BookDelta, last: number | null): void {
    const heard = this.#heard!
    this.#backlog.clear()
    const cause = last === null && this.#cause === 'lost' ? 'venue' : this.#cause
    const ids = last === null ? { first: null, last: null } : { first: heard.last + 1, last }
    this.#holes.add({ ...ids, fromTime: heard.time, toTime: row.time, cause })
  }
}

export interface SavedReplica {
  readonly source: string
  readonly trust: Trust
  readonly why: string
  readonly first: number | null
  readonly last: number | null
  readonly heard: Position | null
  readonly seeded: number
  readonly down: boolean
  readonly cause: Cause
  readonly holes: readonly Hole[]
  readonly shown: Quote | null
  readonly book: SavedBook
  readonly backlog: readonly Pending[]
}

const NONE: readonly Gap[] = []
const SESSION_DOWN = 'session down'
const SILENT = 'silent'
const DOUBTS: { readonly [K in Control['kind']]?: string } = {
  start: 'restarted',
  down: SESSION_DOWN,
  drop: 'frames dropped',
}
/** Five seconds: a stream may be so far behind a snapshot that was asked for. */
const BEHIND_MAX = 5_000_000
