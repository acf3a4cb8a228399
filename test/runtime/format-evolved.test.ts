import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import { Columns } from '../../graph/columns.ts'
import { present } from '../../graph/present.ts'
import { sharedCells } from '../../graph/row.ts'
import { count, logged, micros, schema } from '../../graph/schema.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { schemaAt } from '../../graph/schema-versions.ts'
import { avroReading } from '../../runtime/format/avro-reading.ts'
import { avroSchema } from '../../runtime/format/avro-schema.ts'
import { avroWriting } from '../../runtime/format/avro-writing.ts'
import { Bytes } from '../../runtime/format/bytes.ts'
import { peerType } from './avro-peer.ts'
import { batchBytes, batchOf, eventOf } from './events.ts'
import type { Row } from './events.ts'
import { evolved, WAYS } from './evolved-events.ts'

const evolutions = fc.constantFrom(...WAYS).chain(([from, to]) => {
  const now = evolved(from, to)
  const before = schemaAt(now, 1)!
  return eventOf(before).map((row) => ({ now, before, row }))
})

const written = (of: AnySchema, row: Row): Uint8Array => {
  const to = new Bytes()
  avroWriting(logged(of), 7)(to, batchOf(of, [row]), 0)
  return to.cut()
}

const plain = (value: object): Row => ({ ...value }) as Row

describe('an event of Avro that has changed as kt lets it', () => {
  test('is read as a batch of the same change would be, and as another program reads it', () => {
    fc.assert(
      fc.property(evolutions, ({ now, before, row }) => {
        const bytes = written(before, row)
        const [writer, reader] = [avroSchema(logged(before)), avroSchema(logged(now))]
        const cells = sharedCells(logged(now))
        avroReading(logged(now), writer)(bytes, cells)
        const columns = new Columns(logged(now))
        columns.add(cells.row, cells.numbers.at(-1), cells)
        const [read] = rowsOf(readBatch(logged(now), columns.take().bytes))
        const record = { topic: 't', partition: 0, schema: 'e/1', rows: 1, bytes: batchBytes(before, [row]) }
        expect(read).toEqual(rowsOf(readBatch(logged(now), present(now, record).bytes))[0])
        // The peer holds a long that becomes a double only up to 2^52.
        if (Math.abs(Number(row['one'])) > 2 ** 52) return
        const peer = peerType(reader)
        const resolver = peer.createResolver(peerType(writer))
        expect(plain(peer.fromBuffer(Buffer.from(bytes.subarray(5)), resolver) as object)).toEqual(read)
      }),
      { numRuns: 400 },
    )
  })

  test.each([
    ['another record', { type: 'record', name: 'f', fields: [] }],
    ['no record', 'string'],
    ['nothing', null],
    ['a column that is missing', { type: 'record', name: 'e', fields: [{ name: 'one', type: 'int' }] }],
    ['times of another unit', fieldsWith({ type: 'long', logicalType: 'timestamp-millis' })],
    ['times without a unit', fieldsWith('long')],
    ['a narrower reader', fieldsWith('double')],
    ['bytes', fieldsWith('bytes')],
    [
      'a map that is to be passed',
      fieldsWith('long', { name: 'other', type: { type: 'map', values: 'long' } }),
    ],
  ])('is refused where its schema cannot be read: %s', (_, writer) => {
    const reader = schema('e' as never, 'an event', { one: micros('when') } as never)
    expect(() => avroReading(logged(reader), writer)).toThrow(expect.objectContaining({ code: 'KT3043' }))
  })

  test('may have fields that the reader lacks', () => {
    const reader = schema('e' as never, 'an event', { one: count('how many') } as never)
    const others = [
      { name: 'a', type: 'string' },
      { name: 'b', type: ['null', { type: 'array', items: ['null', 'float'] }] },
      { name: 'c', type: 'boolean' },
    ]
    const writer = { type: 'record', name: 'kt.e', fields: [...others, { name: 'one', type: 'int' }, ORDER] }
    const event = { a: 'ü', b: [null, 1.5], c: true, one: -5, _order: 3 }
    const bytes = Buffer.concat([Buffer.alloc(5), peerType(writer).toBuffer(event)])
    const cells = sharedCells(logged(reader))
    avroReading(logged(reader), writer)(bytes, cells)
    expect(plain(cells.row)).toEqual({ one: -5, _order: 3 })
  })
})

const ORDER = { name: '_order', type: 'int' }

function fieldsWith(type: unknown, ...more: readonly object[]): object {
  return {
    type: 'record',
    name: 'e',
    fields: [{ name: 'one', type }, ...more, { name: '_order', type: 'int' }],
  }
}
