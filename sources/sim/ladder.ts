/** One side of a true book: prices in ticks, sizes in lots. */
export type Side = 'bid' | 'ask'

/** One price level. */
export interface Level {
  readonly tick: number
  readonly lots: number
}

/**
 * One side of a true order book.
 *
 * Ticks are kept sorted worst first, so that the busy end is the end of the array, where inserting is cheap.
 */
export class Ladder {
  readonly side: Side
  readonly #sign: number
  readonly #ticks: number[] = []
  readonly #lots = new Map<number, number>()

  constructor(side: Side) {
    this.side = side
    this.#sign = side === 'bid' ? 1 : -1
  }

  /** How many levels it holds. */
  get size(): number {
    return this.#ticks.length
  }

  /** Best tick, or undefined when the side is empty. */
  get best(): number | undefined {
    return this.#ticks[this.#ticks.length - 1]
  }

  /** Worst tick, or undefined when the side is empty. */
  get worst(): number | undefined {
    return this.#ticks[0]
  }

  /** Lots at a tick, 0 when there are none. */
  at(tick: number): number {
    return this.#lots.get(tick) ?? 0
  }

  /** The tick at a rank from the best (0). */
  ranked(rank: number): number | undefined {
    return this.#ticks[this.#ticks.length - 1 - rank]
  }

  /** Sets the lots at a tick; 0 removes the level. Returns whether anything changed. */
  set(tick: number, lots: number): boolean {
    const before = this.#lots.get(tick)
    if (lots === (before ?? 0)) return false
    if (lots === 0) {
      this.#lots.delete(tick)
      this.#ticks.splice(this.#position(tick), 1)
      return true
    }
    this.#lots.set(tick, lots)
    if (before === undefined) this.#ticks.splice(this.#position(tick), 0, tick)
    return true
  }

  /** The best `count` levels, best first. */
  top(count: number): readonly Level[] {
    const levels: Level[] = []
    const last = this.#ticks.length - 1
    for (let i = last; i >= 0 && last - i < count; i--) {
      const tick = this.#ticks[i] ?? 0
      levels.push({ tick, lots: this.at(tick) })
    }
    return levels
  }

  #position(tick: number): number {
    let low = 0
    let high = this.#ticks.length
    const key = tick * this.#sign
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ticks[middle] ?? 0) * this.#sign < key) low = middle + 1
      else high = middle
    }
    return low
  }
}
