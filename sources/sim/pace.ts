import type { VenueName } from './universe.ts'

/** How often things happen at one symbol, per millisecond. */
export interface Pace {
  readonly trades: number
  readonly changes: number
}

const share: Readonly<Record<VenueName, number>> = {
  'binance.spot': 1, 'binance.usdm': 1.6, 'bybit.linear': 0.9, 'bybit.spot': 0.3,
}

/** Trades are this part of what happens; the rest are orders placed and withdrawn. */
const tradePart = 0.4

/**
 * The pace of every symbol, so that a client of all trades, books and marks receives `rate` frames a second.
 *
 * Activity falls with the rank of the pair as it does on real venues (Zipf, exponent 0.9). Frames do not
 * grow in proportion to activity, because books are published at a cadence, so the level of activity is
 * found by bisection.
 */
export function paces(
  symbols: readonly { readonly venue: VenueName; readonly rank: number }[], rate: number,
): readonly Pace[] {
  const weights = symbols.map(({ venue, rank }) => share[venue] / (rank + 1) ** 0.9)
  let low = 0
  let high = Math.max(1, rate) * 100
  for (let i = 0; i < 60; i++) {
    const level = (low + high) / 2
    let frames = 0
    for (let s = 0; s < symbols.length; s++) {
      frames += framesPerSecond(symbols[s]?.venue ?? 'binance.spot', level * (weights[s] ?? 0))
    }
    if (frames < rate) low = level
    else high = level
  }
  return weights.map((weight) => ({
    trades: (low * weight * tradePart) / 1000,
    changes: (low * weight * (1 - tradePart)) / 1000,
  }))
}

/** Frames a second of one symbol at which `activity` things happen a second. */
function framesPerSecond(venue: VenueName, activity: number): number {
  const trades = activity * tradePart
  if (venue === 'binance.spot') return trades * fillsPerTrade + filled(activity, 0.1)
  if (venue === 'binance.usdm') return trades * fillsPerTrade + filled(activity, 0.1) + 1
  if (venue === 'bybit.spot') return filled(trades, 0.01) + filled(activity, 0.02) + 1
  return filled(trades, 0.01) + filled(activity, 0.02) + filled(activity, 0.1)
}

/** A market order is on average filled by this many resting ones. */
const fillsPerTrade = 1.4

/** Windows of `seconds` a second in which at least one of `rate` events a second falls. */
function filled(rate: number, seconds: number): number {
  return (1 - Math.exp(-rate * seconds)) / seconds
}
