import type { Gap } from '../../market/system.ts'

type Ids = readonly [first: number, last: number] | null

/** A hole, what was made whole since (ids, and how many seconds later), and whether that heals it. */
interface GapCase {
  readonly hole: Ids
  readonly healed: readonly (readonly [ids: Ids, afterS: number])[]
  readonly state: 'open' | 'healed'
}

/** What both engines must agree on: a hole is healed by what contains it. */
export const GAP_CASES: Readonly<Record<string, GapCase>> = {
  none: { hole: [10, 19], healed: [], state: 'open' },
  same: { hole: [10, 19], healed: [[[10, 19], 1]], state: 'healed' },
  within: { hole: [10, 19], healed: [[[5, 30], 1]], state: 'healed' },
  edge: { hole: [10, 19], healed: [[[10, 18], 1]], state: 'open' },
  begun: { hole: [10, 19], healed: [[[11, 30], 1]], state: 'open' },
  halves: {
    hole: [10, 19],
    healed: [
      [[10, 14], 1],
      [[15, 19], 2],
    ],
    state: 'open',
  },
  apart: { hole: [10, 19], healed: [[[20, 29], 1]], state: 'open' },
  before: { hole: [10, 19], healed: [[[10, 19], -1]], state: 'open' },
  anew: { hole: [10, 19], healed: [[null, 1]], state: 'healed' },
  possible: { hole: null, healed: [[null, 1]], state: 'healed' },
  unnamed: { hole: null, healed: [[[1, 99], 1]], state: 'open' },
}

/** 2026-03-02 00:00 UTC, in microseconds. */
const DAY = 1_772_409_600_000_000

/** The rows of the gap ledger of all cases, one instrument each. */
export const gapCaseRows = (): readonly Gap[] =>
  Object.entries(GAP_CASES).flatMap(([name, { hole, healed }]) => {
    const row = (event: Gap['event'], ids: Ids, time: number): Gap => ({
      venue: 'cases',
      instrument: `cases:spot:${name.toUpperCase()}-USDT`,
      channel: 'bookDelta',
      event,
      proof: ids === null ? 'possible' : 'proven',
      first: ids?.[0] ?? null,
      last: ids?.[1] ?? null,
      fromTime: DAY,
      toTime: DAY,
      cause: 'lost',
      repair: 'seed',
      time,
      received: time,
    })
    const after = healed.map(([ids, afterS]) => row('healed', ids, DAY + afterS * 1_000_000))
    return [row('opened', hole, DAY), ...after]
  })

/** What the view must say of them: one line a case, by name. */
export const GAP_ANSWERS: readonly string[] = Object.entries(GAP_CASES)
  .map(([name, { state }]) => `cases:spot:${name.toUpperCase()}-USDT ${state}`)
  .toSorted()
