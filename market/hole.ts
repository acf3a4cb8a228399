import { parseInstrument } from './instrument.ts'
import type { Gap } from './system.ts'

/** What is missing between two rows. Without ids it is not proven that anything is. */
export type Hole = Pick<Gap, 'first' | 'last' | 'fromTime' | 'toTime' | 'cause'>

/** When something was found out, by the clock of the venue and by ours. */
export interface Moment {
  readonly time: number
  readonly received: number
}

/** A row of the gap ledger. */
export const gapRow = (
  instrument: string,
  channel: string,
  event: Gap['event'],
  hole: Hole,
  { time, received }: Moment,
): Gap => ({
  venue: parseInstrument(instrument).venue,
  instrument,
  channel,
  event,
  proof: hole.first === null ? 'possible' : 'proven',
  first: hole.first,
  last: hole.last,
  fromTime: hole.fromTime,
  toTime: hole.toTime,
  cause: hole.cause,
  repair: channel === 'bookDelta' ? 'seed' : 'none',
  time,
  received,
})

/** The holes of one book until it is whole again. Beyond 64 of them the newest are taken for one. */
export class Holes {
  #open: Hole[] = []

  add(hole: Hole): void {
    this.#open.push(hole)
    if (this.#open.length <= HOLES_MAX) return
    const newest = this.#open.pop()!
    const before = this.#open.pop()!
    const numbered = before.first !== null && newest.last !== null
    this.#open.push({
      first: numbered ? before.first : null,
      last: numbered ? newest.last : null,
      fromTime: before.fromTime,
      toTime: newest.toTime,
      cause: newest.cause,
    })
  }

  /** The book is whole: what there was is handed over. */
  close(): readonly Hole[] {
    if (this.#open.length === 0) return NONE
    const closed = this.#open
    this.#open = []
    return closed
  }

  save(): readonly Hole[] {
    return [...this.#open]
  }

  load(saved: readonly Hole[]): void {
    this.#open = [...saved]
  }
}

const HOLES_MAX = 64
const NONE: readonly Hole[] = []
