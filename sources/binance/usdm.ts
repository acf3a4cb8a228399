import { bookDelta, fundingInterval, mark, ticker, trade } from '../../market/event.ts'
import type { BookDelta, FundingInterval, Mark, Ticker, Trade } from '../../market/event.ts'
import { venue } from '../venue.ts'
import type { Channel } from '../venue.ts'
import { polled, pushed, session } from './session.ts'

const docs = 'https://developers.binance.com/docs/derivatives/usds-margined-futures'

const trades: Channel<Trade> = {
  schemas: [trade],
  from: { topic: 'trade', also: [], route: 'public' },
  card: {
    ...pushed,
    cadenceMs: 1_000,
    silence: { cadences: 60, of: 'channel' },
    model: 'stateless',
    recoverable: 'nextDay',
    numbering: 'dense',
    docs: `${docs}/websocket-market-streams`,
    evidence: 'not in the list of the venue; recordings of 2023 and 2024: 34,248 trades without a hole',
  },
}

const book: Channel<BookDelta> = {
  schemas: [bookDelta],
  from: { topic: 'depth@100ms', also: ['depth', 'depth@0ms', 'depth@500ms'], route: 'public' },
  seed: {
    path: (symbol, limit) => `/fapi/v1/depth?symbol=${encodeURIComponent(symbol)}&limit=${limit}`,
    choices: [{ limit: 1_000, weight: 20 }],
  },
  card: {
    ...pushed,
    cadenceMs: 100,
    silence: { cadences: 150, of: 'symbol' },
    model: 'delta',
    recoverable: 'none',
    numbering: 'linked',
    docs: `${docs}/websocket-market-streams/How-to-manage-a-local-order-book-correctly`,
    evidence: 'recordings of 2021, 2023 and 2024: 23,425 changes, every pu the u before',
  },
}

const tickers: Channel<Ticker> = {
  schemas: [ticker],
  from: { topic: 'bookTicker', also: [], route: 'public' },
  card: {
    ...pushed,
    cadenceMs: 100,
    silence: { cadences: 150, of: 'symbol' },
    model: 'snapshot',
    recoverable: 'none',
    numbering: 'monotone',
    docs: `${docs}/websocket-market-streams/Individual-Symbol-Book-Ticker-Streams`,
    evidence: 'recordings of 2023 and 2024: 110,294 messages, every u after the one before',
  },
}

const marks: Channel<Mark> = {
  schemas: [mark],
  from: { topic: 'markPrice@1s', also: ['markPrice'], route: 'market' },
  card: {
    ...pushed,
    cadenceMs: 1_000,
    silence: { cadences: 5, of: 'symbol' },
    model: 'snapshot',
    recoverable: 'none',
    numbering: 'none',
    docs: `${docs}/websocket-market-streams/Mark-Price-Stream`,
    evidence: 'a recording of 2023: 514 messages, one a second, over a settlement',
  },
}

const intervals: Channel<FundingInterval> = {
  schemas: [fundingInterval],
  from: { path: '/fapi/v1/fundingInfo', everyMs: 300_000, weight: 1 },
  card: {
    ...polled,
    cadenceMs: 300_000,
    silence: { cadences: 6, of: 'channel' },
    model: 'snapshot',
    recoverable: 'none',
    numbering: 'none',
    docs: `${docs}/market-data/rest-api/Get-Funding-Rate-Info`,
    evidence: 'an answer of 2025; symbols that it leaves out are not guessed',
  },
}

/**
 * Binance perpetuals margined in USDT and USDC. Books and trades are on another route than mark prices, and a
 * stream on the wrong route is acknowledged and silent.
 * https://developers.binance.com/docs/derivatives/usds-margined-futures/general-info
 */
export const usdm = venue({
  name: 'binance.usdm',
  venue: 'binance',
  mappings: ['binance/usdm.jsonata'],
  channels: { trade: trades, book, ticker: tickers, mark: marks, fundingInfo: intervals },
  socket: {
    ...session,
    base: 'wss://fstream.binance.com',
    routes: { public: '/public/stream', market: '/market/stream' },
    messagesPerSecond: 8,
    // The server pings about every 3 minutes, and closes after 10 without an answer.
    deadAfterMs: 400_000,
  },
  rest: {
    base: 'https://fapi.binance.com',
    timeoutMs: 10_000,
    budget: { weight: 2_400, everyMs: 60_000, share: 0.7 },
  },
  listing: {
    kind: 'perp',
    path: () => '/fapi/v1/exchangeInfo',
    weight: 1,
    everyMs: 600_000,
    without: 'dated contracts (CURRENT_QUARTER, NEXT_QUARTER)',
    ranking: { path: '/fapi/v1/ticker/24hr', weight: 40, docs: `${docs}/market-data/rest-api` },
  },
})
