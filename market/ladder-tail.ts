import { hashOf } from './ladder-hash.ts'

/**
 * The levels of one side that its window does not hold: a hash table by price, because what changes there is
 * seldom looked at, and an order that is made when somebody asks for it, and kept while somebody does. Level
 * 0 is the best. Prices are passed as lists with an index, because a double that is passed is boxed.
 */
export class Tail {
  readonly #sign: 1 | -1
  /** Slots of the table; a size of 0: free. At most half of them are taken. */
  #prices = new Float64Array(2 * ROOM)
  #sizes = new Float64Array(2 * ROOM)
  /** From the worst to the best, so that what enters and leaves the window is at the end. */
  #order = new Float64Array(ROOM)
  #ordered = true
  /** Levels that came or went since the order was last asked for. */
  #unread = 0
  #count = 0

  /** `sign` is 1 where a higher price is better. */
  constructor(sign: 1 | -1) {
    this.#sign = sign
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#prices.byteLength + this.#sizes.byteLength + this.#order.byteLength
  }

  /** NaN where there is no such level. */
  price(level: number): number {
    if (level >= this.#count) return NaN
    this.#sort()
    return this.#order[this.#count - 1 - level]!
  }

  /** 0 where there is no such level. */
  size(level: number): number {
    if (level >= this.#count) return 0
    this.#sort()
    return this.#sizes[this.#slot(this.#order, this.#count - 1 - level)]!
  }

  /** Put the level of that index in two lists, or remove it with a size of zero. */
  take(prices: ArrayLike<number>, sizes: ArrayLike<number>, index: number): void {
    const size = sizes[index]!
    let slot = this.#slot(prices, index)
    const found = this.#sizes[slot] !== 0
    if (found && size !== 0) {
      this.#sizes[slot] = size
    } else if (found) {
      this.#free(slot)
      if (this.#keepsOrder()) this.#shift(this.#find(prices, index) + 1, -1)
      this.#count--
    } else if (size !== 0) {
      if (this.#grows()) slot = this.#slot(prices, index)
      this.#prices[slot] = prices[index]!
      this.#sizes[slot] = size
      if (this.#keepsOrder()) {
        const at = this.#find(prices, index)
        this.#shift(at, 1)
        this.#order[at] = prices[index]!
      }
      this.#count++
    }
  }

  /** Add a level that is better than all. */
  push(price: number, size: number): void {
    this.#grows()
    this.#order[this.#count] = price
    const slot = this.#slot(this.#order, this.#count++)
    this.#prices[slot] = price
    this.#sizes[slot] = size
  }

  /** Remove the best level. */
  pop(): void {
    this.#sort()
    this.#free(this.#slot(this.#order, --this.#count))
  }

  /** Remove so many of the worst levels. */
  drop(levels: number): void {
    if (levels === 0) return
    this.#sort()
    for (let i = 0; i < levels; i++) this.#free(this.#slot(this.#order, i))
    this.#shift(levels, -levels)
    this.#count -= levels
  }

  clear(): void {
    this.#sizes.fill(0)
    this.#count = 0
    this.#ordered = true
  }

  /** `[price, size, price, size, ...]`, from the worst. */
  save(): number[] {
    const saved: number[] = []
    for (let level = this.#count - 1; level >= 0; level--) saved.push(this.price(level), this.size(level))
    return saved
  }

  /** Where a price is, or would be put. */
  #slot(prices: ArrayLike<number>, index: number): number {
    const price = prices[index]!
    const mask = this.#prices.length - 1
    let slot = hashOf(prices, index) & mask
    while (this.#sizes[slot] !== 0 && this.#prices[slot] !== price) slot = (slot + 1) & mask
    return slot
  }

  /** Prices behind the freed slot that another had pushed on move up, so that they are found again. */
  #free(slot: number): void {
    const mask = this.#prices.length - 1
    let hole = slot
    for (let next = (hole + 1) & mask; this.#sizes[next] !== 0; next = (next + 1) & mask) {
      const home = hashOf(this.#prices, next) & mask
      if (((next - home) & mask) < ((next - hole) & mask)) continue
      this.#prices[hole] = this.#prices[next]!
      this.#sizes[hole] = this.#sizes[next]!
      hole = next
    }
    this.#sizes[hole] = 0
  }

  /** A level comes or goes: is the order to follow it? */
  #keepsOrder(): boolean {
    if (this.#ordered && ++this.#unread > UNREAD_MAX) this.#ordered = false
    return this.#ordered
  }

  #sort(): void {
    this.#unread = 0
    if (this.#ordered) return
    const order = this.#order.subarray(0, this.#gather()).sort()
    if (this.#sign < 0) order.reverse()
    this.#ordered = true
  }

  /** By itself: V8 gives up, again and again, what it compiles of a long loop with something behind it. */
  #gather(): number {
    const [order, prices, sizes] = [this.#order, this.#prices, this.#sizes]
    let count = 0
    for (let slot = 0; slot < sizes.length; slot++) if (sizes[slot] !== 0) order[count++] = prices[slot]!
    return count
  }

  /** The index of the first level, from the worst, that is no worse than a price. */
  #find(prices: ArrayLike<number>, index: number): number {
    const price = prices[index]!
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#order[middle]! - price) * this.#sign < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #shift(from: number, by: number): void {
    this.#order.copyWithin(from + by, from, this.#count)
  }

  /** Make room for one more. True: every slot is another now. */
  #grows(): boolean {
    if (this.#count < this.#order.length) return false
    const [prices, sizes, order] = [this.#prices, this.#sizes, this.#order]
    this.#prices = new Float64Array(prices.length * 2)
    this.#sizes = new Float64Array(sizes.length * 2)
    this.#order = new Float64Array(order.length * 2)
    this.#order.set(order)
    for (let i = 0; i < prices.length; i++) {
      if (sizes[i] === 0) continue
      const slot = this.#slot(prices, i)
      this.#prices[slot] = prices[i]!
      this.#sizes[slot] = sizes[i]!
    }
    return true
  }
}

const ROOM = 16
/** The order is dropped when so many levels have come and gone without a look at it. */
const UNREAD_MAX = 64
