import type { Column } from './schema.ts'

const HIGH = 2 ** 32
const encoder = new TextEncoder()

export const padded = (length: number): number => (length + 7) & ~7

/** The head of a batch: the number of rows and its sizes, padded. */
export const headBytes = (sizes: number): number => padded(4 + 4 * sizes)

/**
 * The bytes of one batch while its columns are laid out: the Arrow buffers of each column, in the order of
 * the schema. What a reader cannot work out from the number of rows is written as a size: how many values a
 * column lacks, and how much room texts and lists take.
 *
 * @see https://arrow.apache.org/docs/format/Columnar.html
 */
export class Layout {
  readonly #rows: number
  readonly #sizes: number[] = []
  readonly #parts: (Uint8Array | Int32Array | Float64Array)[] = []

  constructor(rows: number) {
    this.#rows = rows
  }

  bytes(): Uint8Array {
    const [sizes, parts] = [this.#sizes, this.#parts]
    let length = headBytes(sizes.length)
    let at = length
    for (const part of parts) length += padded(part.byteLength)
    const bytes = new Uint8Array(length)
    const head = new Uint32Array(bytes.buffer, 0, 1 + sizes.length)
    head[0] = this.#rows
    for (let i = 0; i < sizes.length; i++) head[i + 1] = sizes[i]!
    for (const part of parts) {
      bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at)
      at += padded(part.byteLength)
    }
    return bytes
  }

  /** Numbers that wait row by row, one in every `slots`. */
  numbers(column: Column, values: Float64Array, slot: number, slots: number): void {
    const end = this.#rows * slots
    if (column.nullable) {
      let missing = 0
      for (let at = slot; at < end; at += slots) if (Number.isNaN(values[at])) missing++
      this.#missing(missing, (row) => !Number.isNaN(values[row * slots + slot]))
    }
    switch (column.kind) {
      case 'float':
        this.#parts.push(one(new Float64Array(this.#rows), values, slot, slots, end, column.nullable))
        return
      case 'int':
        this.#parts.push(one(new Int32Array(this.#rows), values, slot, slots, end, false))
        return
      case 'choice':
        this.#parts.push(one(new Uint8Array(this.#rows), values, slot, slots, end, false))
        return
      case 'flag':
        this.#parts.push(this.#bits((row) => values[row * slots + slot] === 1))
        return
      default:
        this.#parts.push(wholes(values, slot, slots, end))
    }
  }

  names(column: Column, values: readonly (string | null)[], known: Map<string, Uint8Array>): void {
    if (column.nullable) {
      let missing = 0
      for (let row = 0; row < this.#rows; row++) if (values[row] === null) missing++
      this.#missing(missing, (row) => values[row] !== null)
    }
    const ends = new Int32Array(this.#rows + 1)
    const found: Uint8Array[] = []
    let used = 0
    for (let row = 0; row < this.#rows; row++) {
      const bytes = encoded(values[row]!, known)
      found.push(bytes)
      used += bytes.length
      ends[row + 1] = used
    }
    const all = new Uint8Array(used)
    for (let row = 0; row < this.#rows; row++) all.set(found[row]!, ends[row]!)
    this.#sizes.push(used)
    this.#parts.push(ends, all)
  }

  texts(column: Column, ends: Int32Array, bytes: Uint8Array, present: Uint8Array): void {
    if (column.nullable) {
      let missing = 0
      for (let row = 0; row < this.#rows; row++) if (present[row] === 0) missing++
      this.#missing(missing, (row) => present[row] === 1)
    }
    this.#sizes.push(bytes.length)
    this.#parts.push(ends.subarray(0, this.#rows + 1), bytes)
  }

  lists(ends: Int32Array, values: Float64Array): void {
    this.#sizes.push(values.length)
    this.#parts.push(ends.subarray(0, this.#rows + 1), values)
  }

  #missing(missing: number, present: (row: number) => boolean): void {
    this.#sizes.push(missing)
    if (missing > 0) this.#parts.push(this.#bits(present))
  }

  #bits(on: (row: number) => boolean): Uint8Array {
    const bits = new Uint8Array((this.#rows + 7) >> 3)
    for (let row = 0; row < this.#rows; row++) if (on(row)) bits[row >> 3]! |= 1 << (row & 7)
    return bits
  }
}

/**
 * One column of the rows. Where there is no value it has a zero, so that the same rows are the same bytes;
 * an array of integers makes a zero of NaN by itself.
 */
const one = <T extends Float64Array | Int32Array | Uint8Array>(
  column: T,
  values: Float64Array,
  slot: number,
  slots: number,
  end: number,
  zeros: boolean,
): T => {
  for (let at = slot, row = 0; at < end; at += slots, row++) {
    const value = values[at]!
    column[row] = zeros && Number.isNaN(value) ? 0 : value
  }
  return column
}

const wholes = (values: Float64Array, slot: number, slots: number, end: number): Int32Array => {
  const column = new Int32Array(Math.floor(end / slots) * 2)
  for (let at = slot, half = 0; at < end; at += slots, half += 2) {
    const value = values[at]!
    const high = Math.floor(value / HIGH)
    column[half] = value - high * HIGH
    column[half + 1] = high
  }
  return column
}

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
