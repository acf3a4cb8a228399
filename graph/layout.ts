import type { AnySchema } from './schema.ts'

const HIGH = 2 ** 32
const encoder = new TextEncoder()

export const padded = (length: number): number => (length + 7) & ~7

/** The head of a batch: the number of rows and its sizes, padded. */
export const headBytes = (sizes: number): number => padded(4 + 4 * sizes)

/**
 * How many sizes stand in the head of a batch: one for what may be missing, one for what has no fixed
 * width.
 */
export const sizesOf = ({ columns }: AnySchema): number =>
  columns.reduce(
    (sum, { kind, nullable }) =>
      sum + (nullable ? 1 : 0) + (kind === 'text' || kind === 'name' || kind === 'floats' ? 1 : 0),
    0,
  )

/**
 * The bytes of one batch while its columns are laid out: the Arrow buffers of each column, in the order of
 * the schema. What a reader cannot work out from the number of rows is written as a size: how many values a
 * column lacks, and how much room texts and lists take. Batches lie one behind the other until `clear`: then
 * their memory is used again.
 *
 * @see https://arrow.apache.org/docs/format/Columnar.html
 */
export class Layout {
  #bytes = new Uint8Array(4096)
  #ints = new Int32Array(this.#bytes.buffer)
  #doubles = new Float64Array(this.#bytes.buffer)
  #rows = 0
  /** Where the next size of the batch stands. */
  #sizes = 0
  /** Where the batch begins, and ends so far. */
  #from = 0
  #used = 0

  /** What was laid out is not needed any more. */
  clear(): void {
    this.#used = 0
  }

  begin(rows: number, sizes: number): void {
    this.#rows = rows
    this.#from = this.#used
    const head = this.#part(headBytes(sizes))
    this.#bytes.fill(0, head, this.#used)
    this.#sizes = head >> 2
    this.#ints[this.#sizes++] = rows
  }

  /** The batch, valid until `clear`. */
  end(): Uint8Array {
    return this.#bytes.subarray(this.#from, this.#used)
  }

  /** A column without a value has a zero there, so that the same rows are the same bytes. */
  floats(values: Float64Array, slot: number, stride: number, nullable: boolean): void {
    const rows = this.#rows
    const at = this.#part(8 * rows) >> 3
    const doubles = this.#doubles
    for (let row = 0, from = slot; row < rows; row++, from += stride) {
      const value = values[from]!
      doubles[at + row] = nullable && value !== value ? 0 : value
    }
  }

  wholes(values: Float64Array, slot: number, stride: number): void {
    const rows = this.#rows
    const at = this.#part(8 * rows) >> 2
    const ints = this.#ints
    for (let row = 0, from = slot; row < rows; row++, from += stride) {
      const value = values[from]!
      const high = Math.floor(value / HIGH)
      ints[at + 2 * row] = value - high * HIGH
      ints[at + 2 * row + 1] = high
    }
  }

  ints(values: Float64Array, slot: number, stride: number): void {
    const rows = this.#rows
    const at = this.#part(4 * rows) >> 2
    const ints = this.#ints
    for (let row = 0, from = slot; row < rows; row++, from += stride) ints[at + row] = values[from]!
  }

  /** Choices, by their places. */
  codes(values: Float64Array, slot: number, stride: number): void {
    const rows = this.#rows
    const at = this.#part(rows)
    const bytes = this.#bytes
    for (let row = 0, from = slot; row < rows; row++, from += stride) bytes[at + row] = values[from]!
  }

  flags(values: Float64Array, slot: number, stride: number): void {
    const at = this.#bits()
    for (let row = 0, from = slot; row < this.#rows; row++, from += stride)
      if (values[from] === 1) this.#bit(at, row)
  }

  /** The names of runs of rows, and the rows after the last of each. */
  names(
    names: readonly (string | null)[],
    ends: readonly number[],
    runs: number,
    known: Map<string, Uint8Array>,
  ): void {
    const to = this.#ends()
    const size = this.#size()
    const at = this.#used
    let used = 0
    for (let run = 0, row = 0; run < runs; run++) {
      const end = ends[run]!
      // A run is copied in ever larger pieces.
      const { length } = this.#put(encoded(names[run]!, known), at + used, end - row)
      const ints = this.#ints
      for (; row < end; row++) ints[to + row + 1] = used += length
    }
    this.#end(at + used)
    this.#ints[size] = used
  }

  /** Put a name so many times. */
  #put(name: Uint8Array, at: number, times: number): Uint8Array {
    const end = at + name.length * times
    this.#room(end)
    const bytes = this.#bytes
    for (let i = 0; i < name.length; i++) bytes[at + i] = name[i]!
    for (let done = at + name.length; done < end && name.length > 0; done += done - at)
      bytes.copyWithin(done, at, Math.min(done, at + end - done))
    return name
  }

  texts(ends: Int32Array, bytes: Uint8Array, used: number): void {
    this.#copyEnds(ends)
    const size = this.#size()
    const at = this.#part(used)
    if (used > LOOP_MAX) this.#bytes.set(bytes.subarray(0, used), at)
    else for (let i = 0; i < used; i++) this.#bytes[at + i] = bytes[i]!
    this.#ints[size] = used
  }

  lists(ends: Int32Array, values: Float64Array, used: number): void {
    this.#copyEnds(ends)
    this.#ints[this.#size()] = used
    const at = this.#part(8 * used) >> 3
    if (used > LOOP_MAX) this.#doubles.set(values.subarray(0, used), at)
    else for (let i = 0; i < used; i++) this.#doubles[at + i] = values[i]!
  }

  /** Which rows have a number, where some have none: a size, and perhaps a bitmap. */
  presence(values: Float64Array, slot: number, stride: number): void {
    const rows = this.#rows
    let missing = 0
    for (let row = 0, from = slot; row < rows; row++, from += stride)
      if (Number.isNaN(values[from])) missing++
    this.#ints[this.#size()] = missing
    if (missing === 0) return
    const at = this.#bits()
    for (let row = 0, from = slot; row < rows; row++, from += stride)
      if (!Number.isNaN(values[from])) this.#bit(at, row)
  }

  namePresence(names: readonly (string | null)[], ends: readonly number[], runs: number): void {
    let missing = 0
    for (let run = 0, row = 0; run < runs; row = ends[run++]!)
      if (names[run] === null) missing += ends[run]! - row
    this.#ints[this.#size()] = missing
    if (missing === 0) return
    const at = this.#bits()
    for (let run = 0, row = 0; run < runs; run++)
      for (; row < ends[run]!; row++) if (names[run] !== null) this.#bit(at, row)
  }

  textPresence(present: Uint8Array): void {
    let missing = 0
    for (let row = 0; row < this.#rows; row++) if (present[row] === 0) missing++
    this.#ints[this.#size()] = missing
    if (missing === 0) return
    const at = this.#bits()
    for (let row = 0; row < this.#rows; row++) if (present[row] === 1) this.#bit(at, row)
  }

  #bits(): number {
    const length = (this.#rows + 7) >> 3
    const at = this.#part(length)
    this.#bytes.fill(0, at, at + length)
    return at
  }

  #bit(at: number, row: number): void {
    this.#bytes[at + (row >> 3)]! |= 1 << (row & 7)
  }

  #copyEnds(ends: Int32Array): void {
    const rows = this.#rows
    const at = this.#ends()
    const ints = this.#ints
    for (let row = 1; row <= rows; row++) ints[at + row] = ends[row]!
  }

  #ends(): number {
    const at = this.#part(4 * (this.#rows + 1)) >> 2
    this.#ints[at] = 0
    return at
  }

  /** Where the next size stands in the head. */
  #size(): number {
    return this.#sizes++
  }

  /** A part that ends here is padded with zeros. */
  #end(at: number): void {
    const end = padded(at)
    this.#room(end)
    for (let i = at; i < end; i++) this.#bytes[i] = 0
    this.#used = end
  }

  /** Room for a part, with zeros up to its padding; returns where it begins. */
  #part(length: number): number {
    const at = this.#used
    const end = at + padded(length)
    this.#room(end)
    if (length % 8 !== 0) this.#doubles[(end >> 3) - 1] = 0
    this.#used = end
    return at
  }

  #room(end: number): void {
    if (end <= this.#bytes.length) return
    const grown = new Uint8Array(padded(Math.max(end, this.#bytes.length * 2)))
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#ints = new Int32Array(grown.buffer)
    this.#doubles = new Float64Array(grown.buffer)
  }
}

/** What is longer is worth a view of it, so that it is copied in one piece. */
const LOOP_MAX = 64
const NAMES_MAX = 4_096
const NOTHING = new Uint8Array(0)

/** Write a text at a place; returns how many bytes it takes. */
export const encodeText = (text: string, bytes: Uint8Array, at: number): number => {
  const { length } = text
  if (length > LOOP_MAX) return encoder.encodeInto(text, bytes.subarray(at)).written
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) return encoder.encodeInto(text, bytes.subarray(at)).written
    bytes[at + i] = code
  }
  return length
}

const encoded = (name: string | null, known: Map<string, Uint8Array>): Uint8Array => {
  if (name === null) return NOTHING
  const found = known.get(name)
  if (found !== undefined) return found
  const bytes = encoder.encode(name)
  if (known.size < NAMES_MAX) known.set(name, bytes)
  return bytes
}
