import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readBatch } from '../../graph/batch.ts'
import { logged } from '../../graph/schema.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { isBatch } from '../../graph/sound.ts'
import { batchBytes, eventOf, SCHEMAS } from '../runtime/events.ts'

/** The same, by what reading makes of the bytes. */
const isReadable = (schema: AnySchema, bytes: Uint8Array, rows: number): boolean => {
  try {
    const batch = readBatch(logged(schema), bytes)
    return (
      batch.rows === rows &&
      batch.columns.every(({ column, offsets, values, floats }) => {
        if (column.kind === 'choice') return values.every((code) => code < column.values.length)
        if (offsets.length === 0) return true
        const ends = [...offsets]
        const length = column.kind === 'floats' ? floats.length : values.length
        return (
          ends[0] === 0 && ends.at(-1) === length && ends.every((end, i) => i === 0 || end >= ends[i - 1]!)
        )
      })
    )
  } catch {
    return false
  }
}

const ROWS = 3

test.each(SCHEMAS)('a batch is one, and is none when any byte says otherwise: $name', (schema) => {
  const rows = fc.sample(fc.array(eventOf(schema), { minLength: ROWS, maxLength: ROWS }), {
    numRuns: 1,
    seed: 7,
  })[0]!
  const good = batchBytes(schema, rows)
  const is = (bytes: Uint8Array, count = ROWS): boolean => isBatch(logged(schema), bytes, count)
  expect(is(good)).toBe(true)
  expect([is(good, ROWS - 1), is(good, ROWS + 1), is(good.subarray(0, -8)), is(new Uint8Array(0))]).toEqual([
    false,
    false,
    false,
    false,
  ])
  expect(is(new Uint8Array([...good, ...new Uint8Array(8)]))).toBe(false)
  for (const mask of [1, 2, 128, 255])
    for (let at = 0; at < good.length; at++) {
      const bytes = good.slice()
      bytes[at]! ^= mask
      expect([at, mask, is(bytes)]).toEqual([at, mask, isReadable(schema, bytes, ROWS)])
    }
})
