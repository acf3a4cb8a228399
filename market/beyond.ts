import { hashOf } from './ladder-hash.ts'

/**
 * The last change of each price that is not known, and up to which id that is right: a hash table whose
 * entries are in the order in which they first came.
 */
export class Beyond {
  #prices = new Float64Array(ROOM)
  #sizes = new Float64Array(ROOM)
  #ids = new Float64Array(ROOM)
  /** The number of an entry, from 1; 0: the slot is free. At most half of them are taken. */
  #slots = new Int32Array(2 * ROOM)
  #count = 0

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return 3 * this.#prices.byteLength + this.#slots.byteLength
  }

  /** Remember the level of that index in two lists. */
  take(prices: ArrayLike<number>, sizes: ArrayLike<number>, index: number, id: number): void {
    if (this.#count === this.#prices.length) this.#grow()
    const slot = this.#slot(prices, index)
    const taken = this.#slots[slot]! - 1
    const entry = taken < 0 ? this.#count++ : taken
    this.#slots[slot] = entry + 1
    this.#prices[entry] = prices[index]!
    this.#sizes[entry] = sizes[index]!
    this.#ids[entry] = id
  }

  /** Keep those for which it is true. */
  keep(wanted: (price: number, size: number, id: number) => boolean): void {
    const before = this.#count
    this.clear()
    for (let i = 0; i < before; i++) {
      const id = this.#ids[i]!
      if (wanted(this.#prices[i]!, this.#sizes[i]!, id)) this.take(this.#prices, this.#sizes, i, id)
    }
  }

  clear(): void {
    if (this.#count > 0) this.#slots.fill(0)
    this.#count = 0
  }

  /** `[price, size, id, price, size, id, ...]` */
  save(): number[] {
    const saved: number[] = []
    for (let i = 0; i < this.#count; i++) saved.push(this.#prices[i]!, this.#sizes[i]!, this.#ids[i]!)
    return saved
  }

  load(saved: readonly number[]): void {
    this.clear()
    for (let i = 0; i < saved.length; i += 3) this.take([saved[i]!], [saved[i + 1]!], 0, saved[i + 2]!)
  }

  /** Where the number of a price is, or would be put. */
  #slot(prices: ArrayLike<number>, index: number): number {
    const price = prices[index]!
    const mask = this.#slots.length - 1
    let slot = hashOf(prices, index) & mask
    while (this.#slots[slot] !== 0 && this.#prices[this.#slots[slot]! - 1] !== price) slot = (slot + 1) & mask
    return slot
  }

  #grow(): void {
    this.#prices = doubled(this.#prices)
    this.#sizes = doubled(this.#sizes)
    this.#ids = doubled(this.#ids)
    this.#slots = new Int32Array(this.#slots.length * 2)
    for (let i = 0; i < this.#count; i++) this.#slots[this.#slot(this.#prices, i)] = i + 1
  }
}

const doubled = (before: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
  const after = new Float64Array(before.length * 2)
  after.set(before)
  return after
}

const ROOM = 16
