import fc from 'fast-check'
import { readBatch } from '../../graph/batch.ts'
import type { Batch } from '../../graph/batch.ts'
import { Columns } from '../../graph/columns.ts'
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
  text,
} from '../../graph/schema.ts'
import type { AnySchema, Column, Event, Floats } from '../../graph/schema.ts'
import { marketTables } from '../../sinks/clickhouse/market.ts'

interface Every extends Event<'every'> {
  readonly name: string
  readonly text: string
  readonly float: number
  readonly count: number
  readonly int: number
  readonly micros: number
  readonly flag: boolean
  readonly choice: 'a-b' | 'b c' | 'ü'
  readonly floats: Floats
  readonly nameOrNot: string | null
  readonly textOrNot: string | null
  readonly floatOrNot: number | null
  readonly countOrNot: number | null
  readonly intOrNot: number | null
  readonly microsOrNot: number | null
  readonly flagOrNot: boolean | null
  readonly choiceOrNot: 'x' | 'y' | null
}

/** Every kind of column, with choices that are no names in Avro. */
const every = schema<Every>('every', 'every kind of column', {
  name: name('a'),
  text: text('b'),
  float: float('c'),
  count: count('d'),
  int: int('e'),
  micros: micros('f'),
  flag: flag('g'),
  choice: choice('h', 'a-b', 'b c', 'ü'),
  floats: floats('i'),
  nameOrNot: optional(name('j')),
  textOrNot: optional(text('k')),
  floatOrNot: optional(float('l')),
  countOrNot: optional(count('m')),
  intOrNot: optional(int('n')),
  microsOrNot: optional(micros('o')),
  flagOrNot: optional(flag('p')),
  choiceOrNot: optional(choice('q', 'x', 'y')),
})

/** Every kind of column, and every event of the market. */
export const SCHEMAS: readonly AnySchema[] = [every, ...marketTables.map(({ schema: one }) => one)]

export type Row = Readonly<Record<string, unknown>>

const words = fc.oneof(
  fc.constantFrom('', 'binance:perp:BTC-USDT', 'ä€😀', '"\\\u0000\u001f\n\u2028</script>', 'null'),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
)
const whole = fc.oneof(
  fc.constantFrom(
    0,
    -1,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    2 ** 31,
    -(2 ** 32),
    127,
    128,
    -64,
    -65,
  ),
  fc.maxSafeInteger(),
)
const real = fc.oneof(
  fc.constantFrom(
    0,
    -0,
    5e-324,
    1.7976931348623157e308,
    123456789.12345678,
    1e21,
    1e-7,
    0.1 + 0.2,
    Infinity,
    -Infinity,
  ),
  fc.double({ noNaN: true }),
)

const valueOf = ({ kind, values }: Column): fc.Arbitrary<unknown> => {
  switch (kind) {
    case 'name':
    case 'text':
      return words
    case 'float':
      return real
    case 'int':
      return fc.integer()
    case 'flag':
      return fc.boolean()
    case 'choice':
      return fc.constantFrom(...values)
    case 'floats':
      return fc.array(real, { maxLength: 12 })
    default:
      return whole
  }
}

/** An event of a schema with any values. */
export const eventOf = (of: AnySchema): fc.Arbitrary<Row> =>
  fc.record(
    Object.fromEntries(
      of.columns.map((column) => [
        column.name,
        column.nullable ? fc.option(valueOf(column), { nil: null }) : valueOf(column),
      ]),
    ),
  )

/** Events as a batch of the log; the place of each in its step is three times its number. */
export const batchBytes = (of: AnySchema, rows: readonly Row[]): Uint8Array => {
  const columns = new Columns(logged(of))
  rows.forEach((row, at) => columns.add(row, 3 * at))
  return columns.take().bytes
}
export const batchOf = (of: AnySchema, rows: readonly Row[]): Batch =>
  readBatch(logged(of), batchBytes(of, rows))
