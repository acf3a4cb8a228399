import type { Card } from '../../graph/source.ts'
import type { Reply, SocketRules, Words } from '../venue.ts'

/** Cards of what a stream server pushes. */
export const pushed = {
  domain: 'market',
  access: 'anonymous',
  connection: 'websocket',
  serialization: 'json',
  interaction: 'push',
  scope: 'symbol',
} as const satisfies Partial<Card>

/** Cards of what is asked for over REST, in one answer for all symbols. */
export const polled = {
  domain: 'reference',
  access: 'anonymous',
  connection: 'rest',
  serialization: 'json',
  interaction: 'poll',
  scope: 'channel',
} as const satisfies Partial<Card>

/** An error is `{code,msg,id}` on spot and `{error:{code,msg},id}` on futures. */
const reply = (message: Readonly<Record<string, unknown>>): Reply => {
  if (message['stream'] === '!serverShutdown' || message['e'] === 'serverShutdown') {
    return { kind: 'shutdown' }
  }
  const error = (message['error'] ?? message) as { readonly code?: unknown; readonly msg?: unknown }
  const refused = error.code !== undefined && error.msg !== undefined
  if (!refused && message['result'] !== null) return { kind: 'other' }
  return {
    kind: 'ack',
    id: Number(message['id'] ?? 0),
    why: refused ? `${String(error.msg)} (code ${String(error.code)})` : '',
  }
}

const words: Words = {
  key: 'stream',
  topic: (kind, symbol) => `${symbol.toLowerCase()}@${kind}`,
  parts: (topic) => {
    const at = topic.indexOf('@')
    return { symbol: topic.slice(0, Math.max(0, at)).toUpperCase(), kind: topic.slice(at + 1) }
  },
  subscribe: (params, id) => ({ method: 'SUBSCRIBE', params, id }),
  unsubscribe: (params, id) => ({ method: 'UNSUBSCRIBE', params, id }),
  reply,
}

/**
 * What all Binance stream servers have in common. Unknown names are acknowledged and stay silent, so an
 * acknowledgement proves nothing; connections live for 24 hours.
 * https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
 */
export const session = {
  words,
  topicsPerRequest: 100,
  // 1024 is the limit, and one more closes the connection with all that is on it.
  topicsPerConnection: 400,
  lettersPerConnection: 0,
  connectsPerMinute: 40,
  heartbeat: { from: 'server' },
  cutAfterMs: 23 * 3_600_000,
  firstMessageMs: 30_000,
} as const satisfies Partial<SocketRules>
