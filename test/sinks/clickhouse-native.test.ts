import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { rowsOf as rowsOfBatch } from '../../graph/batch.ts'
import { Columns } from '../../graph/columns.ts'
import { choice, count, flag, float, floats, int, logged, micros, name } from '../../graph/schema.ts'
import { optional, schema, schemaId, snake, text } from '../../graph/schema.ts'
import type { Event } from '../../graph/schema.ts'
import type { Placed } from '../../graph/port.ts'
import { batchOf, joined, stored } from '../../sinks/arrow.ts'
import { NativeBlocks } from '../../sinks/clickhouse/native.ts'
import { clickhouse } from '../../sinks/clickhouse/sink.ts'
import { createTable } from '../../sinks/clickhouse/table.ts'
import { insertBytes, start } from './chdb-start.ts'

interface Every extends Event<'every'> {
  readonly received: number
  readonly label: string
  readonly labelIf: string | null
  readonly note: string
  readonly noteIf: string | null
  readonly price: number
  readonly priceIf: number | null
  readonly id: number
  readonly idIf: number | null
  readonly place: number
  readonly live: boolean
  readonly liveIf: boolean | null
  readonly side: 'buy' | 'sell'
  readonly sideIf: 'buy' | 'sell' | null
  readonly levels: ArrayLike<number> & Iterable<number>
}
const side = choice('a side', 'buy', 'sell')
const every = schema<Every>('every', 'a column of every kind', {
  received: micros('when'),
  label: name('which'),
  labelIf: optional(name('which')),
  note: text('a text'),
  noteIf: optional(text('a text')),
  price: float('a price'),
  priceIf: optional(float('a price')),
  id: count('an id'),
  idIf: optional(count('an id')),
  place: int('a place'),
  live: flag('is it'),
  liveIf: optional(flag('is it')),
  side,
  sideIf: optional(side),
  levels: floats('prices'),
})

const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(of, { nil: null, freq: 3 })
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const price = fc.double({ noNaN: true, noDefaultInfinity: true })
const label = fc.oneof(
  fc.constantFrom('', 'BTC-USDT', 'π', 'a\0b'),
  fc.string({ maxLength: 200, unit: 'grapheme' }),
)
const event: fc.Arbitrary<Every> = fc.record({
  received: fc.integer({ min: 1_760_000_000_000_000, max: 1_760_000_999_000_000 }),
  label,
  labelIf: maybe(label),
  note: fc.string({ maxLength: 300, unit: 'grapheme' }),
  noteIf: maybe(label),
  price,
  priceIf: maybe(price),
  id: whole,
  idIf: maybe(whole),
  place: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  live: fc.boolean(),
  liveIf: maybe(fc.boolean()),
  side: fc.constantFrom('buy', 'sell'),
  sideIf: maybe(fc.constantFrom('buy' as const, 'sell' as const)),
  levels: fc.array(price, { maxLength: 5 }),
})

const record = (events: readonly Every[], offset: number): Placed => {
  const columns = new Columns(logged(every))
  events.forEach((one, at) => columns.add(one, at))
  const place = { topic: 'every', partition: 3, schema: schemaId(every), offset, shard: 's', time: 0 }
  return { ...place, epoch: 1 + (offset % 2), step: 7 * offset, ...columns.take() }
}

const records = (all: readonly (readonly Every[])[]): readonly Placed[] =>
  all.map((events, at) => record(events, 40 + at))

const started = await start()
afterAll(() => started?.end())

describe.skipIf(started === undefined)('Native blocks into ClickHouse (skipped where it cannot run)', () => {
  if (started === undefined) return
  const client = started.client()
  const columns = stored(every).columns.map((column) => snake(column.name))

  /** What ClickHouse has of it, as the events say it. */
  const loaded = async (bytes: Uint8Array): Promise<readonly unknown[]> => {
    await client.command({ query: 'DROP TABLE IF EXISTS every' })
    await client.command({ query: createTable(clickhouse(every)).replace(/PARTITION BY .*\n/, '') })
    await insertBytes(client, 'INSERT INTO every FORMAT Native', bytes)
    const list = columns
      .map((one) => (one === 'received' ? 'toUnixTimestamp64Micro(received)' : one))
      .join(', ')
    const answer = await client.query({
      query: `SELECT ${list} FROM every ORDER BY _off, _row`,
      format: 'JSONCompactEachRow',
      clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
    })
    return inJson(await answer.json())
  }
  /** A negative zero is one there, and not here. */
  const inJson = (rows: unknown): readonly unknown[] => JSON.parse(JSON.stringify(rows)) as readonly unknown[]
  const told = (rows: readonly Readonly<Record<string, unknown>>[]): readonly unknown[] =>
    inJson(rows.map((row) => Object.values(row)))

  test('every kind of column arrives with every value, block after block in the same memory', async () => {
    const blocks = new NativeBlocks()
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(event, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
        async (all) => {
          const some = records(all.some((one) => one.length > 0) ? all : [await one()])
          const block = blocks.encode({ schema: every, records: some })
          const want = told(rowsOfBatch(joined(every, some)))
          expect(await loaded(block)).toEqual(want)
          blocks.done(block)
        },
      ),
      { numRuns: 25 },
    )
  })

  const one = async (): Promise<readonly Every[]> => fc.sample(event, { numRuns: 1, seed: 5 })

  test.each([1, 255, 256, 257, 65_535, 65_536, 70_000])('a column of %i names', async (names) => {
    const [model] = fc.sample(event, { numRuns: 1, seed: 5 })
    const some = Array.from({ length: names + 100 }, (_, at) => ({
      ...model!,
      label: `name ${at % names}`,
      labelIf: at % 7 === 0 ? null : `name ${at % names}`,
    }))
    const rows = { schema: every, records: records([some.slice(0, 60), some.slice(60)]) }
    expect(await loaded(new NativeBlocks().encode(rows))).toEqual(told(rowsOfBatch(batchOf(rows))))
  })

  test.each([4, 5, 8, 17, 50, 98, 99])('a name that changes to one as long after %i rows', async (after) => {
    const [model] = fc.sample(event, { numRuns: 1, seed: 5 })
    const some = Array.from({ length: after + 1 }, (_, at) => ({
      ...model!,
      label: at < after ? 'abcde' : 'abcdf',
    }))
    const rows = { schema: every, records: records([some]) }
    expect(await loaded(new NativeBlocks().encode(rows))).toEqual(told(rowsOfBatch(batchOf(rows))))
  })

  test('chosen rows arrive as they are', async () => {
    const some = fc.sample(event, { numRuns: 300, seed: 9 })
    const chosen = Array.from({ length: 100 }, (_, at) => 3 * at)
    const rows = { schema: every, records: records([some.slice(0, 150), some.slice(150)]), chosen }
    const want = rowsOfBatch(joined(every, rows.records)).filter((_, at) => at % 3 === 0)
    expect(await loaded(new NativeBlocks().encode(rows))).toEqual(told(want))
  })

  test('a record of another version of the event is no fault of the server', async () => {
    const tables = started.tables()
    const [newer] = records([[]]).map((one) => ({ ...one, schema: 'every/2' }))
    const label = { token: 'none', comment: 'none' }
    const insert = tables.insert('every', { schema: every, records: [newer!] }, label)
    await expect(insert).rejects.toMatchObject({ code: 'KT6001' })
  })

  test('two blocks that are under way do not lie in the same memory', () => {
    const blocks = new NativeBlocks()
    const some = [5, 6].map((seed) => ({
      schema: every,
      records: records([fc.sample(event, { numRuns: 9, seed })]),
    }))
    const [first, second] = some.map((rows) => blocks.encode(rows))
    const told = Buffer.from(first!).toString('hex')
    blocks.done(second!)
    const third = blocks.encode(some[1]!)
    expect(third.buffer).toBe(second!.buffer)
    expect(Buffer.from(first!).toString('hex')).toBe(told)
  })
})
