import { type Channel, Publication, silent } from './channel.ts'
import type { Connection } from './connection.ts'
import type { Level } from './ladder.ts'
import type { Fill, Market } from './market.ts'
import { BybitTickerChannel } from './bybit-ticker.ts'
import { bybitUpdate } from './numbering.ts'

/** A topic taken apart, e.g. `orderbook.50.BTCUSDT`. */
export interface BybitTopic {
  readonly symbol: string
  readonly kind: 'publicTrade' | 'orderbook' | 'tickers'
  readonly levels: number
}

/** How often each depth of book is published, milliseconds. */
const bookCadence: Readonly<Record<string, number>> = { '1': 10, '50': 20, '200': 100, '1000': 200 }

/** Takes a topic apart; undefined for topics that the venue refuses. */
export function bybitTopic(topic: string): BybitTopic | undefined {
  const parts = topic.split('.')
  const [kind, second = '', third] = parts
  if (kind === 'orderbook' && third !== undefined && parts.length === 3) {
    return bookCadence[second] === undefined ? undefined : { symbol: third, kind, levels: Number(second) }
  }
  const known = (kind === 'publicTrade' || kind === 'tickers') && parts.length === 2
  return known ? { symbol: second, kind, levels: 0 } : undefined
}

/** Starts a topic of a market. */
export function bybitChannel(market: Market, topic: string, parts: BybitTopic, nowMs: number): Channel {
  switch (parts.kind) {
    case 'publicTrade': return new TradeChannel(market, topic)
    case 'orderbook': return new BookChannel(market, topic, parts.levels, nowMs)
    case 'tickers': return new BybitTickerChannel(market, topic)
  }
}

/** `type` and `ts` stand in another order on spot than on linear. */
function bybitHead(market: Market, topic: string, type: 'snapshot' | 'delta', nowMs: number): string {
  return market.listing.venue === 'bybit.spot'
    ? `{"topic":"${topic}","ts":${nowMs},"type":"${type}"`
    : `{"topic":"${topic}","type":"${type}","ts":${nowMs}`
}

/** One frame for all executions of a slot. */
class TradeChannel implements Channel {
  readonly cadenceMs = 10
  readonly subscribers = new Set<Connection>()
  readonly name: string
  readonly #market: Market
  #lastTick = 0
  #rising = true

  constructor(market: Market, name: string) {
    this.#market = market
    this.name = name
  }

  absorb(): void {}

  publish(nowMs: number): readonly Publication[] {
    const { fills, listing } = this.#market
    const [first, last] = [fills[0], fills.at(-1)]
    if (first === undefined || last === undefined) return silent
    const spot = listing.venue === 'bybit.spot'
    const rows = fills.map((fill) => (spot ? this.#spotRow(fill) : this.#linearRow(fill)))
    const text = `${bybitHead(this.#market, this.name, 'snapshot', nowMs)},"data":[${rows.join(',')}]}`
    return [new Publication(this.#market, this.name, 'trade', [first.id, last.id], nowMs, text)]
  }

  #linearRow(fill: Fill): string {
    const market = this.#market
    return `{"T":${fill.timeMs},"s":"${market.listing.symbol}",` +
      `"S":"${fill.taker === 'buy' ? 'Buy' : 'Sell'}",` +
      `"v":"${market.sizeText(fill.lots)}","p":"${market.priceText(fill.tick)}",` +
      `"L":"${this.#direction(fill.tick)}",` +
      `"i":"${fill.id}","BT":false,"RPI":false,"seq":${market.lastUpdate}}`
  }

  #spotRow(fill: Fill): string {
    const market = this.#market
    return `{"i":"${fill.id}","T":${fill.timeMs},"p":"${market.priceText(fill.tick)}",` +
      `"v":"${market.sizeText(fill.lots)}","S":"${fill.taker === 'buy' ? 'Buy' : 'Sell'}",` +
      `"seq":${market.lastUpdate},` +
      `"s":"${market.listing.symbol}","BT":false,"RPI":false}`
  }

  #direction(tick: number): string {
    const same = tick === this.#lastTick
    if (!same) this.#rising = tick > this.#lastTick
    this.#lastTick = tick
    return `${same ? 'Zero' : ''}${this.#rising ? 'Plus' : 'Minus'}Tick`
  }
}

/**
 * The best levels: a snapshot to every new subscriber, then what changes among them. Depth 1 is always
 * whole.
 */
class BookChannel implements Channel {
  readonly subscribers = new Set<Connection>()
  readonly name: string
  readonly cadenceMs: number
  readonly #market: Market
  readonly #levels: number
  #update: number
  #bids: readonly Level[]
  #asks: readonly Level[]
  #sequence: number
  #changedMs: number
  #sentMs: number
  #dirty = false

  constructor(market: Market, name: string, levels: number, nowMs: number) {
    this.#market = market
    this.name = name
    this.#levels = levels
    this.cadenceMs = bookCadence[String(levels)] ?? 100
    this.#update = bybitUpdate(nowMs)
    this.#bids = market.bids.top(levels)
    this.#asks = market.asks.top(levels)
    this.#sequence = market.lastUpdate
    this.#changedMs = nowMs
    this.#sentMs = nowMs
  }

  absorb(nowMs: number): void {
    if (!this.#market.changed) return
    this.#dirty = true
    this.#changedMs = nowMs
  }

  greet(nowMs: number): Publication {
    const bids = this.#rows(this.#bids)
    const asks = this.#rows(this.#asks)
    return this.#frame('snapshot', `"b":[${bids}],"a":[${asks}]`, nowMs)
  }

  publish(nowMs: number): readonly Publication[] {
    if (this.#levels === 1) return this.#publishTop(nowMs)
    if (!this.#dirty) return silent
    this.#dirty = false
    const market = this.#market
    const [bids, asks] = [market.bids.top(this.#levels), market.asks.top(this.#levels)]
    const bidRows = this.#rows(difference(this.#bids, bids, -1))
    const askRows = this.#rows(difference(this.#asks, asks, 1))
    if (bidRows === '' && askRows === '') return silent
    this.#take(bids, asks)
    return [this.#frame('delta', `"b":[${bidRows}],"a":[${askRows}]`, nowMs)]
  }

  /** Depth 1 repeats its last frame after three idle seconds, as a sign of life. */
  #publishTop(nowMs: number): readonly Publication[] {
    const [bids, asks] = [this.#market.bids.top(1), this.#market.asks.top(1)]
    const same = difference(this.#bids, bids, -1).length === 0 && difference(this.#asks, asks, 1).length === 0
    if (same && nowMs - this.#sentMs < 3000) return silent
    if (!same) this.#take(bids, asks)
    this.#sentMs = nowMs
    return [this.greet(nowMs)]
  }

  #take(bids: readonly Level[], asks: readonly Level[]): void {
    this.#bids = bids
    this.#asks = asks
    this.#update += 1
    this.#sequence = this.#market.lastUpdate
  }

  #frame(type: 'snapshot' | 'delta', levels: string, nowMs: number): Publication {
    const { symbol } = this.#market.listing
    const id = String(this.#update)
    const text = `${bybitHead(this.#market, this.name, type, nowMs)},"data":{"s":"${symbol}",${levels},` +
      `"u":${id},"seq":${this.#sequence}},"cts":${this.#changedMs}}`
    return new Publication(this.#market, this.name, 'book', [id, id], nowMs, text)
  }

  #rows(levels: readonly Level[]): string {
    const market = this.#market
    let text = ''
    for (const { tick, lots } of levels) {
      text += `${text === '' ? '' : ','}["${market.priceText(tick)}","${market.sizeText(lots)}"]`
    }
    return text
  }
}

/** What turns one list of levels into another, best first; a level that left the list has no lots. */
function difference(before: readonly Level[], after: readonly Level[], sign: 1 | -1): readonly Level[] {
  const changes: Level[] = []
  let b = 0
  let a = 0
  while (b < before.length || a < after.length) {
    const [old, young] = [before[b], after[a]]
    const order = old === undefined ? 1 : young === undefined ? -1 : (old.tick - young.tick) * sign
    if (order < 0 && old !== undefined) {
      changes.push({ tick: old.tick, lots: 0 })
      b += 1
    } else if (order > 0 && young !== undefined) {
      changes.push(young)
      a += 1
    } else {
      if (young !== undefined && old?.lots !== young.lots) changes.push(young)
      b += 1
      a += 1
    }
  }
  return changes
}
