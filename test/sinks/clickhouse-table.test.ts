import { afterAll, describe, expect, test } from 'vitest'
import { GraphError } from '../../graph/error.ts'
import { float, micros, name, optional, schema } from '../../graph/schema.ts'
import type { AnySchema, Event } from '../../graph/schema.ts'
import { since } from '../../graph/schema-versions.ts'
import { basis, candle, trade } from '../../market/event.ts'
import { latency } from '../../market/system.ts'
import { stored } from '../../sinks/arrow.ts'
import { driftOf, ready } from '../../sinks/clickhouse/migrate.ts'
import { clickhouse } from '../../sinks/clickhouse/sink.ts'
import { createTable, describedAs } from '../../sinks/clickhouse/table.ts'
import { DESCRIBE, IDENTITY } from '../../sinks/clickhouse/tables.ts'
import { arrowSchema } from '../../sinks/driver/arrow.ts'
import { connectTables } from '../../sinks/driver/clickhouse.ts'
import { start } from './chdb-start.ts'
import { marketTables } from '../../sinks/clickhouse/market.ts'

describe('what follows from an event schema', () => {
  test.each(marketTables.map((sink) => [sink.table, sink] as const))(
    'is the table %s, as sql/clickhouse has it',
    async (table, sink) => {
      await expect(`${createTable(sink)};\n`).toMatchFileSnapshot(`../../sql/clickhouse/${table}.sql`)
    },
  )

  test('is an Arrow schema', async () => {
    const lines = marketTables.map(({ schema }) => arrowLines(schema)).join('\n')
    await expect(lines).toMatchFileSnapshot('golden/arrow.txt')
  })
})

const arrowLines = (of: AnySchema): string => {
  const fields = arrowSchema(stored(of)).fields.map(
    (field) => `  ${field.name}: ${field.type}${field.nullable ? ' null' : ''}\n`,
  )
  return `${of.name}\n${fields.join('')}`
}

describe('a sink in a graph', () => {
  test('sorts a table by what its events are about, then by time', () => {
    expect(clickhouse(trade).orderBy).toEqual(['instrument', 'time'])
    expect(clickhouse(basis).orderBy).toEqual(['pair', 'perp', 'reference', 'time'])
    expect(clickhouse(candle).orderBy).toEqual(['instrument', 'frame', 'start'])
    expect(clickhouse(latency)).toMatchObject({
      orderBy: ['source', 'channel', 'hop', 'time'],
      clock: 'time',
    })
  })

  test('does not compile when it is sorted by a column that its event lacks', () => {
    // @ts-expect-error: a trade has no column "prize"
    expect(() => clickhouse(trade, { orderBy: ['instrument', 'prize'] })).toThrow(GraphError)
  })

  test('refuses to be sorted by a column that may be missing', () => {
    expect(() => clickhouse(trade, { orderBy: ['first'] })).toThrow(
      expect.objectContaining({ code: 'KT1032' }),
    )
  })

  test('refuses a table name that needs quoting, and a TTL of no days', () => {
    expect(() => clickhouse(trade, { table: 'my trades' })).toThrow(
      expect.objectContaining({ code: 'KT1030' }),
    )
    expect(() => clickhouse(trade, { ttlDays: 0 })).toThrow(expect.objectContaining({ code: 'KT1031' }))
  })
})

const started = await start()
afterAll(() => started?.end())

interface Tick extends Event<'tick'> {
  readonly venue: string
  readonly time: number
}
interface TickWithFee extends Tick {
  readonly fee: number | null
  readonly liquidity: string | null
}
const fields = { venue: name('who'), time: micros('when') }
const tick = schema<Tick>('tick', 'ticks', fields)
const newer = {
  fee: since(2, optional(float('quote currency'))),
  liquidity: since(2, optional(name('maker or taker'))),
}
const tickWithFee = schema<TickWithFee>('tick', 'ticks', { ...fields, ...newer }, 2)

describe.skipIf(started === undefined)(
  'tables in the embedded ClickHouse (skipped where chdb is not installed)',
  () => {
    if (started === undefined) return
    const tables = connectTables({ url: started.chdb.url, password: started.password() })
    afterAll(() => tables.close())

    test.each(marketTables.map((sink) => [sink.table, sink] as const))(
      '%s is described as its schema says',
      async (table, sink) => {
        await ready(tables, sink)
        expect(await tables.query(DESCRIBE, { table })).toEqual(describedAs(sink.schema))
      },
    )

    test('gets the columns that its event has gained, when rows may lack them', async () => {
      await ready(tables, clickhouse(tick))
      const [before] = await tables.query(IDENTITY, { table: 'tick' })
      expect(await ready(tables, clickhouse(tickWithFee))).toBe(before?.['uuid'])
      const columns = new Map(
        (await tables.query(DESCRIBE, { table: 'tick' })).map(({ name, type }) => [name, type]),
      )
      expect(columns.get('fee')).toBe('Nullable(Float64)')
      expect(columns.get('liquidity')).toBe('LowCardinality(Nullable(String))')
    })

    test('fits still when people add columns of their own', async () => {
      await tables.exec('ALTER TABLE tick ADD COLUMN day Date MATERIALIZED toDate(time)')
      await ready(tables, clickhouse(tickWithFee))
    })
  },
)

test('a table that differs otherwise is left alone, and the error says what to run', () => {
  const has = new Map(describedAs(trade).map(({ name, type }) => [name, type]))
  expect(() => driftOf(clickhouse(trade), new Map([...has, ['price', 'Float32']]))).toThrow(
    expect.objectContaining({
      code: 'KT6103',
      fix: expect.stringContaining('ALTER TABLE `trade` MODIFY COLUMN `price` Float64'),
    }),
  )
  const { size, ...rest } = Object.fromEntries(has)
  expect(() => driftOf(clickhouse(trade), new Map(Object.entries(rest)))).toThrow(
    expect.objectContaining({ code: 'KT6103', why: expect.stringContaining('lacks the column "size"') }),
  )
  expect(size).toBe('Float64')
})
