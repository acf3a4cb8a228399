import { Bitmap } from './ladder-bitmap.ts'
import { finer } from './ladder-scale.ts'
import type { Scale } from './ladder-scale.ts'
import { Tail } from './ladder-tail.ts'

/**
 * One side of an order book. The best levels stand in a window that has a place for each tick, so that a
 * change costs the same wherever it is, with a bitmap of the places that are taken. What is worse than all of
 * the window stands in a tail; the window moves when the best price leaves it or comes near its far end, and
 * grows where much happens beside it. Level 0 is the best. Nothing is ever dropped unasked.
 *
 * The tick is learnt from the prices, and is made finer by a price that is no multiple of it. Where a price
 * has no exact tick (no venue prints such ones), all are in the tail until it is cleared: slower, not wrong.
 */
export class Ladder {
  readonly #sign: 1 | -1
  readonly #tail: Tail
  #bitmap = new Bitmap(WIDTH_MIN)
  #sizes = new Float64Array(WIDTH_MIN)
  /** Places of the window; 0: it is not placed, and every level is in the tail. */
  #width = 0
  /** A price that no scale fits was met. */
  #odd = false
  #scale: Scale | undefined
  /** `(#base + place) * #step / #unit` is the price of a place, which rises to the better side. */
  #base = 0
  #step = 0
  #unit = 1
  /** About `1 / (#step / #unit)`: what it finds is checked by the exact price. */
  #rate = 0
  /** The place of the best level; -1: the window is empty. */
  #best = -1
  #near = 0
  /** Reading goes from level to level: the level and place that were read last; -1: none since a change. */
  #readLevel = -1
  #readPlace = -1
  /** Changes in the window, and beside it where twice the window would have held them. */
  #hits = 0
  #misses = 0

  constructor(side: 'bid' | 'ask') {
    this.#sign = side === 'bid' ? 1 : -1
    this.#tail = new Tail(this.#sign)
  }

  get count(): number {
    return this.#near + this.#tail.count
  }

  /** Levels that stand in the window. */
  get near(): number {
    return this.#near
  }

  /** Memory that it holds for its levels. */
  get bytes(): number {
    return this.#sizes.byteLength + this.#bitmap.bytes + this.#tail.bytes
  }

  /** NaN where there is no such level. */
  price(level: number): number {
    return level < this.#near ? this.#price(this.#place(level)) : this.#tail.price(level - this.#near)
  }

  /** 0 where there is no such level. */
  size(level: number): number {
    return level < this.#near ? this.#sizes[this.#place(level)]! : this.#tail.size(level - this.#near)
  }

  /** Write price and size of the best level there; NaN where there is none. */
  best(into: Float64Array, at: number): void {
    if (this.#near > 0) {
      into[at] = ((this.#base + this.#best) * this.#step) / this.#unit + 0
      into[at + 1] = this.#sizes[this.#best]!
    } else {
      into[at] = this.#tail.price(0)
      into[at + 1] = this.#tail.count > 0 ? this.#tail.size(0) : NaN
    }
  }

  /** Put a level, or remove it with a size of zero. To remove what is not there is no error: venues do it. */
  set(price: number, size: number): void {
    PRICE[0] = price
    SIZE[0] = size
    this.take(PRICE, SIZE, 0)
  }

  /**
   * Put or remove the level of that index in two lists. Here and in `best`, no double is passed or returned,
   * because such ones are boxed where the compiler does not inline.
   */
  take(prices: ArrayLike<number>, sizes: ArrayLike<number>, index: number): void {
    const price = prices[index]!
    const at = price * this.#rate - this.#base + 0.5
    const place = at | 0
    const exact = ((this.#base + place) * this.#step) / this.#unit === price
    if (at >= 0 && at < this.#width && exact) {
      const size = sizes[index]!
      this.#sizes[place] = size
      this.#mark(place, +(size !== 0))
    } else {
      this.#beside(prices, sizes, index)
    }
  }

  /** Is a price farther from the other side than another price? */
  worse(price: number, than: number): boolean {
    return (price - than) * this.#sign < 0
  }

  /** Keep only so many of the best levels. */
  keep(levels: number): void {
    const excess = this.count - levels
    if (excess <= 0) return
    this.#tail.drop(Math.min(excess, this.#tail.count))
    let place = this.#bitmap.from(0)
    while (this.#near > levels) place = this.#cut(place)
  }

  /** The tick is forgotten, too: it may have become coarser. */
  clear(): void {
    this.#empty()
    this.#tail.clear()
    this.#width = 0
    this.#odd = false
    this.#scale = undefined
  }

  /** `[price, size, price, size, ...]`, from the worst. */
  save(): number[] {
    const saved = this.#tail.save()
    for (let place = this.#bitmap.from(0); place >= 0; place = this.#bitmap.from(place + 1))
      saved.push(this.#price(place), this.#sizes[place]!)
    return saved
  }

  load(saved: readonly number[]): void {
    this.clear()
    // The best first, so that the window is placed once.
    for (let i = saved.length - 2; i >= 0; i -= 2) this.set(saved[i]!, saved[i + 1]!)
  }

  /** The very double that was given: one rounding of an exact quotient. A zero has no sign. */
  #price(place: number): number {
    return ((this.#base + place) * this.#step) / this.#unit + 0
  }

  /** A level of the window came or stays (1), or goes (0). */
  #mark(place: number, taken: number): void {
    this.#near += taken - this.#bitmap.set(place, taken)
    this.#readLevel = -1
    this.#hits = (this.#hits + 1) & HITS_MAX
    if (place < this.#best) return
    if (taken === 1) this.#best = place
    else if (place === this.#best) this.#sink(place)
  }

  /** The best level is gone. Where the next one is near the far end, the window follows it. */
  #sink(place: number): void {
    this.#best = this.#bitmap.below(place)
    if (this.#best >= this.#width >> 2) return
    if (this.#best >= 0) this.#move(this.#width * HEIGHT - this.#best)
    this.#fill()
  }

  /** Move the window by so many places; the worst of its levels may go to the tail. */
  #move(by: number): void {
    this.#bitmap.move(by, (place, to) => {
      if (to >= 0) this.#sizes[to] = this.#sizes[place]!
      else this.#tail.push(this.#price(place), this.#sizes[place]!)
      if (to < 0) this.#near--
    })
    this.#base -= by
    this.#best = this.#near > 0 ? this.#best + by : -1
    this.#readLevel = -1
  }

  /** Remove the worst level of the window, and find the next one. */
  #cut(place: number): number {
    this.#bitmap.set(place, 0)
    this.#near--
    this.#readLevel = -1
    if (this.#near === 0) this.#best = -1
    return this.#bitmap.from(place + 1)
  }

  /** The place of a level of the window. */
  #place(level: number): number {
    if (level === 0) return this.#best
    const on = this.#readLevel >= 0 && this.#readLevel <= level
    let place = on ? this.#readPlace : this.#best
    for (let i = on ? this.#readLevel : 0; i < level; i++) place = this.#bitmap.below(place)
    this.#readLevel = level
    this.#readPlace = place
    return place
  }

  /** A price that has no place: worse than the window, better than it, or no multiple of the tick. */
  #beside(prices: ArrayLike<number>, sizes: ArrayLike<number>, index: number): void {
    const at = prices[index]! * this.#rate - this.#base + 0.5
    const worse = at < 0 && this.#near > 0
    if (this.#odd || worse) {
      this.#tail.take(prices, sizes, index)
      if (worse && at >= -this.#width) this.#miss()
    } else if (sizes[index] !== 0) {
      const exact = this.#price(at | 0) === prices[index]
      if (exact && this.#near > 0 && at < 2 * this.#width) this.#move(this.#width * HEIGHT - (at | 0))
      else this.#spill()
      this.#tail.take(prices, sizes, index)
      this.#fill()
    }
  }

  /** A change that twice the window would have had. Where they are many, it is made so. */
  #miss(): void {
    if (++this.#misses < this.#width >> 2) return
    const often = this.#misses * OFTEN > this.#hits
    this.#misses = 0
    this.#hits = 0
    if (!often || this.#width === WIDTH_MAX) return
    this.#spill()
    this.#sizes = new Float64Array(this.#width * 2)
    this.#bitmap = new Bitmap(this.#width * 2)
    this.#fill()
  }

  /** Put the window's levels into the tail: all of them are better than what is there. */
  #spill(): void {
    for (let place = this.#bitmap.from(0); place >= 0; place = this.#bitmap.from(place + 1))
      this.#tail.push(this.#price(place), this.#sizes[place]!)
    this.#empty()
  }

  #empty(): void {
    this.#bitmap.clear()
    this.#near = 0
    this.#best = -1
    this.#readLevel = -1
  }

  /** Take from the tail what the window holds; one that is empty is placed by the best level. */
  #fill(): void {
    while (this.#tail.count > 0) {
      const best = this.#tail.price(0)
      if (this.#near === 0) {
        if (this.#scale === undefined && !this.#refine(best)) return
        this.#width = this.#sizes.length
        this.#base = Math.round(best * this.#rate) - this.#width * HEIGHT
      }
      if (this.#pull()) return
      const misfit = this.#tail.price(0)
      this.#spill()
      if (!this.#refine(misfit)) return
    }
  }

  /** False: the next level is no multiple of the tick. */
  #pull(): boolean {
    while (this.#tail.count > 0) {
      const price = this.#tail.price(0)
      const at = price * this.#rate - this.#base + 0.5
      if (at < 0) return true
      const place = at | 0
      if (!(at < this.#width && this.#price(place) === price)) return false
      this.#sizes[place] = this.#tail.size(0)
      this.#mark(place, 1)
      this.#tail.pop()
    }
    return true
  }

  /** Make the tick finer. False: nothing fits this price, and no window is placed from now on. */
  #refine(price: number): boolean {
    const before = this.#scale
    const after = finer(before, price)
    this.#odd = after === undefined || (after.step === before?.step && after.unit === before.unit)
    if (after === undefined || this.#odd) {
      this.#width = 0
      return false
    }
    this.#scale = after
    this.#unit = after.unit
    this.#step = after.step * this.#sign
    this.#rate = this.#unit / this.#step
    return true
  }
}

/** 8 KiB of sizes: most books are quiet. */
const WIDTH_MIN = 2 ** 10
/** 512 KiB of sizes: nineteen of twenty changes of BTC-USDT, whose books are the widest in ticks. */
const WIDTH_MAX = 2 ** 16
/** Where in the window the best level is put: most that happens is on the worse side of it. */
const HEIGHT = 3 / 4
/** One in so many changes beside the window is often. */
const OFTEN = 16
const HITS_MAX = 2 ** 30 - 1
/** One level, in lists. */
const PRICE = new Float64Array(1)
const SIZE = new Float64Array(1)
