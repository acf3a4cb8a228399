import { marketSchemas } from '../../market/schemas.ts'
import { clickhouse } from './sink.ts'
import type { ClickhouseSink } from './sink.ts'

/** Rows that are many, or that nobody asks for after a month. */
const TTL_DAYS: Readonly<Record<string, number>> = { bookDelta: 30, ticker: 30, latency: 30 }

/** The table of every event that kt knows. */
export const marketTables: readonly ClickhouseSink[] = Object.freeze(
  marketSchemas.map((schema) => {
    const ttlDays = TTL_DAYS[schema.name]
    return clickhouse(schema, ttlDays === undefined ? {} : { ttlDays })
  }),
)
