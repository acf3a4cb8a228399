import {
  basis,
  bookDelta,
  candle,
  funding,
  fundingInterval,
  mark,
  quote,
  ticker,
  trade,
} from '../../market/event.ts'
import { control, gap, instrument, latency } from '../../market/system.ts'
import { clickhouse } from './sink.ts'
import type { ClickhouseSink } from './sink.ts'

/**
 * The table of every event that kt knows: those that a graph does not fill stay empty, so that views find
 * them.
 */
export const marketTables: readonly ClickhouseSink[] = Object.freeze([
  clickhouse(trade),
  clickhouse(bookDelta, { ttlDays: 30 }),
  clickhouse(quote),
  clickhouse(ticker, { ttlDays: 30 }),
  clickhouse(mark),
  clickhouse(fundingInterval),
  clickhouse(funding),
  clickhouse(basis),
  clickhouse(candle),
  clickhouse(control),
  clickhouse(gap),
  clickhouse(instrument),
  clickhouse(latency, { ttlDays: 30 }),
])
