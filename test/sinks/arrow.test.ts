import { tableFromIPC } from 'apache-arrow'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rowsOf } from '../../graph/batch.ts'
import { Columns } from '../../graph/columns.ts'
import type { Placed } from '../../graph/port.ts'
import {
  choice,
  count,
  flag,
  float,
  floats,
  int,
  logged,
  micros,
  name,
  optional,
  schema,
  schemaId,
  text,
} from '../../graph/schema.ts'
import type { Event, Floats } from '../../graph/schema.ts'
import { joined, picked, stored } from '../../sinks/arrow.ts'
import { arrowEncoder } from '../../sinks/driver/arrow.ts'

interface Every extends Event<'every'> {
  readonly note: string
  readonly venue: string
  readonly price: number
  readonly id: number
  readonly depth: number
  readonly time: number
  readonly live: boolean
  readonly side: 'buy' | 'sell' | 'none'
  readonly levels: Floats
  readonly noteIf: string | null
  readonly priceIf: number | null
  readonly idIf: number | null
  readonly depthIf: number | null
  readonly timeIf: number | null
  readonly liveIf: boolean | null
  readonly sideIf: 'buy' | 'sell' | null
}

const every = schema<Every>('every', 'a column of every kind', {
  note: text('a text'),
  venue: name('a name'),
  price: float('a float'),
  id: count('a count'),
  depth: int('an int'),
  time: micros('a time'),
  live: flag('a flag'),
  side: choice('a choice', 'buy', 'sell', 'none'),
  levels: floats('a list'),
  noteIf: optional(text('a text')),
  priceIf: optional(float('a float')),
  idIf: optional(count('a count')),
  depthIf: optional(int('an int')),
  timeIf: optional(micros('a time')),
  liveIf: optional(flag('a flag')),
  sideIf: optional(choice('a choice', 'buy', 'sell')),
})

const double = fc.double({ noNaN: true })
const whole = fc.integer({ min: -(2 ** 53 - 1), max: 2 ** 53 - 1 })
const small = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: null })
const words = fc.string({ unit: 'binary', maxLength: 12 })
const rows = fc.array(
  fc.record({
    note: words,
    venue: fc.constantFrom('binance', 'okx', ''),
    price: double,
    id: whole,
    depth: small,
    time: whole,
    live: fc.boolean(),
    side: fc.constantFrom('buy', 'sell', 'none'),
    levels: fc.array(double, { maxLength: 5 }),
    noteIf: maybe(words),
    priceIf: maybe(double),
    idIf: maybe(whole),
    depthIf: maybe(small),
    timeIf: maybe(whole),
    liveIf: maybe(fc.boolean()),
    sideIf: maybe(fc.constantFrom('buy', 'sell')),
  }),
  { minLength: 0, maxLength: 21 },
)

const record = (events: readonly object[], offset: number): Placed => {
  const columns = new Columns(logged(every))
  events.forEach((event, i) => columns.add(event, 5 + i))
  const place = { topic: 'all', partition: 3, offset, shard: 's', epoch: 2, step: offset + 7, time: 0 }
  return { ...place, schema: schemaId(every), ...columns.take() }
}

const withSystem = (records: readonly (readonly object[])[]) =>
  records.flatMap((events, i) =>
    events.map((event, row) => ({
      ...event,
      _order: 5 + row,
      _topic: 'all',
      _part: 3,
      _off: 40 + i,
      _row: row,
      _step: 47 + i,
      _epoch: 2,
    })),
  )

describe('a run of records', () => {
  test('becomes one batch with every value as it was, and the place of each row', () => {
    fc.assert(
      fc.property(fc.array(rows, { maxLength: 6 }), (records) => {
        const batch = joined(
          every,
          records.map((events, i) => record(events, 40 + i)),
        )
        expect(rowsOf(batch)).toEqual(withSystem(records))
      }),
    )
  })

  test('gives any of its rows as a batch', () => {
    fc.assert(
      fc.property(fc.array(rows, { maxLength: 4 }), fc.infiniteStream(fc.boolean()), (records, coin) => {
        const batch = joined(
          every,
          records.map((events, i) => record(events, 40 + i)),
        )
        const chosen = Array.from({ length: batch.rows }, (_, row) => row).filter(() => coin.next().value)
        const all = withSystem(records)
        expect(rowsOf(picked(batch, chosen))).toEqual(chosen.map((row) => all[row]))
      }),
    )
  })

  test('is read by another implementation of Arrow with the same values', () => {
    // One after the other in the same memory.
    const encode = arrowEncoder()
    fc.assert(
      fc.property(fc.array(rows, { minLength: 1, maxLength: 4 }), (records) => {
        const table = tableFromIPC(
          encode(
            joined(
              every,
              records.map((events, i) => record(events, 40 + i)),
            ),
          ),
        )
        expect(table.batches.length).toBeLessThanOrEqual(1)
        const want = withSystem(records).map((row) => row as unknown as Every & { _off: number })
        expect(table.numRows).toBe(want.length)
        const column = (name: string): unknown[] => [...table.getChild(name)!]
        expect(column('note')).toEqual(want.map((row) => row.note))
        expect(column('price')).toEqual(want.map((row) => row.price))
        expect(column('side')).toEqual(want.map((row) => row.side))
        expect(column('side_if')).toEqual(want.map((row) => row.sideIf))
        expect(column('live_if')).toEqual(want.map((row) => row.liveIf))
        expect(column('id_if')).toEqual(want.map(({ idIf }) => (idIf === null ? null : BigInt(idIf))))
        expect(column('levels').map((list) => [...(list as Iterable<number>)])).toEqual(
          want.map((row) => row.levels),
        )
        expect(column('_off')).toEqual(want.map((row) => BigInt(row._off)))
      }),
      { numRuns: 50 },
    )
  })

  test('says which version of the event it does not know', () => {
    const newer = { ...record([], 0), schema: 'every/2' }
    expect(() => joined(every, [newer])).toThrow(expect.objectContaining({ code: 'KT6001' }))
  })
})

test('what is stored of an event is its columns and the place of the row', () => {
  const added = stored(every)
    .columns.slice(every.columns.length)
    .map((column) => column.name)
  expect(added).toEqual(['_order', '_topic', '_part', '_off', '_row', '_step', '_epoch'])
  expect(stored(every)).toBe(stored(every))
})
