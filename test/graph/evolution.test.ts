import { describe, expect, test } from 'vitest'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import { Columns } from '../../graph/columns.ts'
import { describeSchema, evolution } from '../../graph/evolution.ts'
import { present } from '../../graph/present.ts'
import { choice, count, flag, float, floats, int, logged, micros, name, optional, schema, schemaId, text } from '../../graph/schema.ts'
import type { AnySchema, Field } from '../../graph/schema.ts'
import { schemaAt, since, widened } from '../../graph/schema-versions.ts'
import { randomOf } from '../random.ts'

/** A schema whose event type does not matter here. */
const of = (version: number, fields: Readonly<Record<string, Field<never>>>): AnySchema =>
  schema<never>('tick' as never, 'a tick', fields as never, version)
const field = <T>(made: Field<T>): Field<never> => made as unknown as Field<never>

const first = {
  venue: field(name('who')),
  time: field(micros('when')),
  size: field(int('how much')),
  trades: field(count('how many')),
  side: field(choice('which', 'buy', 'sell')),
  id: field(name('which')),
  snapshot: field(flag('whole')),
  prices: field(floats('levels')),
  note: field(text('what else')),
  grade: field(optional(choice('how good', 'good', 'schön'))),
  left: field(optional(int('how many are left'))),
}
const one = of(1, first)
const two = of(2, { ...first, fee: field(since(2, optional(float('of it')))), size: field(widened(2, int(''), count('how much'))) })
const three = of(3, {
  ...first,
  fee: field(since(2, optional(float('of it')))),
  flags: field(since(3, optional(text('more')))),
  size: field(widened(3, widened(2, int(''), count('')), float('how much'))),
  trades: field(widened(3, count(''), optional(float('how many')))),
  side: field(widened(3, choice('', 'buy', 'sell'), choice('which', 'buy', 'sell', 'none'))),
  id: field(widened(3, name(''), text('which'))),
  note: field(widened(3, text(''), optional(text('what else')))),
  grade: field(widened(3, optional(choice('', 'good', 'schön')), optional(text('how good')))),
  left: field(widened(3, optional(int('')), optional(count('how many are left')))),
})

const rowsAt = (seed: number, many: number) => {
  const draw = randomOf(seed)
  return Array.from({ length: many }, (_, at) => ({
    venue: ['a', 'b'][draw(2)]!,
    time: 1_700_000_000_000_000 + at,
    size: draw(2 ** 31) - 2 ** 30,
    trades: draw(2 ** 30) * 2 ** 20,
    side: ['buy', 'sell'][draw(2)]!,
    id: `id ${draw(9)} é`,
    snapshot: draw(2) === 1,
    prices: Array.from({ length: draw(4) }, () => draw(1000) / 8),
    note: 'x'.repeat(draw(40)),
    grade: ['good', 'schön', null][draw(3)]!,
    left: [null, -draw(2 ** 31), draw(2 ** 31)][draw(3)]!,
  }))
}

const recordOf = (of: AnySchema, rows: readonly object[]) => {
  const columns = new Columns(logged(of))
  rows.forEach((row, at) => columns.add(row, 3 * at))
  return { topic: 'tick', partition: 0, schema: schemaId(of), ...columns.take() }
}

describe('a record of an older version', () => {
  test.each([1, 2, 3, 4])('is read as the present one would have been written (seed %i)', (seed) => {
    const rows = rowsAt(seed, 50)
    const read = (now: AnySchema, from: AnySchema, given: readonly object[]) => {
      const made = present(now, recordOf(from, given))
      expect(made.schema).toBe(schemaId(now))
      const nothing = Object.fromEntries(now.columns.map((column) => [column.name, null]))
      expect(made.bytes).toEqual(recordOf(now, given.map((row) => ({ ...nothing, ...row }))).bytes)
      return rowsOf(readBatch(logged(now), made.bytes))
    }
    const order = (at: number) => ({ _order: 3 * at })
    expect(read(two, one, rows)).toEqual(rows.map((row, at) => ({ ...row, fee: null, ...order(at) })))
    expect(read(three, one, rows)).toEqual(rows.map((row, at) => ({ ...row, fee: null, flags: null, ...order(at) })))
    const withFee = rows.map((row, at) => ({ ...row, fee: at % 3 === 0 ? null : at / 4 }))
    expect(read(three, two, withFee)).toEqual(withFee.map((row, at) => ({ ...row, flags: null, ...order(at) })))
  })

  test('of the present version is handed back as it is', () => {
    const record = recordOf(two, [])
    expect(present(two, record)).toBe(record)
  })

  test.each(['tick/4', 'tick/0', 'other/1', 'tick'])('of nobody we know is refused: %s', (id) => {
    expect(() => present(three, { ...recordOf(one, []), schema: id })).toThrow(
      expect.objectContaining({ code: 'KT6001' }) as Error,
    )
  })

  test('has the columns, in their order, that its version had', () => {
    const names = (of: AnySchema | undefined) => of?.columns.map(({ name: column, kind }) => `${column} ${kind}`)
    expect(names(schemaAt(three, 1))).toEqual(names(one))
    expect(names(schemaAt(three, 2))!.toSorted()).toEqual(names(two)!.toSorted())
    expect(schemaAt(three, 4)).toBeUndefined()
  })
})

describe('a schema that says how it came about', () => {
  test.each<readonly [string, number, Readonly<Record<string, Field<never>>>]>([
    ['a new column that every row has', 2, { ...first, fee: field(since(2, float(''))) }],
    ['a version that nothing changed', 2, first],
    ['a version that is left out', 3, { ...first, fee: field(since(3, optional(float('')))) }],
    ['a column of a later version', 1, { ...first, fee: field(since(2, optional(float('')))) }],
    ['a narrower type', 2, { ...first, size: field(widened(2, count(''), int(''))) }],
    ['another type', 2, { ...first, size: field(widened(2, int(''), text(''))) }],
    ['choices in another order', 2, { ...first, side: field(widened(2, choice('', 'buy', 'sell'), choice('', 'sell', 'buy'))) }],
    ['a value that may not be missing any more', 2, { ...first, note: field(widened(2, optional(text('')), text(''))) }],
    ['a column that was something before it was there', 2, { ...first, fee: field(since(2, widened(2, int(''), optional(float(''))))) }],
  ])('is refused with %s', (_, version, fields) => {
    expect(() => of(version, fields)).toThrow(expect.objectContaining({ code: 'KT1024' }) as Error)
  })
})

describe('what a topic holds', () => {
  const from = (now: AnySchema, before: AnySchema = one) => () => evolution('tick', describeSchema(before), now)
  const refused = (why: string) => expect.objectContaining({ code: 'KT1025', why: expect.stringContaining(why) as string }) as Error

  test('may gain columns, and hold more in those that it has', () => {
    expect(from(one)()).toEqual([])
    expect(from(two)()).toEqual([
      { column: 'size', what: 'widened', how: 'int -> count' },
      { column: 'fee', what: 'added', how: 'optional float' },
    ])
    expect(from(three, two)().map(({ column, how }) => `${column}: ${how}`)).toEqual([
      'size: count -> float',
      'trades: count -> optional float',
      'side: choice of buy, sell -> choice of buy, sell, none',
      'id: name -> text',
      'note: text -> optional text',
      'grade: optional choice of good, schön -> optional text',
      'left: optional int -> optional count',
      'flags: optional text',
    ])
  })

  test.each<readonly [string, AnySchema, AnySchema]>([
    ['Column "note" is gone', (() => { const { note, ...rest } = first; void note; return of(1, rest) })(), one],
    ['Column "size" was int, and is flag', of(1, { ...first, size: field(flag('')) }), one],
    ['They are of version 2', one, two],
    ['Column "fee" was not there', of(1, { ...first, fee: field(optional(float(''))) }), one],
    ['Column "size" was int in version 1, and does not say so', of(1, { ...first, size: field(count('')) }), one],
    ['stood elsewhere', of(1, Object.fromEntries(Object.entries(first).reverse())), one],
    ['They are of the event "other"', one, { ...one, name: 'other' }],
  ])('and not lose any: %s', (why, now, before) => {
    expect(from(now, before)).toThrow(refused(why))
  })
})
