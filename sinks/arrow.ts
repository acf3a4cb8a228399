import type { Batch, Buffers } from '../graph/batch.ts'
import { HostError } from '../graph/error.ts'
import type { Placed } from '../graph/port.ts'
import { count, int, logged, name, schemaId } from '../graph/schema.ts'
import type { AnySchema, Column, Field } from '../graph/schema.ts'
import { joinedColumns } from './join.ts'

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
 * A run of records of one topic partition as one batch of `stored(schema)`, in fresh memory. Values are
 * copied in blocks and never looked at. Throws KT6001 when a record is of another schema, KT3001 when one
 * cannot be read.
 */
export const joined = (schema: AnySchema, records: readonly Placed[]): Batch => {
  for (const record of records) checkRecord(schema, record)
  const { rows, columns } = joinedColumns(schema, records)
  return { schema: stored(schema), rows, columns: [...columns, ...systemColumns(records, rows)] }
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

const bytesOf = (floats: Float64Array): Uint8Array =>
  new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength)

const joinedBytes = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const systemColumns = (records: readonly Placed[], rows: number): readonly Buffers[] => {
  const [topic, part, off, row, step, epoch] = SYSTEM as readonly [
    Column,
    Column,
    Column,
    Column,
    Column,
    Column,
  ]
  const of = (column: Column, values: Int32Array | BigInt64Array): Buffers => ({
    ...NOTHING,
    column,
    values: new Uint8Array(values.buffer),
  })
  const ints = (value: (record: Placed) => number): Int32Array => {
    const values = new Int32Array(rows)
    eachRecord(records, (record, begin, end) => values.fill(value(record), begin, end))
    return values
  }
  const counts = (value: (record: Placed) => number): BigInt64Array => {
    const values = new BigInt64Array(rows)
    eachRecord(records, (record, begin, end) => values.fill(BigInt(value(record)), begin, end))
    return values
  }
  const places = new Int32Array(rows)
  eachRecord(records, (_, begin, end) => {
    for (let at = begin; at < end; at++) places[at] = at - begin
  })
  return [
    repeated(topic, records[0]?.topic ?? '', rows),
    of(
      part,
      ints((record) => record.partition),
    ),
    of(
      off,
      counts((record) => record.offset),
    ),
    of(row, places),
    of(
      step,
      counts((record) => record.step),
    ),
    of(
      epoch,
      ints((record) => record.epoch),
    ),
  ]
}

const eachRecord = (
  records: readonly Placed[],
  call: (record: Placed, begin: number, end: number) => void,
): void => {
  let begin = 0
  for (const record of records) {
    const end = begin + record.rows
    call(record, begin, end)
    begin = end
  }
}

const repeated = (column: Column, value: string, rows: number): Buffers => {
  const one = new TextEncoder().encode(value)
  const values = new Uint8Array(one.length * rows)
  const offsets = new Int32Array(rows + 1)
  for (let at = 0; at < values.length; at++) values[at] = one[at % one.length]!
  for (let row = 1; row <= rows; row++) offsets[row] = one.length * row
  return { ...NOTHING, column, values, offsets }
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
