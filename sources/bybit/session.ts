import type { Card } from '../../graph/source.ts'
import { bookDelta, ticker, trade } from '../../market/event.ts'
import type { BookDelta, Ticker, Trade } from '../../market/event.ts'
import type { Channel, ListingRules, Reply, RestRules, SocketRules, Words } from '../venue.ts'

const docs = 'https://bybit-exchange.github.io/docs/v5/websocket/public'

export const pushed = {
  domain: 'market',
  access: 'anonymous',
  connection: 'websocket',
  serialization: 'json',
  interaction: 'push',
  scope: 'symbol',
} as const satisfies Partial<Card>

const reply = (message: Readonly<Record<string, unknown>>): Reply => {
  const { op, success } = message
  if (op === 'pong' || (op === 'ping' && message['ret_msg'] === 'pong')) return { kind: 'pong' }
  if (op !== 'subscribe' && op !== 'unsubscribe') return { kind: 'other' }
  const why = success === true ? '' : String(message['ret_msg'] ?? 'refused')
  return { kind: 'ack', id: Number(message['req_id'] ?? 0), why }
}

const words: Words = {
  key: 'topic',
  topic: (kind, symbol) => `${kind}.${symbol}`,
  parts: (topic) => {
    const dot = topic.lastIndexOf('.')
    return { kind: topic.slice(0, Math.max(0, dot)), symbol: topic.slice(dot + 1) }
  },
  subscribe: (args, id) => ({ req_id: String(id), op: 'subscribe', args }),
  unsubscribe: (args, id) => ({ req_id: String(id), op: 'unsubscribe', args }),
  reply,
}

/**
 * What all Bybit v5 public connections have in common. https://bybit-exchange.github.io/docs/v5/ws/connect
 */
export const session = {
  words,
  base: 'wss://stream.bybit.com',
  topicsPerRequest: 10,
  topicsPerConnection: 400,
  lettersPerConnection: 20_000,
  messagesPerSecond: 10,
  connectsPerMinute: 60,
  heartbeat: { from: 'client', everyMs: 20_000, message: { req_id: '1', op: 'ping' } },
  deadAfterMs: 45_000,
  cutAfterMs: 0,
  firstMessageMs: 30_000,
} as const satisfies Partial<SocketRules>

/** 600 requests in 5 s from one address. https://bybit-exchange.github.io/docs/v5/rate-limit */
export const rest: RestRules = {
  base: 'https://api.bybit.com',
  timeoutMs: 10_000,
  budget: { weight: 600, everyMs: 5_000, share: 0.2 },
}

/** https://bybit-exchange.github.io/docs/v5/market/instrument */
export const listing = (category: 'spot' | 'linear'): ListingRules => ({
  kind: category === 'spot' ? 'spot' : 'perp',
  path: (cursor) =>
    `/v5/market/instruments-info?category=${category}&limit=1000&cursor=${encodeURIComponent(cursor)}`,
  weight: 1,
  everyMs: 600_000,
  without: category === 'spot' ? '' : 'dated futures (LinearFutures)',
  ranking: {
    path: `/v5/market/tickers?category=${category}`,
    weight: 1,
    docs: 'https://bybit-exchange.github.io/docs/v5/market/tickers',
  },
})

/** Ids are texts without order, so a hole in them cannot be seen. */
export const trades: Channel<Trade> = {
  schemas: [trade],
  from: { topic: 'publicTrade', also: [], route: 'main' },
  card: {
    ...pushed,
    cadenceMs: 1_000,
    silence: { cadences: 60, of: 'channel' },
    model: 'stateless',
    recoverable: 'nextDay',
    numbering: 'unique',
    docs: `${docs}/trade`,
    evidence: 'a recording of 2026, spot and linear',
  },
}

/** Begins with a snapshot on each subscription; `u` grows by 1, and a snapshot with any `u` begins anew. */
export const book: Channel<BookDelta> = {
  schemas: [bookDelta],
  from: { topic: 'orderbook.200', also: ['orderbook.50'], route: 'main' },
  card: {
    ...pushed,
    cadenceMs: 100,
    silence: { cadences: 150, of: 'symbol' },
    model: 'delta',
    recoverable: 'nextDay',
    numbering: 'dense',
    docs: `${docs}/orderbook`,
    evidence: 'a recording of 2026, spot and linear: 1,097 messages, every u the one before plus 1',
  },
}

/** Whole at each message, and said again after 3 s without a change. */
export const tickers: Channel<Ticker> = {
  schemas: [ticker],
  from: { topic: 'orderbook.1', also: [], route: 'main' },
  card: {
    ...pushed,
    cadenceMs: 3_000,
    silence: { cadences: 5, of: 'symbol' },
    model: 'snapshot',
    recoverable: 'none',
    numbering: 'monotone',
    docs: `${docs}/orderbook`,
    evidence: 'the page of the venue; the simulated exchange; no recording has it',
  },
}
