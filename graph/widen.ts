import { widthOf } from './batch.ts'
import type { Batch, Buffers } from './batch.ts'
import { headBytes, padded } from './layout.ts'
import type { AnySchema, Column } from './schema.ts'

/**
 * A batch of an older version as one of the present schema, column by column: what it has is copied, what it
 * held in a narrower column is converted, and what it lacks is missing. The same bytes as if its rows had
 * been written by the present version.
 */
export const widenBatch = (schema: AnySchema, old: Batch): Uint8Array => {
  const { rows } = old
  const sizes = [rows]
  const parts: Uint8Array[] = []
  for (const column of schema.columns) {
    const from = old.columns.find((one) => one.column.name === column.name)
    const missing = from === undefined ? rows : from.missing
    if (column.nullable) sizes.push(missing)
    if (missing > 0) parts.push(from?.present ?? new Uint8Array((rows + 7) >> 3))
    if (column.kind === 'text' || column.kind === 'name' || column.kind === 'floats') {
      const { offsets, values, length } = runsOf(from, rows)
      sizes.push(length)
      parts.push(bytesOf(offsets), values)
    } else
      parts.push(from === undefined ? new Uint8Array(widthOf(column, rows)) : fixedOf(column, from, rows))
  }
  return whole(sizes, parts)
}

/** One behind the other, each padded, with the sizes before them. */
const whole = (sizes: readonly number[], parts: readonly Uint8Array[]): Uint8Array => {
  const head = headBytes(sizes.length - 1)
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + padded(part.length), head))
  const view = new DataView(bytes.buffer)
  for (const [at, size] of sizes.entries()) view.setUint32(4 * at, size, true)
  let at = head
  for (const part of parts) {
    bytes.set(part, at)
    at += padded(part.length)
  }
  return bytes
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength)

interface Runs {
  readonly offsets: Int32Array
  readonly values: Uint8Array
  /** How many values: bytes of texts, or members of lists. */
  readonly length: number
}

/** Texts, names and lists. */
const runsOf = (from: Buffers | undefined, rows: number): Runs => {
  if (from === undefined) return { offsets: new Int32Array(rows + 1), values: new Uint8Array(0), length: 0 }
  const { column, offsets, values, floats } = from
  if (column.kind === 'choice') return textsOf(from, rows)
  if (column.kind === 'floats') return { offsets, values: bytesOf(floats), length: floats.length }
  return { offsets, values, length: values.length }
}

const encoder = new TextEncoder()

const textsOf = ({ column, missing, present, values: codes }: Buffers, rows: number): Runs => {
  const texts = column.values.map((value) => encoder.encode(value))
  const chosen = Array.from({ length: rows }, (_, row) =>
    missing > 0 && (present[row >> 3]! & (1 << (row & 7))) === 0 ? NOTHING : texts[codes[row]!]!,
  )
  const offsets = new Int32Array(rows + 1)
  for (const [row, text] of chosen.entries()) offsets[row + 1] = offsets[row]! + text.length
  const values = new Uint8Array(offsets[rows]!)
  for (const [row, text] of chosen.entries()) values.set(text, offsets[row]!)
  return { offsets, values, length: values.length }
}

const NOTHING = new Uint8Array(0)

/** Numbers, choices and flags. */
const fixedOf = (column: Column, { column: { kind }, values }: Buffers, rows: number): Uint8Array => {
  if (kind === column.kind) return values
  const ints = new Int32Array(values.buffer, values.byteOffset, values.length / 4)
  if (kind === 'int') return bytesOf(column.kind === 'float' ? Float64Array.from(ints) : wholesOf(ints))
  return bytesOf(
    Float64Array.from({ length: rows }, (_, row) => ints[2 * row + 1]! * HIGH + (ints[2 * row]! >>> 0)),
  )
}

const HIGH = 2 ** 32

/** As 64 bits, the low half first. */
const wholesOf = (ints: Int32Array): Int32Array => {
  const halves = new Int32Array(2 * ints.length)
  for (const [at, value] of ints.entries()) {
    halves[2 * at] = value
    halves[2 * at + 1] = value >> 31
  }
  return halves
}
