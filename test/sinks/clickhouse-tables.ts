import { clickhouse } from '../../sinks/clickhouse/sink.ts'
import type { ClickhouseSink } from '../../sinks/clickhouse/sink.ts'
import { basis, bookDelta, candle, funding, fundingInterval, mark, quote, trade } from '../../market/event.ts'
import { control, gap, instrument, latency } from '../../market/system.ts'

/** The table of every event that kt knows. */
export const everyTable: readonly ClickhouseSink[] = [
  clickhouse(trade), clickhouse(bookDelta), clickhouse(quote), clickhouse(mark), clickhouse(fundingInterval), clickhouse(funding),
  clickhouse(basis), clickhouse(candle), clickhouse(control), clickhouse(gap), clickhouse(instrument), clickhouse(latency),
]
