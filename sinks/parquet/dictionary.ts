import type { Texts } from './text.ts'

/** A dictionary holds no more values than this, so that a place among them takes two bytes. */
const ENTRIES_MAX = 65_535
/** No more bytes than this, if they are texts. */
const BYTES_MAX = 1 << 20
const SLOTS_MIN = 1 << 10
const SLOTS_MAX = 1 << 18
/** Values that crowd more than this are told apart too slowly: the dictionary counts as full. */
const PROBES_MAX = 256
const BLOCK = 512

/** How many values a dictionary may hold to be smaller than the values: each has to come three times. */
export const entriesMax = (values: number): number => Math.min(ENTRIES_MAX, Math.floor(values / 3))

/**
 * The different values of a column chunk in the order in which they come, and the place of each value among
 * them. One is kept and used for one chunk after another, so that its memory is made once.
 */
abstract class Dictionary {
  size = 0
  /** Entry by hash; mostly empty, so that most are found where they are first looked for. */
  protected slots = new Uint16Array(0)
  protected shift = 0
  #most = new Uint16Array(SLOTS_MIN)

  /** Empty, and as large as that many values may need. */
  protected clear(values: number): void {
    const wanted = Math.min(SLOTS_MAX, Math.max(SLOTS_MIN, values))
    this.shift = Math.clz32(wanted - 1)
    const length = 2 ** (32 - this.shift)
    if (this.#most.length < length) this.#most = new Uint16Array(length)
    this.slots = this.#most.subarray(0, length).fill(0)
    this.size = 0
  }
}

/** Of the upper bits of the sum, which hang on all bits of both. */
const hashOf = (low: number, high: number): number =>
  (Math.imul(low, 0x9e3779b1) + Math.imul(high, 0x85ebca6b)) | 0

/** Doubles by their bits: 0 and -0 are two values. The first has the place of empty slots, 0. */
export class Doubles extends Dictionary {
  /** The entries, as they stand in the dictionary's page. */
  bits = new Int32Array(0)
  readonly #guesses = new Int32Array(BLOCK)
  readonly #misses = new Int32Array(BLOCK)

  /**
   * Find the places of `count` values, given as pairs of halves. Returns how many were found before the
   * dictionary was full.
   */
  place(halves: Int32Array, count: number, places: Uint16Array): number {
    this.clear(count)
    const most = entriesMax(count)
    if (most === 0) return 0
    if (this.bits.length < 2 * most) this.bits = new Int32Array(2 * most)
    this.bits[0] = halves[0]!
    this.bits[1] = halves[1]!
    this.size = 1
    for (let from = 0; from < count; from += BLOCK) {
      const missed = this.#guess(halves, from, Math.min(BLOCK, count - from), places)
      for (let k = 0; k < missed; k++) {
        const i = this.#misses[k]!
        const entry = this.#find(halves[2 * i]!, halves[2 * i + 1]!, most)
        if (entry < 0) return i
        places[i] = entry
      }
    }
    return count
  }

  /**
   * Give each value of a block the place that its slot names, and note those that have another. There is no
   * branch in it that hangs on the values, so the memory of many is read at a time.
   */
  #guess(halves: Int32Array, from: number, count: number, places: Uint16Array): number {
    const { slots, shift, bits } = this
    const guesses = this.#guesses
    const misses = this.#misses
    for (let i = 0; i < count; i++)
      guesses[i] = slots[hashOf(halves[2 * (from + i)]!, halves[2 * (from + i) + 1]!) >>> shift]!
    let missed = 0
    for (let i = 0; i < count; i++) {
      const entry = guesses[i]!
      const at = from + i
      const differ = (bits[2 * entry]! ^ halves[2 * at]!) | (bits[2 * entry + 1]! ^ halves[2 * at + 1]!)
      places[at] = entry
      misses[missed] = at
      missed += (differ | -differ) >>> 31
    }
    return missed
  }

  /** Its place, which may be a new one; -1 if there is no room. */
  #find(low: number, high: number, most: number): number {
    const { slots, bits } = this
    if (bits[0] === low && bits[1] === high) return 0
    const mask = slots.length - 1
    let slot = hashOf(low, high) >>> this.shift
    for (let probes = 0; probes < PROBES_MAX; probes++) {
      const entry = slots[slot]!
      if (entry === 0) {
        if (this.size === most) return -1
        slots[slot] = this.size
        bits[2 * this.size] = low
        bits[2 * this.size + 1] = high
        return this.size++
      }
      if (bits[2 * entry] === low && bits[2 * entry + 1] === high) return entry
      slot = (slot + 1) & mask
    }
    return -1
  }
}

/** Texts, of which it keeps where they were first seen. Slots have the place of an entry and one. */
export class Names extends Dictionary {
  begins = new Int32Array(0)
  ends = new Int32Array(0)
  readonly #same: (a: Uint8Array, b: Uint8Array) => boolean
  #hashes = new Int32Array(0)
  #bytes = 0

  constructor(same: (a: Uint8Array, b: Uint8Array) => boolean) {
    super()
    this.#same = same
  }

  /** The same for texts. */
  place(texts: Texts, count: number, places: Uint16Array): number {
    const { bytes, begins, ends } = texts
    this.clear(count)
    const most = entriesMax(count)
    this.#room(most)
    if (most > 0 && this.#one(texts, count)) {
      this.begins[0] = begins[0]!
      this.ends[0] = ends[0]!
      this.size = 1
      places.fill(0, 0, count)
      return count
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let last = -1
    let other = -1
    for (let i = 0; i < count; i++) {
      const begin = begins[i]!
      const length = ends[i]! - begin
      if (last < 0 || !this.#is(last, view, begin, length)) {
        // Two names often take turns: the spot market of a pair and its perpetual.
        const found = other >= 0 && this.#is(other, view, begin, length)
        const next = found ? other : this.#find(view, begin, length, most)
        if (next < 0) return i
        other = last
        last = next
      }
      places[i] = last
    }
    return count
  }

  /** Is it one text again and again: all as long, and the bytes the same when moved by its length. */
  #one({ bytes, begins, ends }: Texts, count: number): boolean {
    const begin = begins[0]!
    const length = ends[0]! - begin
    const end = ends[count - 1]!
    if (end - begin !== count * length) return false
    for (let from = 0; from < count; from += BLOCK)
      if (!apart(begins, from, Math.min(count, from + BLOCK + 1), length)) return false
    return this.#same(bytes.subarray(begin, end - length), bytes.subarray(begin + length, end))
  }

  #room(most: number): void {
    this.#bytes = 0
    if (this.begins.length >= most) return
    this.begins = new Int32Array(most)
    this.ends = new Int32Array(most)
    this.#hashes = new Int32Array(most)
  }

  #is(entry: number, view: DataView, begin: number, length: number): boolean {
    const at = this.begins[entry]!
    return this.ends[entry]! - at === length && sameText(view, at, begin, length)
  }

  #find(view: DataView, begin: number, length: number, most: number): number {
    const { slots } = this
    const hash = hashText(view, begin, length)
    const mask = slots.length - 1
    let slot = hash >>> this.shift
    for (let probes = 0; probes < PROBES_MAX; probes++) {
      const entry = slots[slot]! - 1
      if (entry < 0) {
        this.#bytes += length
        return this.size === most || this.#bytes > BYTES_MAX ? -1 : this.#add(slot, hash, begin, length)
      }
      if (this.#hashes[entry] === hash && this.#is(entry, view, begin, length)) return entry
      slot = (slot + 1) & mask
    }
    return -1
  }

  #add(slot: number, hash: number, begin: number, length: number): number {
    const entry = this.size++
    this.slots[slot] = entry + 1
    this.begins[entry] = begin
    this.ends[entry] = begin + length
    this.#hashes[entry] = hash
    return entry
  }
}

/** Does each of the texts `from` to `to` begin so many bytes behind the one before it. */
const apart = (begins: Int32Array, from: number, to: number, length: number): boolean => {
  for (let i = from + 1; i < to; i++) if (begins[i]! - begins[i - 1]! !== length) return false
  return true
}

const sameText = (view: DataView, a: number, b: number, length: number): boolean => {
  let i = 0
  for (; i + 4 <= length; i += 4) if (view.getInt32(a + i) !== view.getInt32(b + i)) return false
  for (; i < length; i++) if (view.getUint8(a + i) !== view.getUint8(b + i)) return false
  return true
}

const hashText = (view: DataView, begin: number, length: number): number => {
  let hash = length
  let i = 0
  for (; i + 4 <= length; i += 4)
    hash = Math.imul((hash ^ view.getInt32(begin + i)) + (hash >>> 15), 0x9e3779b1)
  for (; i < length; i++) hash = Math.imul((hash ^ view.getUint8(begin + i)) + (hash >>> 15), 0x85ebca6b)
  return Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35)
}
