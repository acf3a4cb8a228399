import type { Buffers } from '../../graph/batch.ts'
import { Bytes } from './bytes.ts'
import { Doubles, Names } from './dictionary.ts'
import { Prefixes } from './text.ts'
import type { Texts } from './text.ts'

/** Memory that a writer keeps from file to file: it grows to what the largest column chunk needed. */
export class Scratch {
  readonly out = new Bytes()
  readonly doubles = new Doubles()
  readonly names: Names
  readonly prefixes = new Prefixes()
  #rows = new Int32Array(0)
  #halves = new Int32Array(0)
  #places = new Uint16Array(0)
  #begins = new Int32Array(0)
  #ends = new Int32Array(0)

  constructor(same: (a: Uint8Array, b: Uint8Array) => boolean) {
    this.names = new Names(same)
  }

  rows(count: number): Int32Array {
    return (this.#rows = this.#rows.length < count ? new Int32Array(count) : this.#rows)
  }

  halves(count: number): Int32Array {
    return (this.#halves = this.#halves.length < 2 * count ? new Int32Array(2 * count) : this.#halves)
  }

  places(count: number): Uint16Array {
    return (this.#places = this.#places.length < count ? new Uint16Array(count) : this.#places)
  }

  begins(count: number): Int32Array {
    return (this.#begins = this.#begins.length < count ? new Int32Array(count) : this.#begins)
  }

  ends(count: number): Int32Array {
    return (this.#ends = this.#ends.length < count ? new Int32Array(count) : this.#ends)
  }
}

/** Rows of a column, and those of them that have a value (undefined: all). */
export interface Rows {
  readonly from: number
  readonly to: number
  readonly present: Int32Array | undefined
  /** How many values there are. */
  readonly count: number
}

/** Which of some rows have a value. */
export const rowsOf = (buffers: Buffers, from: number, to: number, scratch: Scratch): Rows => {
  if (buffers.missing === 0) return { from, to, present: undefined, count: to - from }
  const present = scratch.rows(to - from)
  const count = presentRows(buffers.present, from, to, present)
  return { from, to, present: count === to - from ? undefined : present, count }
}

const presentRows = (bits: Uint8Array, from: number, to: number, rows: Int32Array): number => {
  let count = 0
  for (let row = from; row < to; row++) {
    rows[count] = row
    count += (bits[row >> 3]! >> (row & 7)) & 1
  }
  return count
}

const aligned = (bytes: Uint8Array): Uint8Array => (bytes.byteOffset % 8 === 0 ? bytes : bytes.slice())

/** As 32-bit integers, over the same memory where its place allows. */
export const int32s = (bytes: Uint8Array): Int32Array => {
  const whole = aligned(bytes)
  return new Int32Array(whole.buffer, whole.byteOffset, whole.byteLength >> 2)
}

/** 64-bit values `first` on as pairs of halves, without those that are missing. */
export const denseHalves = (
  bytes: Uint8Array,
  rows: Rows,
  first: number,
  count: number,
  scratch: Scratch,
): Int32Array => {
  const all = int32s(bytes)
  const { present, from } = rows
  if (present === undefined) return all.subarray(2 * (from + first), 2 * (from + first + count))
  const halves = scratch.halves(count)
  for (let i = 0; i < count; i++) {
    const row = present[first + i]!
    halves[2 * i] = all[2 * row]!
    halves[2 * i + 1] = all[2 * row + 1]!
  }
  return halves.subarray(0, 2 * count)
}

/** 32-bit integers, without those that are missing. */
export const denseInts = (bytes: Uint8Array, rows: Rows, scratch: Scratch): Int32Array => {
  const all = int32s(bytes)
  const { present, count, from, to } = rows
  if (present === undefined) return all.subarray(from, to)
  const ints = scratch.halves(count)
  for (let i = 0; i < count; i++) ints[i] = all[present[i]!]!
  return ints.subarray(0, count)
}

/** Choices, by their number. */
export const denseCodes = (bytes: Uint8Array, rows: Rows, scratch: Scratch): Uint16Array => {
  const { present, count, from, to } = rows
  const codes = scratch.places(count)
  if (present === undefined) codes.set(bytes.subarray(from, to))
  else for (let i = 0; i < count; i++) codes[i] = bytes[present[i]!]!
  return codes
}

/** Flags, as a bitmap that begins with the first. */
export const denseBits = (bits: Uint8Array, rows: Rows): Uint8Array => {
  const { present, count, from } = rows
  const dense = new Uint8Array((count + 7) >> 3)
  for (let i = 0; i < count; i++) {
    const row = present === undefined ? from + i : present[i]!
    dense[i >> 3]! |= ((bits[row >> 3]! >> (row & 7)) & 1) << (i & 7)
  }
  return dense
}

/** Where texts begin and end. */
export const denseTexts = ({ values, offsets }: Buffers, rows: Rows, scratch: Scratch): Texts => {
  const { present, count, from, to } = rows
  if (present === undefined)
    return { bytes: values, begins: offsets.subarray(from, to), ends: offsets.subarray(from + 1, to + 1) }
  const begins = scratch.begins(count)
  const ends = scratch.ends(count)
  for (let i = 0; i < count; i++) {
    begins[i] = offsets[present[i]!]!
    ends[i] = offsets[present[i]! + 1]!
  }
  return { bytes: values, begins, ends }
}
