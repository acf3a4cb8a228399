import type { AnySchema } from '../graph/schema.ts'
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
} from './event.ts'
import { control, gap, instrument, latency } from './system.ts'

/**
 * Every event that kt knows. Each engine has a table of each, empty where a graph does not fill it, so that
 * views find them.
 */
export const marketSchemas: readonly AnySchema[] = Object.freeze([
  trade,
  bookDelta,
  quote,
  ticker,
  mark,
  fundingInterval,
  funding,
  basis,
  candle,
  control,
  gap,
  instrument,
  latency,
])
