import type { Fault, Levels, Reach } from '../../market/book.ts'
import { ArrayLadder } from './array-ladder.ts'

/** A book on the plainest ladder and a map: the judge of the book of market/. */
export class PlainBook {
  readonly #bids: Side
  readonly #asks: Side

  /** Beyond `depthMax` levels a side, the far ones are forgotten, and the bound moves in. */
  constructor(depthMax: number) {
    this.#bids = new Side('bid', depthMax)
    this.#asks = new Side('ask', depthMax)
  }

  get bids(): ArrayLadder {
    return this.#bids.levels
  }

  get asks(): ArrayLadder {
    return this.#asks.levels
  }

  /** Replace all of it. */
  seed(levels: Levels, id: number | null, reach: Reach): void {
    this.#bids.seed(levels.bidPrices, levels.bidSizes, id, reach)
    this.#asks.seed(levels.askPrices, levels.askSizes, id, reach)
  }

  /** Change it, up to an id. Only after the whole change is a look at it worth anything. */
  apply(levels: Levels, id: number | null): void {
    this.#bids.apply(levels.bidPrices, levels.bidSizes, id)
    this.#asks.apply(levels.askPrices, levels.askSizes, id)
  }

  /** Learn from a snapshot at an older id what lies beyond the bounds. It changes nothing that is known. */
  deepen(levels: Levels, id: number, { horizon }: Reach): void {
    this.#bids.deepen(levels.bidPrices, levels.bidSizes, id, horizon)
    this.#asks.deepen(levels.askPrices, levels.askSizes, id, horizon)
  }

  get fault(): Fault {
    if (this.#bids.lost || this.#asks.lost) return 'beyond horizon'
    return this.bids.price(0) >= this.asks.price(0) ? 'crossed' : ''
  }

  /** Levels a side that are known to be right. */
  get trustedDepth(): number {
    return Math.min(this.bids.count, this.asks.count)
  }

  save(): Saved {
    return [this.#bids.save(), this.#asks.save()]
  }

  load([bids, asks]: Saved): void {
    this.#bids.load(bids)
    this.#asks.load(asks)
  }
}

type Saved = readonly [SavedSide, SavedSide]
interface SavedSide {
  readonly levels: readonly number[]
  readonly bound: number | null
  readonly window: number
  readonly since: number
  /** `[price, size, id, price, size, id, ...]` */
  readonly beyond: readonly number[]
}

/** What a level beyond the bound was changed to, and up to which id that is right. */
interface Change {
  readonly size: number
  readonly id: number
}

class Side {
  readonly levels: ArrayLadder
  readonly #depthMax: number
  /** The worst price of which everything is known; null when all of the side is. */
  #bound: number | null = null
  /** How many levels the venue keeps us told about; 0 when it is not a window. */
  #window = 0
  /**
   * What has changed beyond the bound after the id `#since`: with it an older snapshot can move the bound
   * out.
   */
  readonly #beyond = new Map<number, Change>()
  #since = 0

  constructor(side: 'bid' | 'ask', depthMax: number) {
    this.levels = new ArrayLadder(side)
    this.#depthMax = depthMax
  }

  seed(
    prices: ArrayLike<number>,
    sizes: ArrayLike<number>,
    id: number | null,
    { horizon, window }: Reach,
  ): void {
    this.levels.clear()
    this.#forget(id)
    this.#window = window ? horizon : 0
    // Venues list the best level first: from the far end, each one is put at the end of the ladder.
    for (let i = prices.length - 1; i >= 0; i--) this.levels.set(prices[i]!, sizes[i]!)
    this.#bound = window ? null : this.#end(prices, horizon)
    this.#trim(id)
  }

  apply(prices: ArrayLike<number>, sizes: ArrayLike<number>, id: number | null): void {
    for (let i = 0; i < prices.length; i++) {
      if (this.#knows(prices[i]!)) this.levels.set(prices[i]!, sizes[i]!)
      else if (id !== null) this.#beyond.set(prices[i]!, { size: sizes[i]!, id })
    }
    if (this.#beyond.size > BEYOND_MAX) this.#forget(id)
    this.#trim(id)
  }

  deepen(prices: ArrayLike<number>, sizes: ArrayLike<number>, id: number, horizon: number): void {
    const before = this.#bound
    const bound = this.#end(prices, horizon)
    if (before === null || id < this.#since || (bound !== null && !this.levels.worse(bound, before))) return
    this.#bound = bound
    for (let i = prices.length - 1; i >= 0; i--)
      if (this.levels.worse(prices[i]!, before)) this.levels.set(prices[i]!, sizes[i]!)
    for (const [price, change] of this.#beyond) {
      if (!this.#knows(price)) continue
      if (change.id > id) this.levels.set(price, change.size)
      this.#beyond.delete(price)
    }
  }

  /** The best price has left what is known. */
  get lost(): boolean {
    return this.#bound !== null && this.levels.count === 0
  }

  save(): SavedSide {
    const beyond = [...this.#beyond].flatMap(([price, { size, id }]) => [price, size, id])
    return {
      levels: this.levels.save(),
      bound: this.#bound,
      window: this.#window,
      since: this.#since,
      beyond,
    }
  }

  load({ levels, bound, window, since, beyond }: SavedSide): void {
    this.levels.load(levels)
    this.#bound = bound
    this.#window = window
    this.#since = since
    this.#beyond.clear()
    for (let i = 0; i < beyond.length; i += 3)
      this.#beyond.set(beyond[i]!, { size: beyond[i + 1]!, id: beyond[i + 2]! })
  }

  /** A snapshot that has as many levels as it may is cut off at its worst price. */
  #end(prices: ArrayLike<number>, horizon: number): number | null {
    if (horizon === 0 || prices.length < horizon) return null
    return Array.from(prices).reduce((end, price) => (this.levels.worse(price, end) ? price : end))
  }

  #knows(price: number): boolean {
    return this.#bound === null || !this.levels.worse(price, this.#bound)
  }

  #forget(id: number | null): void {
    this.#beyond.clear()
    this.#since = id ?? 0
  }

  /**
   * The slack of as much again lets levels come and go near the best without the bound moving in each time.
   */
  #trim(id: number | null): void {
    if (this.#window > 0) this.levels.keep(this.#window)
    if (this.levels.count <= 2 * this.#depthMax) return
    this.levels.keep(this.#depthMax)
    this.#bound = this.levels.price(this.#depthMax - 1)
    this.#forget(id)
  }
}

/** So many changed levels beyond the bound are remembered a side. */
const BEYOND_MAX = 8_000
