import { type Channel, Publication, silent } from './channel.ts'
import type { Connection } from './connection.ts'
import { rounded } from './decimal.ts'
import type { Ladder } from './ladder.ts'
import type { Fill, Market } from './market.ts'

/** Which of the futures routes carries a stream. Spot has one route. */
export type BinanceRoute = 'public' | 'market'

/** A stream name taken apart, e.g. `btcusdt@depth20@100ms`. */
export interface BinanceName {
  readonly symbol: string
  readonly kind: 'trade' | 'bookTicker' | 'depth' | 'partial' | 'markPrice'
  readonly cadenceMs: number
  readonly levels: number
  readonly route: BinanceRoute
}

const spotCadence: Readonly<Record<string, number>> = { '': 1000, '@100ms': 100 }
const usdmCadence: Readonly<Record<string, number>> = { '': 250, '@100ms': 100, '@500ms': 500, '@0ms': 20 }

/** Takes a stream name apart; undefined for names that the venue acknowledges and never serves. */
export function binanceName(name: string, futures: boolean): BinanceName | undefined {
  const match = /^([^@A-Z]+)@(trade|bookTicker|markPrice|depth(5|10|20)?)(@\w+)?$/.exec(name)
  if (match === null) return undefined
  const [, symbol = '', word = '', levels, suffix = ''] = match
  const named = { symbol: symbol.toUpperCase(), levels: Number(levels ?? 0) }
  if (word === 'markPrice') {
    const cadenceMs = { '': 3000, '@1s': 1000 }[suffix]
    if (!futures || cadenceMs === undefined) return undefined
    return { ...named, kind: 'markPrice', cadenceMs, route: 'market' }
  }
  if (word === 'trade' || word === 'bookTicker') {
    return suffix === '' ? { ...named, kind: word, cadenceMs: 10, route: 'public' } : undefined
  }
  const cadenceMs = (futures ? usdmCadence : spotCadence)[suffix]
  if (cadenceMs === undefined || (levels !== undefined && suffix === '@0ms')) return undefined
  return { ...named, kind: levels === undefined ? 'depth' : 'partial', cadenceMs, route: 'public' }
}

/** Starts a stream of a market. */
export function binanceChannel(market: Market, name: string, parts: BinanceName): Channel {
  switch (parts.kind) {
    case 'trade': return new TradeChannel(market, name)
    case 'bookTicker': return new QuoteChannel(market, name)
    case 'depth': return new DepthChannel(market, name, parts.cadenceMs)
    case 'partial': return new PartialChannel(market, name, parts)
    case 'markPrice': return new MarkChannel(market, name, parts.cadenceMs)
  }
}

/** One frame per execution. */
class TradeChannel implements Channel {
  readonly cadenceMs = 10
  readonly subscribers = new Set<Connection>()
  readonly name: string
  readonly #market: Market

  constructor(market: Market, name: string) {
    this.#market = market
    this.name = name
  }

  absorb(): void {}

  publish(nowMs: number): readonly Publication[] {
    const { fills } = this.#market
    if (fills.length === 0) return silent
    return fills.map((fill) => {
      const text = tradeText(this.#market, fill, nowMs)
      return new Publication(this.#market, this.name, 'trade', [fill.id, fill.id], nowMs, text)
    })
  }
}

function tradeText(market: Market, fill: Fill, nowMs: number): string {
  const { venue, symbol } = market.listing
  const maker = fill.taker === 'sell'
  const body = `"t":${fill.id},"p":"${market.priceText(fill.tick)}","q":"${market.sizeText(fill.lots)}"`
  if (venue === 'binance.spot') {
    return `{"e":"trade","E":${nowMs},"s":"${symbol}",${body},"T":${fill.timeMs},"m":${maker},"M":true}`
  }
  return `{"e":"trade","E":${nowMs},"T":${fill.timeMs},"s":"${symbol}",${body},"X":"MARKET",` +
    `"m":${maker},"st":1}`
}

/** One frame whenever the best bid or ask changed. */
class QuoteChannel implements Channel {
  readonly cadenceMs = 10
  readonly subscribers = new Set<Connection>()
  readonly name: string
  readonly #market: Market
  #body = ''

  constructor(market: Market, name: string) {
    this.#market = market
    this.name = name
  }

  absorb(): void {}

  publish(nowMs: number): readonly Publication[] {
    const market = this.#market
    if (!market.changed) return silent
    const { bids, asks, listing, lastUpdate } = market
    const [bid, ask] = [bids.best, asks.best]
    if (bid === undefined || ask === undefined) return silent
    const body = `"b":"${market.priceText(bid)}","B":"${market.sizeText(bids.at(bid))}",` +
      `"a":"${market.priceText(ask)}","A":"${market.sizeText(asks.at(ask))}"`
    if (body === this.#body) return silent
    this.#body = body
    const id = String(lastUpdate)
    const text = listing.venue === 'binance.spot'
      ? `{"u":${id},"s":"${listing.symbol}",${body}}`
      : `{"e":"bookTicker","u":${id},"s":"${listing.symbol}","ps":"${listing.symbol}",${body},` +
        `"T":${nowMs},"E":${nowMs},"st":1}`
    return [new Publication(market, this.name, 'quote', [id, id], nowMs, text)]
  }
}

/** What changed in the book since the last frame. */
class DepthChannel implements Channel {
  readonly subscribers = new Set<Connection>()
  readonly name: string
  readonly cadenceMs: number
  readonly #market: Market
  readonly #bids = new Set<number>()
  readonly #asks = new Set<number>()
  #first = 0
  #previous: number
  #changedMs = 0

  constructor(market: Market, name: string, cadenceMs: number) {
    this.#market = market
    this.name = name
    this.cadenceMs = cadenceMs
    this.#previous = market.lastUpdate
  }

  absorb(nowMs: number): void {
    const market = this.#market
    if (!market.changed) return
    if (this.#first === 0) this.#first = market.firstUpdate
    for (const tick of market.touchedBids) this.#bids.add(tick)
    for (const tick of market.touchedAsks) this.#asks.add(tick)
    this.#changedMs = nowMs
  }

  publish(nowMs: number): readonly Publication[] {
    if (this.#first === 0) return silent
    const market = this.#market
    const { symbol, venue } = market.listing
    const spot = venue === 'binance.spot'
    const [first, last] = [this.#first, market.lastUpdate]
    const bids = changes(market, market.bids, [...this.#bids].sort((x, y) => (spot ? y - x : x - y)))
    const asks = changes(market, market.asks, [...this.#asks].sort((x, y) => x - y))
    const text = spot
      ? `{"e":"depthUpdate","E":${nowMs},"s":"${symbol}","U":${first},"u":${last},"b":${bids},"a":${asks}}`
      : `{"e":"depthUpdate","E":${nowMs},"T":${this.#changedMs},"s":"${symbol}","ps":"${symbol}",` +
        `"U":${first},` +
        `"u":${last},"pu":${this.#previous},"b":${bids},"a":${asks},"st":1}`
    this.#first = 0
    this.#previous = last
    this.#bids.clear()
    this.#asks.clear()
    return [new Publication(market, this.name, 'book', [String(first), String(last)], nowMs, text)]
  }
}

function changes(market: Market, ladder: Ladder, ticks: readonly number[]): string {
  let text = ''
  for (const tick of ticks) {
    text += `${text === '' ? '[' : ',['}"${market.priceText(tick)}","${market.sizeText(ladder.at(tick))}"]`
  }
  return `[${text}]`
}

/** The best levels of a side as JSON. */
function topText(market: Market, ladder: Ladder, count: number): string {
  return changes(market, ladder, ladder.top(count).map((level) => level.tick))
}

/** The top of the book, whole, whenever it may have changed. */
class PartialChannel implements Channel {
  readonly subscribers = new Set<Connection>()
  readonly name: string
  readonly cadenceMs: number
  readonly #market: Market
  readonly #levels: number
  #previous: number
  #first = 0

  constructor(market: Market, name: string, parts: BinanceName) {
    this.#market = market
    this.name = name
    this.cadenceMs = parts.cadenceMs
    this.#levels = parts.levels
    this.#previous = market.lastUpdate
  }

  absorb(): void {
    if (this.#first === 0) this.#first = this.#market.firstUpdate
  }

  publish(nowMs: number): readonly Publication[] {
    if (this.#first === 0) return silent
    const market = this.#market
    const { symbol, venue } = market.listing
    const last = market.lastUpdate
    const bids = topText(market, market.bids, this.#levels)
    const asks = topText(market, market.asks, this.#levels)
    const text = venue === 'binance.spot'
      ? `{"lastUpdateId":${last},"bids":${bids},"asks":${asks}}`
      : `{"e":"depthUpdate","E":${nowMs},"T":${nowMs},"s":"${symbol}","ps":"${symbol}","U":${this.#first},` +
        `"u":${last},"pu":${this.#previous},"b":${bids},"a":${asks},"st":1}`
    this.#first = 0
    this.#previous = last
    return [new Publication(market, this.name, 'book', [String(last), String(last)], nowMs, text)]
  }
}

/** Mark price, index price and the running funding rate of a perpetual. */
class MarkChannel implements Channel {
  readonly subscribers = new Set<Connection>()
  readonly name: string
  readonly cadenceMs: number
  readonly #market: Market

  constructor(market: Market, name: string, cadenceMs: number) {
    this.#market = market
    this.name = name
    this.cadenceMs = cadenceMs
  }

  absorb(): void {}

  publish(nowMs: number): readonly Publication[] {
    const { funding, index, listing } = this.#market
    if (funding === undefined) return silent
    const mark = rounded(funding.mark, 8)
    const text = `{"e":"markPriceUpdate","E":${nowMs},"s":"${listing.symbol}","p":"${mark}","ap":"${mark}",` +
      `"P":"${rounded(index, 8)}","i":"${rounded(index, 8)}","r":"${funding.rate}",` +
      `"T":${funding.nextMs},"st":1}`
    return [new Publication(this.#market, this.name, 'mark', ['', ''], nowMs, text)]
  }
}
