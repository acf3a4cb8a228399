import { intAt } from '../../graph/batch.ts'
import type { Batch, Buffers } from '../../graph/batch.ts'
import type { AnySchema } from '../../graph/schema.ts'
import type { Bytes } from './bytes.ts'

/** The bytes before each event, as Confluent's serializers write them: a zero, and the id of the schema. */
export const HEAD_BYTES = 5

const encoder = new TextEncoder()
const double = new Float64Array(1)
const doubleBytes = new Uint8Array(double.buffer)

/**
 * Write rows of batches as Avro of their `avroSchema`, which the registry knows by this id.
 *
 * @see https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html
 */
export const avroWriting = (
  { columns }: AnySchema,
  id: number,
): ((to: Bytes, batch: Batch, row: number) => void) => {
  const head = new Uint8Array(HEAD_BYTES)
  new DataView(head.buffer).setUint32(1, id)
  const choices = columns.map(({ values }) => values.map((value) => encoder.encode(value)))
  return (to, batch, row) => {
    to.copy(head)
    for (let at = 0; at < choices.length; at++) putValue(to, batch.columns[at]!, row, choices[at]!)
  }
}

const putValue = (to: Bytes, from: Buffers, row: number, choices: readonly Uint8Array[]): void => {
  const { column, values, offsets, floats } = from
  if (column.nullable) {
    const none = from.missing > 0 && (from.present[row >> 3]! & (1 << (row & 7))) === 0
    to.byte(none ? 0 : 2)
    if (none) return
  }
  switch (column.kind) {
    case 'text':
    case 'name':
      return putText(to, values, offsets[row]!, offsets[row + 1]!)
    case 'choice': {
      const choice = choices[values[row]!]!
      return putText(to, choice, 0, choice.length)
    }
    case 'float':
      return putDouble(to, floats[row]!)
    case 'floats':
      return putList(to, floats, offsets[row]!, offsets[row + 1]!)
    case 'flag':
      return to.byte((values[row >> 3]! >> (row & 7)) & 1)
    case 'int': {
      const value = intAt(values, 4 * row)
      return putLong(to, value, value >> 31)
    }
    default:
      return putLong(to, intAt(values, 8 * row), intAt(values, 8 * row + 4))
  }
}

/** An integer of 64 bits, given as its lower and its upper half: zigzag, then seven bits a byte. */
const putLong = (to: Bytes, low: number, high: number): void => {
  const sign = high >> 31
  let least = ((low << 1) ^ sign) >>> 0
  let most = (((high << 1) | (low >>> 31)) ^ sign) >>> 0
  to.room(10)
  const { bytes } = to
  let at = to.length
  while (most !== 0 || least > 0x7f) {
    bytes[at++] = (least & 0x7f) | 0x80
    least = ((least >>> 7) | (most << 25)) >>> 0
    most >>>= 7
  }
  bytes[at++] = least
  to.length = at
}

const putText = (to: Bytes, from: Uint8Array, start: number, end: number): void => {
  putLong(to, end - start, 0)
  to.copy(from, start, end)
}

const putDouble = (to: Bytes, value: number): void => {
  double[0] = value
  to.copy(doubleBytes)
}

/** One block of all of them, and the block of none that ends a list. */
const putList = (to: Bytes, floats: Float64Array, start: number, end: number): void => {
  if (end > start) {
    putLong(to, end - start, 0)
    to.copy(new Uint8Array(floats.buffer, floats.byteOffset + 8 * start, 8 * (end - start)))
  }
  to.byte(0)
}
