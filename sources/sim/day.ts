import type { Listing } from './universe.ts'

/** What a symbol looks back on when the world starts. */
export interface Past {
  /** Price at which the day began, and the last one, in ticks. */
  readonly openTick: number
  readonly lastTick: number
  readonly lots: number
  readonly trades: number
}

const dayMs = 86_400_000

/**
 * The last 24 hours of a symbol, as its ticker tells them.
 *
 * Sums forget at the mean rate at which a day does, so that they stay near a day's worth without remembering
 * every trade of it.
 */
export class Day {
  readonly openTick: number
  highTick: number
  lowTick: number
  lastTick: number
  lastLots: number
  #lots: number
  #turnover: number
  #trades: number
  #timeMs: number
  /** What one lot costs at a price of one tick, and how many lots are one unit. */
  readonly #tickLot: number
  readonly #lotsPerUnit: number

  constructor(listing: Listing, past: Past, startMs: number) {
    const { tickUnits, priceDecimals, lotUnits, sizeDecimals } = listing
    this.#tickLot = (tickUnits * lotUnits) / 10 ** (priceDecimals + sizeDecimals)
    this.#lotsPerUnit = 10 ** sizeDecimals / lotUnits
    this.openTick = past.openTick
    this.lastTick = past.lastTick
    this.lastLots = past.trades > 0 ? 1 : 0
    this.highTick = Math.ceil(Math.max(past.openTick, past.lastTick) * 1.01)
    this.lowTick = Math.max(1, Math.floor(Math.min(past.openTick, past.lastTick) * 0.99))
    this.#lots = past.lots
    this.#trades = past.trades
    this.#turnover = past.lots * past.lastTick * this.#tickLot
    this.#timeMs = startMs
  }

  get lots(): number {
    return Math.round(this.#lots)
  }

  get trades(): number {
    return Math.round(this.#trades)
  }

  /** In the quote currency. */
  get turnover(): number {
    return this.#turnover
  }

  /** Mean price by volume, in the quote currency; 0 when nothing traded. */
  get meanPrice(): number {
    return this.#lots === 0 ? 0 : (this.#turnover / this.#lots) * this.#lotsPerUnit
  }

  /** The change of the price as a part of where it began. */
  get change(): number {
    return (this.lastTick - this.openTick) / this.openTick
  }

  /** Takes over an execution. */
  add(tick: number, lots: number, timeMs: number): void {
    const kept = 1 - Math.min(1, (timeMs - this.#timeMs) / dayMs)
    this.#timeMs = timeMs
    this.#lots = this.#lots * kept + lots
    this.#turnover = this.#turnover * kept + lots * tick * this.#tickLot
    this.#trades = this.#trades * kept + 1
    this.lastTick = tick
    this.lastLots = lots
    if (tick > this.highTick) this.highTick = tick
    if (tick < this.lowTick) this.lowTick = tick
  }
}
