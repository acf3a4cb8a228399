/**
 * Which places of a row are taken, and the next taken one on either side of a place: a bit a place, and
 * above it a bit for each word that is not empty, so that a search looks at two words where the next one is
 * near.
 */
export class Bitmap {
  readonly #words: Int32Array
  readonly #summary: Int32Array

  /** `places` is a multiple of 1,024. */
  constructor(places: number) {
    this.#words = new Int32Array(places >>> 5)
    this.#summary = new Int32Array(places >>> 10)
  }

  /** Take a place (1) or free it (0). What it was before. Without a branch: none could be foretold. */
  set(place: number, taken: number): number {
    const at = place >>> 5
    const group = at >>> 5
    const word = this.#words[at]!
    const after = (word & ~(1 << place)) | (taken << place)
    this.#words[at] = after
    const some = (after | -after) >>> 31
    this.#summary[group] = (this.#summary[group]! & ~(1 << at)) | (some << at)
    return (word >>> place) & 1
  }

  /** The last taken place before a place; -1: there is none. */
  below(place: number): number {
    let at = place >>> 5
    const word = this.#words[at]! & ((1 << place) - 1)
    if (word !== 0) return (at << 5) + highest(word)
    let group = at >>> 5
    let words = this.#summary[group]! & ((1 << at) - 1)
    while (words === 0) {
      if (--group < 0) return -1
      words = this.#summary[group]!
    }
    at = (group << 5) + highest(words)
    return (at << 5) + highest(this.#words[at]!)
  }

  /** The first taken place from a place on; -1: there is none. */
  from(place: number): number {
    let at = place >>> 5
    if (at >= this.#words.length) return -1
    const word = this.#words[at]! & (-1 << place)
    if (word !== 0) return (at << 5) + lowest(word)
    let group = at >>> 5
    let words = this.#summary[group]! & (-2 << at)
    while (words === 0) {
      if (++group >= this.#summary.length) return -1
      words = this.#summary[group]!
    }
    at = (group << 5) + lowest(words)
    return (at << 5) + lowest(this.#words[at]!)
  }

  /**
   * Move all taken places by so many, in an order in which none meets another; `moved` is told of each. Those
   * that come before the row are free then; none comes behind it.
   */
  move(by: number, moved: (place: number, to: number) => void): void {
    let place = by > 0 ? this.#last() : this.from(0)
    while (place >= 0) {
      const next = by > 0 ? this.below(place) : this.from(place + 1)
      const to = place + by
      this.set(place, 0)
      if (to >= 0) this.set(to, 1)
      moved(place, to)
      place = next
    }
  }

  #last(): number {
    const end = (this.#words.length << 5) - 1
    return this.from(end) === end ? end : this.below(end)
  }

  clear(): void {
    this.#words.fill(0)
    this.#summary.fill(0)
  }

  get bytes(): number {
    return this.#words.byteLength + this.#summary.byteLength
  }
}

const highest = (word: number): number => 31 - Math.clz32(word)
const lowest = (word: number): number => 31 - Math.clz32(word & -word)
