import { KeyFinder } from '../scan.ts'
import type { Recorded } from '../replay.ts'
import type { MarketRules } from '../venue.ts'

/** Finds of which channel and symbol a message of a recording is. */
export class Finder {
  readonly #market: MarketRules
  readonly #topic: KeyFinder
  readonly #kinds = new Map<string, string>()
  readonly #known = new Map<string, { readonly channel: string; readonly symbol: string } | undefined>()

  constructor(market: MarketRules) {
    this.#market = market
    this.#topic = new KeyFinder(market.socket.words.key)
    for (const [channel, { from }] of Object.entries(market.channels)) {
      if ('topic' in from) for (const kind of [from.topic, ...from.also]) this.#kinds.set(kind, channel)
    }
  }

  find(bytes: Uint8Array): { readonly channel: string; readonly symbol: string } | undefined {
    if (!this.#topic.find(bytes)) return undefined
    const { from, to } = this.#topic
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8', from, to)
    if (this.#known.has(text)) return this.#known.get(text)
    const { kind, symbol } = this.#market.socket.words.parts(text)
    const channel = this.#kinds.get(kind)
    const found = channel === undefined ? undefined : { channel, symbol }
    this.#known.set(text, found)
    return found
  }
}

/** The market that a WebSocket address belongs to. */
const marketAt = (markets: readonly MarketRules[], address: string): MarketRules | undefined => {
  const url = new URL(address)
  const here = markets.filter(({ socket }) => new URL(socket.base).host === url.host)
  return (
    here.find(({ socket }) => Object.values(socket.routes).includes(url.pathname)) ??
    (here.length === 1 ? here[0] : undefined)
  )
}

type Body = { readonly market: MarketRules } & (
  | { readonly what: 'listing' }
  | { readonly what: 'seed'; readonly channel: string; readonly symbol: string; readonly limit: number }
)

/** What a recorded REST answer is, by its address. */
export const bodyAt = (markets: readonly MarketRules[], address: string): Body | undefined => {
  const url = new URL(address)
  for (const market of markets) {
    if (new URL(market.rest.base).host !== url.host) continue
    const list = new URL(market.listing.path(''), market.rest.base)
    const category = list.searchParams.get('category')
    if (list.pathname === url.pathname && url.searchParams.get('category') === category) {
      return { market, what: 'listing' }
    }
    const symbol = url.searchParams.get('symbol') ?? ''
    for (const [channel, { seed }] of Object.entries(market.channels)) {
      if (seed === undefined || new URL(seed.path('X', 1), market.rest.base).pathname !== url.pathname) {
        continue
      }
      return { market, what: 'seed', channel, symbol, limit: Number(url.searchParams.get('limit') ?? 0) }
    }
  }
  return undefined
}

/**
 * A line of a recording of hftbacktest: `<received> <json>`, microseconds or nanoseconds, with the REST
 * snapshot of the book as one line among the messages. https://github.com/nkaz001/hftbacktest
 */
export const hftbacktestLine = (
  line: Buffer,
  market: MarketRules,
  finder: Finder,
  only: string,
): Recorded | undefined => {
  const space = line.indexOf(32)
  const digits = line.toString('latin1', 0, space)
  const received = Math.floor(Number(digits.length > 16 ? digits.slice(0, 16) : digits))
  const bytes = line.subarray(space + 1)
  const found = finder.find(bytes)
  const { name: source } = market
  if (found !== undefined) {
    return { what: 'message', received, source, ...found, connection: 1, epoch: 1, bytes }
  }
  if (!bytes.subarray(0, 20).includes('"lastUpdateId"') || only === '') return undefined
  const { bids, asks } = JSON.parse(bytes.toString()) as {
    readonly bids: unknown[]
    readonly asks: unknown[]
  }
  return {
    what: 'seed',
    received,
    source,
    channel: 'book',
    symbol: only,
    limit: Math.max(bids.length, asks.length),
    bytes,
  }
}

/** Which market, and which symbol, the first lines of a recording of hftbacktest are of. */
export const hftbacktestMarket = (
  lines: readonly Buffer[],
  markets: readonly MarketRules[],
): { readonly market: MarketRules; readonly symbol: string } | undefined => {
  const symbols = new Set<string>()
  let futures: boolean | undefined
  for (const line of lines) {
    const text = line.toString('latin1')
    const symbol = /"s":"([^"]+)"/.exec(text)?.[1]
    if (symbol !== undefined) symbols.add(symbol)
    if (text.includes('"depthUpdate"')) futures = text.includes('"pu":')
    else if (futures === undefined && text.includes('"e":"trade"')) futures = text.includes('"X":')
  }
  const coinMargined = [...symbols].some((symbol) => /USD_/.test(symbol))
  const market = markets.find(({ name }) => name === (futures === true ? 'binance.usdm' : 'binance.spot'))
  if (market === undefined || futures === undefined || coinMargined) return undefined
  return { market, symbol: symbols.size === 1 ? ([...symbols][0] ?? '') : '' }
}

interface CryptofeedRow {
  readonly t: 'header' | 'http' | 'connect' | 'send' | 'recv'
  readonly conn: string
  readonly ts: number
  readonly url?: string
  readonly addr?: string
  readonly data?: string
}

/**
 * A recording of cryptofeed: JSON rows of REST answers, connections and messages, grouped by connection, so
 * that all of it is read and put in the order of time. https://github.com/bmoscon/cryptofeed
 */
export const cryptofeedRows = (
  lines: readonly Buffer[],
  markets: readonly MarketRules[],
): readonly Recorded[] => {
  const connections = new Map<
    string,
    {
      market: MarketRules
      finder: Finder
      number: number
      epoch: number
    }
  >()
  const all: Recorded[] = []
  for (const line of lines) {
    const row = JSON.parse(line.toString()) as CryptofeedRow
    const received = Math.round(row.ts * 1e6)
    const bytes = Buffer.from(row.data ?? '')
    if (row.t === 'http' && row.url !== undefined) {
      const body = bodyAt(markets, row.url)
      if (body !== undefined) all.push({ received, bytes, ...bodyOf(body) })
    } else if (row.t === 'connect' && row.addr !== undefined) {
      const market = marketAt(markets, row.addr)
      if (market === undefined) continue
      const known = connections.get(row.conn)
      const { number = connections.size + 1, epoch = 0 } = known ?? {}
      if (known !== undefined) {
        all.push({ what: 'end', received, source: market.name, connection: number, epoch, why: 'made anew' })
      }
      connections.set(row.conn, { market, finder: new Finder(market), number, epoch: epoch + 1 })
    } else if (row.t === 'recv') {
      const at = connections.get(row.conn)
      const found = at?.finder.find(bytes)
      if (at === undefined || found === undefined) continue
      all.push({
        what: 'message',
        received,
        source: at.market.name,
        ...found,
        connection: at.number,
        epoch: at.epoch,
        bytes,
      })
    }
  }
  return all.sort((a, b) => a.received - b.received)
}

const bodyOf = (body: Body) =>
  body.what === 'listing'
    ? ({ what: 'listing', source: body.market.name } as const)
    : ({
        what: 'seed',
        source: body.market.name,
        channel: body.channel,
        symbol: body.symbol,
        limit: body.limit,
      } as const)
