import { fundingInterval, mark } from '../../market/event.ts'
import type { FundingInterval, Mark } from '../../market/event.ts'
import { carries, venue } from '../venue.ts'
import type { Channel } from '../venue.ts'
import { book, listing, pushed, rest, session, tickers, trades } from './session.ts'

/** A ticker says only what changed, and one message has a mark price and a funding interval in it. */
const marks: Channel<Mark | FundingInterval> = {
  schemas: carries(mark, fundingInterval),
  from: { topic: 'tickers', also: [], route: 'main' },
  card: {
    ...pushed,
    cadenceMs: 100,
    silence: { cadences: 150, of: 'symbol' },
    model: 'patch',
    recoverable: 'none',
    numbering: 'none',
    docs: 'https://bybit-exchange.github.io/docs/v5/websocket/public/ticker',
    evidence: 'a recording of 2026: 378 messages, the first of each symbol whole',
  },
}

/** Bybit v5 perpetuals in USDT and USDC. https://bybit-exchange.github.io/docs/v5/ws/connect */
export const linear = venue({
  name: 'bybit.linear',
  venue: 'bybit',
  mappings: ['bybit/session.jsonata', 'bybit/linear.jsonata'],
  channels: { trade: trades, book, ticker: tickers, mark: marks },
  socket: { ...session, routes: { main: '/v5/public/linear' } },
  rest,
  listing: listing('linear'),
})
