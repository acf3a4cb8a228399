import { readBatch } from '../graph/batch.ts'
import type { Batch, Buffers } from '../graph/batch.ts'
import { HostError } from '../graph/error.ts'
import type { Placed } from '../graph/port.ts'
import { count, int, logged, name, schemaId } from '../graph/schema.ts'
import type { AnySchema, Column, Field } from '../graph/schema.ts'
import { joinedColumns } from './join.ts'
import { fresh } from './memory.ts'
import type { Memory } from './memory.ts'

/** The columns that kt adds to every row that it stores. `(_topic, _part, _off, _row)` names one row. */
const SYSTEM: readonly Column[] = Object.entries({
  _topic: name('topic of the log'),
  _part: int('partition of the topic'),
  _off: count('offset of the record in its partition'),
  _row: int('place of the row in its record'),
  _step: count('step of the shard that wrote it'),
  _epoch: int('epoch of the shard that wrote it'),
}).map(([column, its]) => Object.freeze({ ...(its as Field<unknown>), name: column }))

const known = new WeakMap<AnySchema, AnySchema>()

/**
 * What is stored of an event, in a table or a file: the columns that the log has, and behind them the place
 * of the row.
 */
export const stored = (schema: AnySchema): AnySchema => {
  const found = known.get(schema)
  if (found !== undefined) return found
  const made = Object.freeze({ ...schema, columns: Object.freeze([...logged(schema).columns, ...SYSTEM]) })
  known.set(schema, made)
  return made
}

/**
 * A run of records of one topic partition as one batch of `stored(schema)`. Values are copied in blocks and
 * never looked at; those of a single record stay where they are. Throws KT6001 when a record is of another
 * schema, KT3001 when one cannot be read.
 */
export const joined = (schema: AnySchema, records: readonly Placed[], memory = fresh): Batch => {
  for (const record of records) checkRecord(schema, record)
  const [record] = records
  const { rows, columns } =
    record !== undefined && records.length === 1
      ? alone(schema, record)
      : joinedColumns(schema, records, memory)
  return { schema: stored(schema), rows, columns: [...columns, ...systemColumns(records, rows, memory)] }
}

/** Rows of records, on their way into a table. */
export interface Rows {
  readonly schema: AnySchema
  /** A run of records of one topic partition. */
  readonly records: readonly Placed[]
  /** Their places in the run, where not all are meant. */
  readonly chosen?: readonly number[]
}

/** As `joined`, of the rows that are meant. */
export const batchOf = ({ schema, records, chosen }: Rows, memory?: Memory): Batch => {
  const batch = joined(schema, records, memory)
  return chosen === undefined ? batch : picked(batch, chosen)
}

const alone = (schema: AnySchema, { bytes, rows }: Placed): Batch => {
  const batch = readBatch(logged(schema), bytes)
  // What does not add up is torn, as in a run of records.
  return batch.rows === rows ? batch : { ...batch, ...joinedColumns(schema, [{ bytes, rows }], fresh) }
}

/** The chosen rows, in that order, in fresh memory. */
export const picked = (batch: Batch, rows: readonly number[]): Batch => ({
  schema: batch.schema,
  rows: rows.length,
  columns: batch.columns.map((from) => pickedColumn(from, rows)),
})

const checkRecord = (schema: AnySchema, record: Placed): void => {
  if (record.schema !== schemaId(schema)) {
    const wanted = schemaId(schema)
    throw new HostError(
      'KT6001',
      `a record of "${record.topic}" is "${record.schema}", and its sink stores "${wanted}"`,
      {
        where: `${record.topic}/${record.partition} at ${record.offset}`,
        why: 'The topic was written by a graph with another version of the event.',
        fix: 'Give the topic another name, or run the graph with the version of the event that wrote it.',
        retry: 'never',
      },
    )
  }
}

const NOTHING = {
  missing: 0,
  present: new Uint8Array(0),
  offsets: new Int32Array(0),
  values: new Uint8Array(0),
  floats: new Float64Array(0),
}

/** A column of fixed width; doubles can be had as such. */
const fixed = (bare: Buffers, values: Uint8Array<ArrayBuffer>): Buffers => ({
  ...bare,
  values,
  floats: bare.column.kind === 'float' ? new Float64Array(values.buffer) : bare.floats,
})

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

const joinedBytes = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** The columns of `SYSTEM`. Batches are many and small: what is in all of them is made once. */
const systemColumns = (records: readonly Placed[], rows: number, memory: Memory): readonly Buffers[] => {
  const [first] = records
  const wide = memory.bytes(16 * rows)
  const off = new BigInt64Array(wide.buffer, wide.byteOffset, rows)
  const step = new BigInt64Array(wide.buffer, wide.byteOffset + 8 * rows, rows)
  const ints = (): Int32Array => {
    const { buffer, byteOffset } = memory.bytes(4 * rows)
    return new Int32Array(buffer, byteOffset, rows)
  }
  const row = records.length === 1 ? placesOf(rows) : ints()
  const { partition = 0, epoch: newest = 0 } = first ?? {}
  const epoch = records.every((record) => record.epoch === newest)
    ? epochs.of(newest, rows)
    : new Int32Array(rows)
  let begin = 0
  for (const record of records) {
    const end = begin + record.rows
    off.fill(BigInt(record.offset), begin, end)
    step.fill(BigInt(record.step), begin, end)
    if (records.length > 1) row.set(placesOf(record.rows), begin)
    if (record.epoch !== epoch[begin]) epoch.fill(record.epoch, begin, end)
    begin = end
  }
  const [ofTopic, ...ofNumbers] = SYSTEM
  const numbers = [partitions.of(partition, rows), off, row, step, epoch]
  return [
    { ...NOTHING, column: ofTopic!, ...repeated(first?.topic ?? '', rows) },
    ...ofNumbers.map((column, i) => ({ ...NOTHING, column, values: bytesOf(numbers[i]!) })),
  ]
}

/** Rows of which more are not kept for the next batch. */
const KEPT_ROWS_MAX = 1 << 18

let places = new Int32Array(0)

/** 0, 1, 2 and so on: a view of what is made once. */
const placesOf = (rows: number): Int32Array => {
  if (rows <= places.length) return places.subarray(0, rows)
  const made = Int32Array.from({ length: rows }, (_, at) => at)
  if (rows <= KEPT_ROWS_MAX) places = made
  return made
}

/** A number, as often as there are rows: a view of what is made once, while it is the same number. */
class Repeats {
  #value = 0
  #made = new Int32Array(0)

  of(value: number, rows: number): Int32Array {
    if (this.#value === value && rows <= this.#made.length) return this.#made.subarray(0, rows)
    const made = new Int32Array(rows).fill(value)
    if (rows > KEPT_ROWS_MAX) return made
    this.#value = value
    this.#made = made
    return made
  }
}

const partitions = new Repeats()
const epochs = new Repeats()

const encoder = new TextEncoder()
let lastText = ''
let repeats: Pick<Buffers, 'values' | 'offsets'> = { values: NOTHING.values, offsets: NOTHING.offsets }

/** A text, as often as there are rows: views of what is made once, while it is the same text. */
const repeated = (text: string, rows: number): Pick<Buffers, 'values' | 'offsets'> => {
  const { values, offsets } = repeats
  if (lastText !== text || offsets.length <= rows) {
    const made = repeatedAnew(encoder.encode(text), rows)
    if (rows > KEPT_ROWS_MAX) return made
    lastText = text
    repeats = made
    return made
  }
  return { values: values.subarray(0, offsets[rows]), offsets: offsets.subarray(0, rows + 1) }
}

const repeatedAnew = (text: Uint8Array, rows: number): Pick<Buffers, 'values' | 'offsets'> => {
  const values = new Uint8Array(text.length * rows)
  if (values.length > 0) values.set(text)
  // In ever larger pieces.
  for (let done = text.length; done > 0 && done < values.length; done *= 2) values.copyWithin(done, 0, done)
  const offsets = new Int32Array(rows + 1)
  for (let row = 1; row <= rows; row++) offsets[row] = text.length * row
  return { values, offsets }
}

const bitAt = (bits: Uint8Array, row: number): boolean => (bits[row >> 3]! & (1 << (row & 7))) !== 0

const pickedBits = (bits: Uint8Array, rows: readonly number[]): Uint8Array => {
  const whole = new Uint8Array((rows.length + 7) >> 3)
  rows.forEach((row, at) => {
    if (bitAt(bits, row)) whole[at >> 3]! |= 1 << (at & 7)
  })
  return whole
}

const pickedColumn = (from: Buffers, rows: readonly number[]): Buffers => {
  const { column, offsets, values, floats } = from
  const missing = from.missing === 0 ? 0 : rows.filter((row) => !bitAt(from.present, row)).length
  const present = missing === 0 ? NOTHING.present : pickedBits(from.present, rows)
  const bare = { ...NOTHING, column, missing, present }
  switch (column.kind) {
    case 'text':
    case 'name': {
      const texts = rows.map((row) => values.subarray(offsets[row]!, offsets[row + 1]!))
      return { ...bare, values: joinedBytes(texts), offsets: pickedOffsets(offsets, rows) }
    }
    case 'floats': {
      const lists = rows.map((row) => bytesOf(floats.subarray(offsets[row]!, offsets[row + 1]!)))
      return {
        ...bare,
        floats: new Float64Array(joinedBytes(lists).buffer),
        offsets: pickedOffsets(offsets, rows),
      }
    }
    case 'flag':
      return { ...bare, values: pickedBits(values, rows) }
    default: {
      const width = column.kind === 'choice' ? 1 : column.kind === 'int' ? 4 : 8
      return fixed(bare, joinedBytes(rows.map((row) => values.subarray(width * row, width * (row + 1)))))
    }
  }
}

const pickedOffsets = (offsets: Int32Array, rows: readonly number[]): Int32Array => {
  const whole = new Int32Array(rows.length + 1)
  rows.forEach((row, at) => void (whole[at + 1] = whole[at]! + offsets[row + 1]! - offsets[row]!))
  return whole
}
