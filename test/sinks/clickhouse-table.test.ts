import { describe, expect, test } from 'vitest'
import { GraphError } from '../../graph/error.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { basis, candle, trade } from '../../market/event.ts'
import { latency } from '../../market/system.ts'
import { stored } from '../../sinks/arrow.ts'
import { driftOf } from '../../sinks/clickhouse/migrate.ts'
import { clickhouse } from '../../sinks/clickhouse/sink.ts'
import { createTable, describedAs } from '../../sinks/clickhouse/table.ts'
import { arrowSchema } from '../../sinks/driver/arrow.ts'
import { marketTables } from '../../sinks/clickhouse/market.ts'

describe('what follows from an event schema', () => {
  test.each(marketTables.map((sink) => [sink.table, sink] as const))(
    'is the table %s, as sql/clickhouse has it',
    async (table, sink) => {
      await expect(`${createTable(sink)};\n`).toMatchFileSnapshot(`../../sql/clickhouse/${table}.sql`)
    },
  )

  test('is a table on every server of a cluster', async () => {
    const all = marketTables.map((sink) => `${createTable(sink, { cluster: '{cluster}' })};\n`).join('\n')
    await expect(all).toMatchFileSnapshot('../../sql/replicated/clickhouse.sql')
  })

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
