import type { Trade } from './event.ts'

/** Trades that happened within one stretch of time, added up. Plain data. */
export interface Bar {
  /** Its first microsecond. */
  readonly start: number
  open: number
  high: number
  low: number
  close: number
  volume: number
  turnover: number
  buyVolume: number
  trades: number
  /** The ids of the venue that it covers, where trades are numbered. */
  first: number | null
  last: number | null
  /**
   * When its first and its last trade were: trades do not always come in the order in which they happened.
   */
  openedAt: number
  closedAt: number
  /** How often it was emitted. */
  emitted: number
}

/** A bar of one trade. */
export const barOf = (start: number, { price, size, side, first, last, time }: Trade): Bar => ({
  start,
  open: price,
  high: price,
  low: price,
  close: price,
  volume: size,
  turnover: price * size,
  buyVolume: side === 'buy' ? size : 0,
  trades: 1,
  first,
  last,
  openedAt: time,
  closedAt: time,
  emitted: 0,
})

/**
 * Add a trade. Of trades of one microsecond the venue's ids say which was first, or else the order in which
 * they came.
 */
export const addTrade = (bar: Bar, { price, size, side, first, last, time }: Trade): void => {
  if (
    time < bar.openedAt ||
    (time === bar.openedAt && last !== null && bar.first !== null && last < bar.first)
  ) {
    bar.open = price
    bar.openedAt = time
  }
  if (
    time > bar.closedAt ||
    (time === bar.closedAt && !(first !== null && bar.last !== null && first < bar.last))
  ) {
    bar.close = price
    bar.closedAt = time
  }
  bar.high = Math.max(bar.high, price)
  bar.low = Math.min(bar.low, price)
  bar.volume += size
  bar.turnover += price * size
  bar.buyVolume += side === 'buy' ? size : 0
  bar.trades++
  bar.first = lower(bar.first, first)
  bar.last = higher(bar.last, last)
}

const lower = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.min(a, b)
const higher = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.max(a, b)
