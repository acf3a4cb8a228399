import { intAt, readBatch } from '../graph/batch.ts'
import type { Buffers } from '../graph/batch.ts'
import { headBytes, padded, sizesOf } from '../graph/layout.ts'
import { logged } from '../graph/schema.ts'
import type { AnySchema, Column } from '../graph/schema.ts'
import type { Memory } from './memory.ts'

/** The bytes of one record: its number of rows, and a batch of that many (see graph/layout.ts). */
export interface Joinable {
  readonly rows: number
  readonly bytes: Uint8Array
}

/** One column of the whole while records are appended to it. */
interface Filling {
  readonly column: Column
  /** Where its sizes stand in the heads of records; -1: it has none. */
  readonly missingAt: number
  readonly lengthAt: number
  readonly missing: number
  readonly present: Uint8Array
  readonly offsets: Int32Array
  readonly values: Uint8Array<ArrayBuffer>
  /** Bytes of `values` so far, or members of its lists. */
  used: number
}

/**
 * The logged columns of a run of records, one behind the other. Records are many and small, so nothing is
 * made of one: its buffers are copied from where they lie. Throws KT3001 when a record cannot be read.
 */
export const joinedColumns = (
  schema: AnySchema,
  records: readonly Joinable[],
  memory: Memory,
): { readonly rows: number; readonly columns: readonly Buffers[] } => {
  const layout = logged(schema)
  const sizes = sizesOf(layout)
  const totals = totalsOf(layout, sizes, records)
  const fillings = fillingsOf(layout.columns, totals, memory)
  let begin = 0
  for (const record of records) {
    const end = append(record, fillings, headBytes(sizes), begin)
    // What does not add up is torn; who reads it as one batch says how.
    if (end !== record.bytes.length) readBatch(layout, record.bytes)
    begin += record.rows
  }
  return { rows: begin, columns: fillings.map((one) => buffersOf(one, begin)) }
}

/** The number of rows, then the sums of the sizes. */
const totalsOf = (layout: AnySchema, sizes: number, records: readonly Joinable[]): Float64Array => {
  const totals = new Float64Array(1 + sizes)
  for (const { bytes, rows } of records) {
    if (bytes.length < headBytes(sizes) || intAt(bytes, 0) !== rows) readBatch(layout, bytes)
    for (let at = 0; at <= sizes; at++) totals[at]! += intAt(bytes, 4 * at) >>> 0
  }
  return totals
}

const fillingsOf = (columns: readonly Column[], totals: Float64Array, memory: Memory): readonly Filling[] => {
  const rows = totals[0]!
  let size = 1
  return columns.map((column) => {
    const missingAt = column.nullable ? size++ : -1
    const lengthAt = WIDTHS[column.kind] === undefined && column.kind !== 'flag' ? size++ : -1
    const missing = missingAt < 0 ? 0 : totals[missingAt]!
    const length = lengthAt < 0 ? 0 : totals[lengthAt]!
    return {
      column,
      missingAt,
      lengthAt,
      missing,
      // Bits are only ever set.
      present: missing === 0 ? NONE : memory.bytes((rows + 7) >> 3).fill(0),
      offsets: lengthAt < 0 ? NO_OFFSETS : ints(memory.bytes(4 * (rows + 1))),
      values:
        column.kind === 'flag'
          ? memory.bytes((rows + 7) >> 3).fill(0)
          : memory.bytes(valuesBytes(column, rows, length)),
      used: 0,
    }
  })
}

/** Bytes a row of the columns that have as many in each. */
const WIDTHS: Partial<Record<Column['kind'], number>> = { float: 8, count: 8, micros: 8, int: 4, choice: 1 }
const NONE = new Uint8Array(0)
const NO_FLOATS = new Float64Array(0)
const NO_OFFSETS = new Int32Array(0)

const ints = ({ buffer, byteOffset, length }: Uint8Array<ArrayBuffer>): Int32Array =>
  new Int32Array(buffer, byteOffset, length / 4)

const valuesBytes = (column: Column, rows: number, length: number): number => {
  if (column.kind === 'floats') return 8 * length
  return (WIDTHS[column.kind] ?? 0) * rows + length
}

/** Append one record; returns where its parts end. */
const append = (
  { bytes, rows }: Joinable,
  fillings: readonly Filling[],
  from: number,
  begin: number,
): number => {
  let at = from
  for (let i = 0; i < fillings.length; i++) {
    const to = fillings[i]!
    const missing = to.missingAt < 0 ? 0 : intAt(bytes, 4 * to.missingAt)
    if (to.missing > 0) copyBits(missing > 0 ? bytes : ONES, missing > 0 ? at : -1, rows, to.present, begin)
    if (missing > 0) at += padded((rows + 7) >> 3)
    if (to.lengthAt >= 0) at = appendRuns(bytes, at, rows, intAt(bytes, 4 * to.lengthAt), to, begin)
    else if (to.column.kind === 'flag') {
      copyBits(bytes, at, rows, to.values, begin)
      at += padded((rows + 7) >> 3)
    } else {
      const length = WIDTHS[to.column.kind]! * rows
      copy(bytes, at, length, to.values, to.used)
      to.used += length
      at += padded(length)
    }
  }
  return at
}

/** Texts and lists: where each row begins, and all of their values. */
const appendRuns = (
  bytes: Uint8Array,
  at: number,
  rows: number,
  length: number,
  to: Filling,
  begin: number,
): number => {
  const { offsets } = to
  for (let row = 0; row < rows; row++) offsets[begin + row] = to.used + intAt(bytes, at + 4 * row)
  const width = to.column.kind === 'floats' ? 8 : 1
  const from = at + padded(4 * (rows + 1))
  copy(bytes, from, width * length, to.values, width * to.used)
  to.used += length
  return from + padded(width * length)
}

const buffersOf = (from: Filling, rows: number): Buffers => {
  const { column, missing, present, offsets, values, used } = from
  if (offsets.length > 0) offsets[rows] = used
  const doubles = column.kind === 'float' || column.kind === 'floats'
  const floats = doubles ? new Float64Array(values.buffer, values.byteOffset, values.length / 8) : NO_FLOATS
  return { column, missing, present, offsets, values: column.kind === 'floats' ? NONE : values, floats }
}

/** Below this a loop is quicker than a view and a call. */
const LOOP_MAX = 64

const copy = (from: Uint8Array, at: number, length: number, to: Uint8Array, toAt: number): void => {
  if (length > LOOP_MAX) to.set(from.subarray(at, at + length), toAt)
  else for (let i = 0; i < length; i++) to[toAt + i] = from[at + i]!
}

const ONES = new Uint8Array([255])

/** Bitmaps one behind the other; each begins in the middle of a byte of the whole. At -1: all are set. */
const copyBits = (from: Uint8Array, at: number, bits: number, to: Uint8Array, begin: number): void => {
  const shift = begin & 7
  for (let byte = 0; 8 * byte < bits; byte++) {
    const left = bits - 8 * byte
    const whole = at < 0 ? from[0]! : from[at + byte]!
    const value = left < 8 ? whole & ((1 << left) - 1) : whole
    const place = (begin >> 3) + byte
    to[place]! |= value << shift
    if (shift + left > 8 && shift > 0) to[place + 1]! |= value >> (8 - shift)
  }
}
