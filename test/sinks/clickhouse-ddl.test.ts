import { afterAll, describe, expect, test } from 'vitest'
import { float, micros, name, optional, schema } from '../../graph/schema.ts'
import type { Event } from '../../graph/schema.ts'
import { since } from '../../graph/schema-versions.ts'
import { marketTables } from '../../sinks/clickhouse/market.ts'
import { ready } from '../../sinks/clickhouse/migrate.ts'
import { clickhouse } from '../../sinks/clickhouse/sink.ts'
import { describedAs } from '../../sinks/clickhouse/table.ts'
import { DESCRIBE, IDENTITY } from '../../sinks/clickhouse/tables.ts'
import { start } from './chdb-start.ts'

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
  'tables in the embedded ClickHouse (skipped where it cannot run)',
  () => {
    if (started === undefined) return
    const tables = started.tables()

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
