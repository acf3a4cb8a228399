import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readBatch, rowOf, rowsOf } from '../../graph/batch.ts'
import { Columns } from '../../graph/columns.ts'
import { KtError } from '../../graph/error.ts'
import { sharedCells } from '../../graph/row.ts'
import { logged } from '../../graph/schema.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { avroReading } from '../../runtime/format/avro-reading.ts'
import { avroSchema } from '../../runtime/format/avro-schema.ts'
import { avroWriting } from '../../runtime/format/avro-writing.ts'
import { Bytes } from '../../runtime/format/bytes.ts'
import { readJson } from '../../runtime/format/json-reading.ts'
import { jsonSchema } from '../../runtime/format/json-schema.ts'
import { jsonWriting } from '../../runtime/format/json-writing.ts'
import { marketTables } from '../../sinks/clickhouse/market.ts'
import { batchOf, eventOf, SCHEMAS } from './events.ts'
import type { Row } from './events.ts'
import { peerType } from './avro-peer.ts'
import { fits } from './json-schema-check.ts'

const ID = 0x01020304
const NAMED = SCHEMAS.map((schema) => [schema.name, schema] as const)

/** The rows of a schema written one by one. */
const written = (of: AnySchema, rows: readonly Row[], form: 'json' | 'avro'): readonly Uint8Array[] => {
  const batch = batchOf(of, rows)
  const write = form === 'json' ? jsonWriting(logged(of)) : avroWriting(logged(of), ID)
  const to = new Bytes()
  return rows.map((_, row) => {
    write(to, batch, row)
    return to.cut()
  })
}

/** An event read back, through cells and a batch, with its place. */
const readBack = (of: AnySchema, bytes: Uint8Array, form: 'json' | 'avro'): Row => {
  const cells = sharedCells(logged(of))
  if (form === 'json') readJson(bytes, cells)
  else avroReading(logged(of), avroSchema(logged(of)))(bytes, cells)
  const columns = new Columns(logged(of))
  columns.add(cells.row, cells.numbers.at(-1), cells)
  return rowOf(readBatch(logged(of), columns.take().bytes), 0)
}

/** What another program makes of the same bytes. */
const foreign = (of: AnySchema, bytes: Uint8Array, form: 'json' | 'avro'): unknown => {
  if (form === 'json')
    return JSON.parse(new TextDecoder().decode(bytes), (_, value: unknown) => special(value))
  const type = peerType(avroSchema(logged(of)))
  return { ...(type.fromBuffer(Buffer.from(bytes.subarray(5))) as object) }
}

const special = (value: unknown): unknown =>
  value === 'Infinity' || value === '-Infinity' ? Number(value) : value

const codeOf = (call: () => unknown): string => {
  try {
    call()
    return 'none'
  } catch (error) {
    return error instanceof KtError ? error.code : String(error)
  }
}

describe.each(['json', 'avro'] as const)('events as %s', (form) => {
  test.each(NAMED)('are what they were when they are read again: %s', (_, schema) => {
    fc.assert(
      fc.property(fc.array(eventOf(schema), { minLength: 1, maxLength: 8 }), (rows) => {
        const expected = rowsOf(batchOf(schema, rows))
        expect(written(schema, rows, form).map((bytes) => readBack(schema, bytes, form))).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })

  test.each(NAMED)('are read by others as they were written: %s', (_, schema) => {
    fc.assert(
      fc.property(eventOf(schema), (row) => {
        const [bytes] = written(schema, [row], form)
        expect(foreign(schema, bytes!, form)).toEqual(rowOf(batchOf(schema, [row]), 0))
      }),
      { numRuns: 60 },
    )
  })

  test.each(NAMED)('that are cut short, or go on, are refused: %s', (_, schema) => {
    fc.assert(
      fc.property(eventOf(schema), fc.nat(), (row, at) => {
        const [bytes] = written(schema, [row], form)
        const least = form === 'avro' ? 5 : 0
        const cut = least + (at % (bytes!.length - least))
        expect(codeOf(() => readBack(schema, bytes!.subarray(0, cut), form))).toBe('KT3001')
        expect(codeOf(() => readBack(schema, Buffer.concat([bytes!, Buffer.from('1')]), form))).toBe('KT3001')
      }),
      { numRuns: 60 },
    )
  })

  test.each(NAMED)('that are damaged are refused, or what another program reads there: %s', (_, schema) => {
    fc.assert(
      fc.property(eventOf(schema), fc.nat(), fc.integer({ min: 1, max: 255 }), (row, at, by) => {
        const bytes = written(schema, [row], form)[0]!.slice()
        const least = form === 'avro' ? 5 : 0
        const place = least + (at % (bytes.length - least))
        bytes[place] = bytes[place]! ^ by
        let read: Row
        try {
          read = readBack(schema, bytes, form)
        } catch (error) {
          expect(error).toMatchObject({ code: 'KT3001' })
          return
        }
        expect(plainZeros(read)).toEqual(plainZeros(foreign(schema, bytes, form)))
      }),
      { numRuns: 200 },
    )
  })
})

/** A whole number has one zero, and a missing double is not a number. */
const plainZeros = (row: unknown): unknown =>
  JSON.parse(JSON.stringify(row, (_, value: unknown) => (Number.isNaN(value) ? null : value)))

describe('an event as JSON', () => {
  test('fits its JSON Schema, on one line', () => {
    for (const schema of SCHEMAS)
      fc.assert(
        fc.property(eventOf(schema), (row) => {
          const text = new TextDecoder().decode(written(schema, [row], 'json')[0])
          expect(text).not.toContain('\n')
          expect(fits(jsonSchema(logged(schema)), JSON.parse(text.replaceAll(/"-?Infinity"/g, '0')))).toEqual(
            [],
          )
        }),
        { numRuns: 30 },
      )
  })
})

describe('an event as Avro', () => {
  test.each(NAMED)('is read as another program writes it: %s', (_, schema) => {
    const type = peerType(avroSchema(logged(schema)))
    fc.assert(
      fc.property(eventOf(schema), (row) => {
        const [event] = rowsOf(batchOf(schema, [row]))
        const bytes = Buffer.concat([Buffer.from([0, 1, 2, 3, 4]), type.toBuffer(event)])
        expect(readBack(schema, bytes, 'avro')).toEqual(event)
        expect(Buffer.from(written(schema, [row], 'avro')[0]!)).toEqual(bytes)
      }),
      { numRuns: 60 },
    )
  })
})

describe('what follows from a schema', () => {
  const all = (of: (schema: AnySchema) => unknown): string =>
    `${JSON.stringify(Object.fromEntries(marketTables.map(({ schema }) => [schema.name, of(logged(schema))])), null, 2)}\n`

  test('is a JSON Schema', async () => {
    await expect(all(jsonSchema)).toMatchFileSnapshot('golden/json-schema.json')
  })

  test('is an Avro schema', async () => {
    await expect(all(avroSchema)).toMatchFileSnapshot('golden/avro-schema.json')
  })
})
