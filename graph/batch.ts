import { HostError } from './error.ts'
import { ByteMap } from './byte-map.ts'
import { headBytes, padded, sizesOf } from './layout.ts'
import type { Cells } from './row.ts'
import type { AnySchema, Column } from './schema.ts'

/**
 * The Arrow buffers of one column: which rows have a value (empty: all), where texts and lists begin, and the
 * values. All are views of the batch's bytes.
 */
export interface Buffers {
  readonly column: Column
  readonly missing: number
  readonly present: Uint8Array
  readonly offsets: Int32Array
  readonly values: Uint8Array
  /** A list's values, or a float's. */
  readonly floats: Float64Array
}

/** A batch that was read: columns of one schema, without a copy. */
export interface Batch {
  readonly schema: AnySchema
  readonly rows: number
  readonly columns: readonly Buffers[]
}

const EMPTY = new Uint8Array(0)
const NO_OFFSETS = new Int32Array(0)
const NO_FLOATS = new Float64Array(0)
const decoder = new TextDecoder()

/** Bytes of the values of a column that has as many in each row; 0 for others. */
export const widthOf = (column: Column, rows: number): number => {
  switch (column.kind) {
    case 'float':
    case 'count':
    case 'micros':
      return 8 * rows
    case 'int':
      return 4 * rows
    case 'choice':
      return rows
    case 'flag':
      return (rows + 7) >> 3
    default:
      return 0
  }
}

/**
 * Read a batch. Throws KT3001 when the bytes are not one of this schema; the log's checksum has passed by
 * then.
 */
export const readBatch = (schema: AnySchema, bytes: Uint8Array): Batch => {
  const whole = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice()
  const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength)
  const sizes = sizesOf(schema)
  if (whole.length < headBytes(sizes)) throw torn(schema, 'its head is cut off')
  const rows = view.getUint32(0, true)
  let size = 4
  let at = headBytes(sizes)
  const nextSize = (): number => {
    const value = view.getUint32(size, true)
    size += 4
    return value
  }
  const part = (length: number): Uint8Array => {
    if (at + length > whole.length) throw torn(schema, 'its columns are cut off')
    const found = whole.subarray(at, at + length)
    at += padded(length)
    return found
  }
  const columns = schema.columns.map((column): Buffers => {
    const missing = column.nullable ? nextSize() : 0
    const present = missing === 0 ? EMPTY : part((rows + 7) >> 3)
    const bare = { column, missing, present, offsets: NO_OFFSETS, values: EMPTY, floats: NO_FLOATS }
    if (column.kind === 'text' || column.kind === 'name') {
      const length = nextSize()
      return { ...bare, offsets: int32(part(4 * (rows + 1))), values: part(length) }
    }
    if (column.kind === 'floats') {
      const length = nextSize()
      return { ...bare, offsets: int32(part(4 * (rows + 1))), floats: float64(part(8 * length)) }
    }
    const values = part(widthOf(column, rows))
    return { ...bare, values, floats: column.kind === 'float' ? float64(values) : NO_FLOATS }
  })
  if (at !== whole.length) throw torn(schema, 'bytes are left over')
  return { schema, rows, columns }
}

const torn = (schema: AnySchema, why: string): HostError =>
  new HostError('KT3001', `a batch of "${schema.name}" cannot be read`, {
    why,
    fix: 'The log was written by another version of this schema, or is damaged: run kt doctor.',
    retry: 'never',
  })

const int32 = (bytes: Uint8Array): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
const float64 = (bytes: Uint8Array): Float64Array =>
  new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8)

/** The value of one cell, as the event has it. */
export const cellOf = (buffers: Buffers, row: number): unknown => {
  if (buffers.missing > 0 && (buffers.present[row >> 3]! & (1 << (row & 7))) === 0) return null
  const { column, values, offsets, floats } = buffers
  switch (column.kind) {
    case 'text':
    case 'name':
      return decoder.decode(values.subarray(offsets[row]!, offsets[row + 1]!))
    case 'floats':
      return Array.from(floats.subarray(offsets[row]!, offsets[row + 1]!))
    case 'flag':
      return numberAt('flag', values, floats, row) === 1
    case 'choice':
      return column.values[numberAt('choice', values, floats, row)]
    default:
      return numberAt(column.kind, values, floats, row)
  }
}

/** A 64-bit integer, as the double that holds it exactly. */
export const wholeAt = (values: Uint8Array, row: number): number =>
  intAt(values, 8 * row + 4) * 2 ** 32 + (intAt(values, 8 * row) >>> 0)

/** A little-endian integer of 32 bits, wherever it lies. */
export const intAt = (values: Uint8Array, at: number): number =>
  values[at]! | (values[at + 1]! << 8) | (values[at + 2]! << 16) | (values[at + 3]! << 24)

/**
 * Put one row of a batch into cells: nothing is made of it but the row that reads them. The batch may have
 * columns beyond those of the cells, such as the row's place in its step.
 */
export const fillFrom = (cells: Cells, batch: Batch, row: number): void => {
  const { numbers, names, texts, lists } = cells
  for (let at = 0; at < numbers.length; at++) {
    const { column, missing, present, offsets, values, floats } = batch.columns[at]!
    const none = missing > 0 && (present[row >> 3]! & (1 << (row & 7))) === 0
    switch (column.kind) {
      case 'name':
        names[at] = none ? null : nameOf(values, offsets[row]!, offsets[row + 1]!)
        break
      case 'text':
        if (none) texts[at]!.set(null)
        else texts[at]!.copy(values, offsets[row]!, offsets[row + 1]!)
        break
      case 'floats':
        lists[at]!.copy(floats, offsets[row]!, offsets[row + 1]!)
        break
      default:
        numbers[at] = none ? NaN : numberAt(column.kind, values, floats, row)
    }
  }
}

const numberAt = (kind: Column['kind'], values: Uint8Array, floats: Float64Array, row: number): number => {
  if (kind === 'float') return floats[row]!
  if (kind === 'choice') return values[row]!
  if (kind === 'flag') return (values[row >> 3]! >> (row & 7)) & 1
  if (kind === 'int') return intAt(values, 4 * row)
  return wholeAt(values, row)
}

const known = new ByteMap<string>()

/** Names are few, so that each is decoded once; should they be many, what is known is enough. */
export const nameOf = (bytes: Uint8Array, from: number, to: number): string => {
  const found = known.get(bytes, from, to)
  if (found !== undefined) return found
  const name = decoder.decode(bytes.subarray(from, to))
  if (known.size < NAMES_MAX) known.set(name, name)
  return name
}

const NAMES_MAX = 65_536

/** One row as a plain event. */
export const rowOf = (batch: Batch, row: number): Record<string, unknown> =>
  Object.fromEntries(batch.columns.map((buffers) => [buffers.column.name, cellOf(buffers, row)]))

/** All rows, in order, as plain events. */
export const rowsOf = (batch: Batch): readonly Record<string, unknown>[] =>
  Array.from({ length: batch.rows }, (_, row) => rowOf(batch, row))
