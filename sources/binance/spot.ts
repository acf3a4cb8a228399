import { bookDelta, ticker, trade } from '../../market/event.ts'
import type { BookDelta, Ticker, Trade } from '../../market/event.ts'
import { venue } from '../venue.ts'
import type { Channel } from '../venue.ts'
import { pushed, session } from './session.ts'

const docs = 'https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams'

const trades: Channel<Trade> = {
  schemas: [trade],
  from: { topic: 'trade', also: [], route: 'main' },
  card: {
    ...pushed,
    cadenceMs: 1_000,
    silence: { cadences: 60, of: 'channel' },
    model: 'stateless',
    recoverable: 'full',
    numbering: 'dense',
    docs: `${docs}#trade-streams`,
    evidence: 'recordings of 2023 and 2024: 23,048 trades, every id the one before plus 1',
  },
}

const book: Channel<BookDelta> = {
  schemas: [bookDelta],
  from: { topic: 'depth@100ms', also: ['depth', 'depth@0ms'], route: 'main' },
  seed: {
    path: (symbol, limit) => `/api/v3/depth?symbol=${encodeURIComponent(symbol)}&limit=${limit}`,
    choices: [
      { limit: 5_000, weight: 250 },
      { limit: 1_000, weight: 50 },
    ],
  },
  card: {
    ...pushed,
    cadenceMs: 100,
    silence: { cadences: 150, of: 'symbol' },
    model: 'delta',
    recoverable: 'none',
    numbering: 'dense',
    docs: `${docs}#how-to-manage-a-local-order-book-correctly`,
    evidence: 'recordings of 2021, 2023 and 2024: 10,601 changes, every U the u before plus 1',
  },
}

const tickers: Channel<Ticker> = {
  schemas: [ticker],
  from: { topic: 'bookTicker', also: [], route: 'main' },
  card: {
    ...pushed,
    cadenceMs: 100,
    silence: { cadences: 150, of: 'symbol' },
    model: 'snapshot',
    recoverable: 'none',
    numbering: 'monotone',
    docs: `${docs}#individual-symbol-book-ticker-streams`,
    evidence: 'recordings of 2023 and 2024: 81,189 messages, every u after the one before',
  },
}

/** Binance spot. https://developers.binance.com/docs/binance-spot-api-docs */
export const spot = venue({
  name: 'binance.spot',
  venue: 'binance',
  mappings: ['binance/spot.jsonata'],
  channels: { trade: trades, book, ticker: tickers },
  socket: {
    ...session,
    base: 'wss://stream.binance.com:9443',
    routes: { main: '/stream' },
    // Five are allowed, and a pong to the server's ping counts as one.
    messagesPerSecond: 4,
    // The server pings every 20 s.
    deadAfterMs: 60_000,
  },
  rest: {
    base: 'https://api.binance.com',
    timeoutMs: 10_000,
    budget: { weight: 6_000, everyMs: 60_000, share: 0.7 },
  },
  listing: {
    kind: 'spot',
    path: () => '/api/v3/exchangeInfo?showPermissionSets=false',
    weight: 20,
    everyMs: 600_000,
    without: '',
    ranking: {
      path: '/api/v3/ticker/24hr?type=MINI',
      weight: 80,
      docs: 'https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints',
    },
  },
})
