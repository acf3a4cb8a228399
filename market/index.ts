export {
  basis,
  bookDelta,
  candle,
  funding,
  fundingInterval,
  mark,
  marketEvent,
  quote,
  ticker,
  trade,
} from './event.ts'
export type {
  Basis,
  BookDelta,
  Candle,
  Funding,
  FundingInterval,
  Mark,
  MarketEvent,
  Quote,
  Ticker,
  Trade,
  Trust,
} from './event.ts'
export { control, gap, instrument, latency } from './system.ts'
export type { Control, Gap, Instrument, Latency } from './system.ts'
export { byAsset, byInstrument, byPair, instrumentName, parseInstrument } from './instrument.ts'
export type { InstrumentName } from './instrument.ts'
export { continues, follows } from './sequence.ts'
export type { Position, Verdict } from './sequence.ts'
export { Ladder } from './ladder.ts'
export { Book } from './book.ts'
export { Replica } from './replica.ts'
