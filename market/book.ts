import { Beyond } from './beyond.ts'
import { Ladder } from './ladder.ts'

/**
 * The levels of a snapshot or of a change. Sizes are absolute; a size of zero removes the level. The lists
 * are only lent: they may be views of memory that the next change is written to.
 */
export interface Levels {
  readonly bidPrices: ArrayLike<number>
  readonly bidSizes: ArrayLike<number>
  readonly askPrices: ArrayLike<number>
  readonly askSizes: ArrayLike<number>
}

/** How far a snapshot reaches. */
export interface Reach {
  /** Levels a side that it has at most; 0: it is the whole book. */
  readonly horizon: number
  /**
   * The venue goes on to say which levels enter and leave the horizon, so the best of that number are always
   * known.
   */
  readonly window: boolean
}

/** Why a book cannot be right, although no update is missing. */
export type Fault = '' | 'crossed' | 'beyond horizon'

/**
 * An order book, and how much of it is known. A snapshot of bounded depth says nothing about what lies beyond
 * its worst price, and a change there tells of one level only, whose neighbours are unknown. So a side has a
 * bound, levels beyond it are not kept, and every level that is kept is right. Binance's REST snapshots are
 * so bounded; Bybit's streams keep a window of N levels whole instead, whose far end is cut off here as the
 * venue asks.
 *
 * @see
 * https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
 * @see https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
 */
export class Book {
  readonly #bids: Side
  readonly #asks: Side
  readonly #best = new Float64Array(4)

  /** Beyond `depthMax` levels a side, the far ones are forgotten, and the bound moves in. */
  constructor(depthMax: number) {
    this.#bids = new Side('bid', depthMax)
    this.#asks = new Side('ask', depthMax)
  }

  get bids(): Ladder {
    return this.#bids.levels
  }

  get asks(): Ladder {
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

  /** Best bid, its size, best ask, its size; NaN on an empty side. It is lent, until the next look. */
  best(): Float64Array {
    this.#bids.levels.best(this.#best, 0)
    this.#asks.levels.best(this.#best, 2)
    return this.#best
  }

  get fault(): Fault {
    if (this.#bids.lost || this.#asks.lost) return 'beyond horizon'
    const best = this.best()
    return best[0]! >= best[2]! ? 'crossed' : ''
  }

  /** Levels a side that are known to be right. */
  get trustedDepth(): number {
    return Math.min(this.bids.count, this.asks.count)
  }

  /** Memory that it holds for its levels. */
  get bytes(): number {
    return this.#bids.bytes + this.#asks.bytes
  }

  save(): SavedBook {
    return [this.#bids.save(), this.#asks.save()]
  }

  load([bids, asks]: SavedBook): void {
    this.#bids.load(bids)
    this.#asks.load(asks)
  }
}

export type SavedBook = readonly [SavedSide, SavedSide]
interface SavedSide {
  readonly levels: readonly number[]
  readonly bound: number | null
  readonly window: number
  readonly since: number
  /** `[price, size, id, price, size, id, ...]` */
  readonly beyond: readonly number[]
}

class Side {
  readonly levels: Ladder
  readonly #depthMax: number
  /** The worst price of which everything is known; null when all of the side is. */
  #bound: number | null = null
  /** How many levels the venue keeps us told about; 0 when it is not a window. */
  #window = 0
  /**
   * What has changed beyond the bound after the id `#since`: with it an older snapshot can move the bound
   * out.
   */
  readonly #beyond = new Beyond()
  #since = 0

  constructor(side: 'bid' | 'ask', depthMax: number) {
    this.levels = new Ladder(side)
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
    // Venues list the best level first, and so the ladder is placed once.
    for (let i = 0; i < prices.length; i++) this.levels.take(prices, sizes, i)
    this.#bound = window ? null : this.#end(prices, horizon)
    this.#trim(id)
  }

  apply(prices: ArrayLike<number>, sizes: ArrayLike<number>, id: number | null): void {
    for (let i = 0; i < prices.length; i++) {
      if (this.#knows(prices[i]!)) this.levels.take(prices, sizes, i)
      else if (id !== null) this.#beyond.take(prices, sizes, i, id)
    }
    if (this.#beyond.count > BEYOND_MAX) this.#forget(id)
    this.#trim(id)
  }

  deepen(prices: ArrayLike<number>, sizes: ArrayLike<number>, id: number, horizon: number): void {
    const before = this.#bound
    const bound = this.#end(prices, horizon)
    if (before === null || id < this.#since || (bound !== null && !this.levels.worse(bound, before))) return
    this.#bound = bound
    for (let i = 0; i < prices.length; i++)
      if (this.levels.worse(prices[i]!, before)) this.levels.take(prices, sizes, i)
    this.#beyond.keep((price, size, changed) => {
      if (!this.#knows(price)) return true
      if (changed > id) this.levels.set(price, size)
      return false
    })
  }

  get bytes(): number {
    return this.levels.bytes + this.#beyond.bytes
  }

  /** The best price has left what is known. */
  get lost(): boolean {
    return this.#bound !== null && this.levels.count === 0
  }

  save(): SavedSide {
    return {
      levels: this.levels.save(),
      bound: this.#bound,
      window: this.#window,
      since: this.#since,
      beyond: this.#beyond.save(),
    }
  }

  load({ levels, bound, window, since, beyond }: SavedSide): void {
    this.levels.load(levels)
    this.#bound = bound
    this.#window = window
    this.#since = since
    this.#beyond.load(beyond)
  }

  /** A snapshot that has as many levels as it may is cut off at its worst price. */
  #end(prices: ArrayLike<number>, horizon: number): number | null {
    if (horizon === 0 || prices.length < horizon) return null
    let end = prices[0]!
    for (let i = 1; i < prices.length; i++) if (this.levels.worse(prices[i]!, end)) end = prices[i]!
    return end
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
