import { intAt, wholeAt } from '../../graph/batch.ts'
import type { Batch, Buffers } from '../../graph/batch.ts'
import type { AnySchema } from '../../graph/schema.ts'
import type { Bytes } from './bytes.ts'
import { putNumber, putWhole } from './decimal.ts'

const encoder = new TextEncoder()
const [QUOTE, BACKSLASH, COMMA, OPEN, CLOSE, BRACE] = [0x22, 0x5c, 0x2c, 0x5b, 0x5d, 0x7d]

/**
 * Write rows of batches as JSON objects, each on one line: a property for each column, in the order of the
 * schema. Numbers read back as the same doubles; times are microseconds. What JSON has no number for is the
 * text `NaN`, `Infinity` or `-Infinity`.
 */
export const jsonWriting = ({ columns }: AnySchema): ((to: Bytes, batch: Batch, row: number) => void) => {
  const heads = columns.map(({ name }, at) =>
    encoder.encode(`${at === 0 ? '{' : ','}${JSON.stringify(name)}:`),
  )
  const choices = columns.map(({ values }) => values.map((value) => encoder.encode(JSON.stringify(value))))
  return (to, batch, row) => {
    for (let at = 0; at < heads.length; at++) {
      to.copy(heads[at]!)
      putValue(to, batch.columns[at]!, row, choices[at]!)
    }
    to.byte(BRACE)
  }
}

const putValue = (to: Bytes, from: Buffers, row: number, choices: readonly Uint8Array[]): void => {
  const { column, values, offsets, floats } = from
  if (from.missing > 0 && (from.present[row >> 3]! & (1 << (row & 7))) === 0) return to.ascii('null')
  switch (column.kind) {
    case 'text':
    case 'name':
      return putText(to, values, offsets[row]!, offsets[row + 1]!)
    case 'float':
      return putNumber(to, floats[row]!)
    case 'floats':
      return putList(to, floats, offsets[row]!, offsets[row + 1]!)
    case 'choice':
      return to.copy(choices[values[row]!]!)
    case 'flag':
      return to.ascii(((values[row >> 3]! >> (row & 7)) & 1) === 1 ? 'true' : 'false')
    case 'int':
      return putWhole(to, intAt(values, 4 * row))
    default:
      return putWhole(to, wholeAt(values, row))
  }
}

/** A text of UTF-8 as it lies in the batch: only what JSON does not take is written otherwise. */
const putText = (to: Bytes, from: Uint8Array, start: number, end: number): void => {
  to.room(6 * (end - start) + 2)
  const { bytes } = to
  let at = to.length
  bytes[at++] = QUOTE
  for (let i = start; i < end; i++) {
    const byte = from[i]!
    if (byte < 0x20) {
      to.length = at
      to.ascii(`\\u00${byte < 16 ? '0' : ''}${byte.toString(16)}`)
      at = to.length
      continue
    }
    if (byte === QUOTE || byte === BACKSLASH) bytes[at++] = BACKSLASH
    bytes[at++] = byte
  }
  bytes[at++] = QUOTE
  to.length = at
}

const putList = (to: Bytes, floats: Float64Array, start: number, end: number): void => {
  to.byte(OPEN)
  for (let i = start; i < end; i++) {
    if (i > start) to.byte(COMMA)
    putNumber(to, floats[i]!)
  }
  to.byte(CLOSE)
}
