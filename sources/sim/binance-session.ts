import { binanceChannel, binanceName } from './binance-channels.ts'
import type { Connection } from './connection.ts'
import type { World } from './world.ts'

/** Messages a second that the venue takes from a client; the futures limit is the measured one. */
const requestLimit = { spot: 5, usdm: 10 } as const
/** Streams on one connection. */
const streamLimit = 1024

/**
 * Reads `/ws/a/b`, `/stream?streams=a/b`, `/public/ws`, `/market/stream?...`; undefined for a path that is
 * not served.
 */
export function binancePath(
  path: string, futures: boolean,
): { readonly route: string; readonly combined: boolean; readonly names: readonly string[] } | undefined {
  const match = /^(?:\/(public|market))?\/(ws|stream)(?:\/([^?]*))?(?:\?(.*))?$/.exec(path)
  if (match === null || (match[1] !== undefined && !futures)) return undefined
  const [, route = 'public', word, raw = '', query = ''] = match
  const streams = word === 'ws' ? raw : (new URLSearchParams(query).get('streams') ?? '')
  const names = streams.split('/').filter((name) => name !== '').map(decodeURIComponent)
  return { route, combined: word === 'stream', names }
}

/** Answers one message of a Binance client. */
export function binanceRequest(connection: Connection, text: string, world: World): void {
  const now = world.nowMs
  const spot = connection.venue === 'binance.spot'
  if (!connection.request(now, spot ? requestLimit.spot : requestLimit.usdm)) {
    connection.end(1008, 'Too many requests', now)
    return
  }
  const request = parse(text)
  if (request === undefined) {
    connection.reply(`{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}`, now)
    return
  }
  const id = JSON.stringify(request['id'] ?? null)
  const refuse = (code: number, msg: string): void => {
    connection.reply(spot ? `{"code":${code},"msg":"${msg}","id":${id}}`
      : `{"error":{"code":${code},"msg":"${msg}"},"id":${id}}`, now)
  }
  const { method, params = [] } = request
  if (!Array.isArray(params)) return refuse(2, 'Invalid request: params must be an array')
  switch (method) {
    case 'SUBSCRIBE': {
      if (params.some((name) => typeof name !== 'string')) return refuse(2, 'Invalid request: invalid type')
      if (subscribeBinance(connection, params, world)) connection.reply(`{"result":null,"id":${id}}`, now)
      return
    }
    case 'UNSUBSCRIBE':
      for (const name of params) world.detach(connection, String(name))
      return connection.reply(`{"result":null,"id":${id}}`, now)
    case 'LIST_SUBSCRIPTIONS':
      return connection.reply(`{"result":${JSON.stringify([...connection.channels.keys()])},"id":${id}}`, now)
    case 'SET_PROPERTY':
      if (params[0] !== 'combined') return refuse(0, 'Unknown property')
      if (typeof params[1] !== 'boolean') return refuse(1, 'Invalid value type: expected Boolean')
      connection.combined = params[1]
      return connection.reply(`{"result":null,"id":${id}}`, now)
    default:
      return refuse(2, 'Invalid request: unknown variant, expected one of SUBSCRIBE, UNSUBSCRIBE')
  }
}

/**
 * Subscribes a connection to streams. Names that do not exist, and streams of another route, are taken and
 * stay silent, as at the venue. False when the connection was ended because it asked for too many.
 */
export function subscribeBinance(connection: Connection, names: readonly string[], world: World): boolean {
  const futures = connection.venue === 'binance.usdm'
  for (const name of names) {
    if (connection.channels.has(name)) continue
    if (connection.channels.size >= streamLimit) {
      connection.reply('{"error":{"code":4,"msg":"Too many subscriptions"}}', world.nowMs)
      connection.end(1008, 'Too many subscriptions', world.nowMs)
      return false
    }
    const parts = binanceName(name, futures)
    const market = parts === undefined ? undefined : world.market(connection.venue, parts.symbol)

    if (parts === undefined || market === undefined || (futures && parts.route !== connection.route)) {
      world.attach(connection, name)
    } else world.attach(connection, name, market, () => binanceChannel(market, name, parts))
  }
  return true
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
