import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fillFrom, readBatch, rowsOf } from '../../graph/batch.ts'
import { Columns } from '../../graph/columns.ts'
import { cellsOf, fillCells, kept, sharedCells } from '../../graph/row.ts'
import { choice, count, flag, float, floats, int, logged, micros, name, optional, schema, text } from '../../graph/schema.ts'
import { listed } from '../listed.ts'
import type { AnySchema, Event, FieldsOf, Floats } from '../../graph/schema.ts'

interface All extends Event<'all'> {
  readonly name: string
  readonly text: string
  readonly float: number
  readonly count: number
  readonly int: number
  readonly micros: number
  readonly flag: boolean
  readonly choice: 'a' | 'b' | 'c'
  readonly floats: Floats
  readonly nameOrNot: string | null
  readonly textOrNot: string | null
  readonly floatOrNot: number | null
  readonly countOrNot: number | null
  readonly flagOrNot: boolean | null
  readonly choiceOrNot: 'x' | 'y' | null
}

const fields: FieldsOf<All> = {
  name: name(''), text: text(''), float: float(''), count: count(''), int: int(''), micros: micros(''), flag: flag(''),
  choice: choice('', 'a', 'b', 'c'), floats: floats(''), nameOrNot: optional(name('')), textOrNot: optional(text('')),
  floatOrNot: optional(float('')), countOrNot: optional(count('')), flagOrNot: optional(flag('')), choiceOrNot: optional(choice('', 'x', 'y')),
}
const all = schema<All>('all', 'every kind of column', fields)

const whole = fc.maxSafeInteger()
const real = fc.double({ noNaN: true })
const words = fc.oneof(fc.constantFrom('binance', 'ä€😀', ''), fc.string({ unit: 'grapheme', maxLength: 80 }))
const or = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(of, { nil: null })
const row: fc.Arbitrary<All> = fc.record({
  name: words, text: words, float: real, count: whole, int: fc.integer(), micros: whole, flag: fc.boolean(),
  choice: fc.constantFrom('a', 'b', 'c'), floats: fc.array(real, { maxLength: 40 }), nameOrNot: or(words), textOrNot: or(words),
  floatOrNot: or(real), countOrNot: or(whole), flagOrNot: or(fc.boolean()), choiceOrNot: or(fc.constantFrom('x', 'y')),
})
const batches = fc.array(fc.array(row, { minLength: 1, maxLength: 70 }), { minLength: 1, maxLength: 3 })

const flown = (of: AnySchema, value: object): object => {
  const cells = sharedCells(of)
  fillCells(cells, value as Readonly<Record<string, unknown>>)
  return cells.row
}
/** Zeros have a sign in a float, and none in a whole number. */
const asWritten = (value: All): object => ({
  ...value,
  count: value.count + 0, int: value.int + 0, micros: value.micros + 0, countOrNot: value.countOrNot === null ? null : value.countOrNot + 0,
})

describe('the columns of a batch', () => {
  test('read back as the rows that were added, batch after batch', () => {
    fc.assert(fc.property(batches, (many) => {
      const columns = new Columns(all)
      for (const rows of many) {
        for (const one of rows) columns.add(one)
        const { rows: found, bytes } = columns.take()
        expect(found).toBe(rows.length)
        expect(rowsOf(readBatch(all, bytes))).toEqual(rows.map(asWritten))
      }
    }), { numRuns: 150 })
  })

  test('are the same bytes whether a row comes as an object or in cells', () => {
    fc.assert(fc.property(batches, (many) => {
      const [plain, cells] = [new Columns(logged(all)), new Columns(logged(all))]
      for (const rows of many) {
        rows.forEach((one, order) => {
          plain.add(one, order)
          cells.add(flown(all, one), order)
        })
        expect(cells.take()).toEqual(plain.take())
      }
    }), { numRuns: 150 })
  })

  test('read back into cells, where they are the same rows without an object made of each', () => {
    fc.assert(fc.property(batches, ([rows]) => {
      const columns = new Columns(logged(all))
      for (const one of rows!) columns.add(one)
      const batch = readBatch(logged(all), columns.take().bytes)
      const cells = sharedCells(all)
      rows!.forEach((one, at) => {
        fillFrom(cells, batch, at)
        expect(listed(kept(cells.row))).toEqual(asWritten(one))
      })
    }), { numRuns: 100 })
  })

  test('refuse what a column cannot hold, by its name', () => {
    const columns = new Columns(all)
    const good = fc.sample(row, { numRuns: 1, seed: 7 })[0]!
    expect(() => columns.add({ ...good, count: 2 ** 60 })).toThrow(/column "count" holds whole numbers up to 2\^53/)
    expect(() => columns.add({ ...good, choice: 'd' })).toThrow(/column "choice" holds a, b, c, not d/)
    expect(() => columns.add({ ...good, text: 5 })).toThrow(/column "text" holds texts, not 5/)
    expect(() => columns.add({ ...good, floatOrNot: undefined })).toThrow(/column "floatOrNot" holds null where it has no value/)
    expect(() => columns.add({ ...good, float: undefined })).toThrow(/column "float" holds numbers, not undefined/)
    expect(() => columns.add({ ...good, flag: undefined })).toThrow(/column "flag" holds true or false, not undefined/)
  })
})

describe('a row in cells', () => {
  test('reads as the object that filled it, and can be spread, listed and written as JSON', () => {
    fc.assert(fc.property(row, (one) => {
      const found = flown(all, one)
      expect(listed(kept(found))).toEqual(one)
      expect(Object.keys(found)).toEqual(Object.keys(fields))
      expect(cellsOf(found)).toBe(sharedCells(all))
      expect(cellsOf(one)).toBeUndefined()
    }))
  })

  test('changes when the next row comes; a copy that was kept does not', () => {
    const [first, second] = fc.sample(row, { numRuns: 2, seed: 11 }) as [All, All]
    const copy = listed(kept(flown(all, first) as All))
    const now = flown(all, second)
    expect(listed(kept(now))).toEqual(second)
    expect(copy).toEqual(first)
  })
})
