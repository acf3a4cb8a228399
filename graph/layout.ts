import type { AnySchema, Column } from './schema.ts'

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

/** Numbers that wait row by row: those of one column are one in every `stride`. */
export interface Strided {
  readonly values: Float64Array
  readonly slot: number
  readonly stride: number
}

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

  numbers(column: Column, of: Strided): void {
    const { values, slot, stride } = of
    const rows = this.#rows
    if (column.nullable) this.#strided(of)
    switch (column.kind) {
      case 'float':
        return this.#floats(of, column.nullable)
      case 'int': {
        const at = this.#part(4 * rows) >> 2
        const ints = this.#ints
        for (let row = 0, from = slot; row < rows; row++, from += stride) ints[at + row] = values[from]!
        return
      }
      case 'choice': {
        const at = this.#part(rows)
        const bytes = this.#bytes
        for (let row = 0, from = slot; row < rows; row++, from += stride) bytes[at + row] = values[from]!
        return
      }
      case 'flag': {
        const at = this.#bits()
        for (let row = 0, from = slot; row < rows; row++, from += stride)
          if (values[from] === 1) this.#bit(at, row)
        return
      }
      default:
        return this.#wholes(of)
    }
  }

  names(column: Column, values: readonly (string | null)[], known: Map<string, Uint8Array>): void {
    if (column.nullable) this.#named(values)
    const ends = this.#ends()
    const size = this.#size()
    const at = this.#used
    let used = 0
    // A name is mostly that of the row before: a run of it is copied in ever larger pieces.
    const rows = this.#rows
    for (let row = 0, end = 0; row < rows; row = end) {
      const name = values[row]!
      for (end = row + 1; end < rows && values[end] === name;) end++
      const { length } = this.#put(encoded(name, known), at + used, end - row)
      const ints = this.#ints
      for (let next = row; next < end; next++) ints[ends + next + 1] = used += length
    }
    this.#room(padded(at + used))
    this.#bytes.fill(0, at + used, padded(at + used))
    this.#used = padded(at + used)
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

  texts(column: Column, ends: Int32Array, bytes: Uint8Array, used: number, present: Uint8Array): void {
    if (column.nullable) this.#presence(present)
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

  /** A column without a value has a zero there, so that the same rows are the same bytes. */
  #floats({ values, slot, stride }: Strided, nullable: boolean): void {
    const rows = this.#rows
    const at = this.#part(8 * rows) >> 3
    const doubles = this.#doubles
    for (let row = 0, from = slot; row < rows; row++, from += stride) {
      const value = values[from]!
      doubles[at + row] = nullable && Number.isNaN(value) ? 0 : value
    }
  }

  #wholes({ values, slot, stride }: Strided): void {
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

  /** Which rows have a value, where some have none: a size, and perhaps a bitmap. */
  #strided({ values, slot, stride }: Strided): void {
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

  #named(values: readonly (string | null)[]): void {
    let missing = 0
    for (let row = 0; row < this.#rows; row++) if (values[row] === null) missing++
    this.#ints[this.#size()] = missing
    if (missing === 0) return
    const at = this.#bits()
    for (let row = 0; row < this.#rows; row++) if (values[row] !== null) this.#bit(at, row)
  }

  #presence(present: Uint8Array): void {
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
export const LOOP_MAX = 64
const NAMES_MAX = 4_096
const NOTHING = new Uint8Array(0)

const encoded = (name: string | null, known: Map<string, Uint8Array>): Uint8Array => {
  if (name === null) return NOTHING
  const found = known.get(name)
  if (found !== undefined) return found
  const bytes = encoder.encode(name)
  if (known.size < NAMES_MAX) known.set(name, bytes)
  return bytes
}
