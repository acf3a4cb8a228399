/**
 * One side of an order book in two sorted arrays: slow, and plain enough to be the judge of the ladder of
 * market/.
 */
export class ArrayLadder {
  #prices = new Float64Array(64)
  #sizes = new Float64Array(64)
  #count = 0
  readonly #sign: 1 | -1

  constructor(side: 'bid' | 'ask') {
    this.#sign = side === 'bid' ? 1 : -1
  }

  get count(): number {
    return this.#count
  }

  /** NaN where there is no such level. */
  price(level: number): number {
    return level < this.#count ? this.#prices[this.#count - 1 - level]! : NaN
  }

  /** 0 where there is no such level. */
  size(level: number): number {
    return level < this.#count ? this.#sizes[this.#count - 1 - level]! : 0
  }

  /** Put a level, or remove it with a size of zero. To remove what is not there is no error: venues do it. */
  set(price: number, size: number): void {
    const index = this.#find(price)
    const found = index < this.#count && this.#prices[index] === price
    if (found && size !== 0) {
      this.#sizes[index] = size
    } else if (found) {
      this.#shift(index + 1, index)
      this.#count--
    } else if (size !== 0) {
      if (this.#count === this.#prices.length) this.#grow()
      this.#shift(index, index + 1)
      this.#prices[index] = price
      this.#sizes[index] = size
      this.#count++
    }
  }

  /** Is a price farther from the other side than another price? */
  worse(price: number, than: number): boolean {
    return (price - than) * this.#sign < 0
  }

  /** Keep only so many of the best levels. */
  keep(levels: number): void {
    if (levels < this.#count) this.#drop(this.#count - levels)
  }

  clear(): void {
    this.#count = 0
  }

  /** `[price, size, price, size, ...]`, from the worst, so that `load` shifts nothing. */
  save(): number[] {
    const saved: number[] = []
    for (let i = 0; i < this.#count; i++) saved.push(this.#prices[i]!, this.#sizes[i]!)
    return saved
  }

  load(saved: readonly number[]): void {
    this.clear()
    for (let i = 0; i < saved.length; i += 2) this.set(saved[i]!, saved[i + 1]!)
  }

  /** The index of the first level, from the worst, that is no worse than a price. */
  #find(price: number): number {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.worse(this.#prices[middle]!, price)) low = middle + 1
      else high = middle
    }
    return low
  }

  #drop(worst: number): void {
    this.#shift(worst, 0)
    this.#count -= worst
  }

  #shift(from: number, to: number): void {
    this.#prices.copyWithin(to, from, this.#count)
    this.#sizes.copyWithin(to, from, this.#count)
  }

  #grow(): void {
    const [prices, sizes] = [this.#prices, this.#sizes]
    this.#prices = new Float64Array(prices.length * 2)
    this.#sizes = new Float64Array(sizes.length * 2)
    this.#prices.set(prices)
    this.#sizes.set(sizes)
  }
}
