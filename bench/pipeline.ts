import type { MarketFrame } from './frames.ts'

/**
 * How far a pipeline goes: columns of trades, of book changes, of both; `best` rebuilds books and writes
 * nothing but best bids and asks; `all` writes trades, changes and best prices.
 */
export type Reach = 'trade' | 'book' | 'columns' | 'best' | 'all'

/** A way from a frame to rows; `end` returns what it has made, so that nothing is optimized away. */
export interface Pipeline {
  readonly name: string
  readonly take: (frame: MarketFrame) => void
  readonly end: () => Ended
}

/** What a pipeline has made, to compare it with another's. */
export interface Ended {
  readonly trades: number
  readonly deltas: number
  readonly bytes: number
  /** Of the book that changed last; NaN without one. */
  readonly bid: number
  readonly ask: number
}

/** What two pipelines that took the same frames must agree on. */
export const agree = (what: string, ours: Ended, theirs: Ended, keys: readonly (keyof Ended)[]): void => {
  const differ = keys.filter((key) => !Object.is(ours[key], theirs[key]))
  if (differ.length === 0) return
  const shown = differ.map((key) => `${key}: ${ours[key]} here, ${theirs[key]} there`).join('; ')
  throw new Error(`${what}: the pipelines do not agree: ${shown}`)
}
