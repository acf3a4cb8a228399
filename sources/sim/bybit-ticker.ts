import { type Channel, Publication } from './channel.ts'
import type { Connection } from './connection.ts'
import { fixed, rounded } from './decimal.ts'
import type { Funding } from './funding.ts'
import type { Market } from './market.ts'

type Fields = readonly (readonly [string, string])[]

/** The ticker topic: on linear a snapshot and then only what changed, on spot always whole. */
export class BybitTickerChannel implements Channel {
  readonly subscribers = new Set<Connection>()
  readonly name: string
  readonly cadenceMs: number
  readonly #market: Market
  readonly #openTick: number
  #fields: Fields
  #dirty = false

  constructor(market: Market, name: string) {
    this.#market = market
    this.name = name
    this.cadenceMs = market.listing.perpetual ? 100 : 1000
    this.#openTick = market.bids.best ?? 1
    this.#fields = this.#read()
  }

  absorb(): void {
    this.#dirty = true
  }

  greet(nowMs: number): Publication {
    return this.#frame('snapshot', this.#fields, nowMs)
  }

  publish(nowMs: number): readonly Publication[] {
    if (!this.#dirty && nowMs % 1000 >= this.cadenceMs) return []
    this.#dirty = false
    const before = this.#fields
    this.#fields = this.#read()
    const changed = this.#fields.filter(([, value], i) => value !== before[i]?.[1])
    if (changed.length === 0) return []
    return [this.#market.listing.perpetual ? this.#frame('delta', changed, nowMs) : this.greet(nowMs)]
  }

  #frame(type: 'snapshot' | 'delta', fields: Fields, nowMs: number): Publication {
    const { listing, lastUpdate } = this.#market
    const body = fields.map(([key, value]) => `,"${key}":"${value}"`).join('')
    const symbol = `"data":{"symbol":"${listing.symbol}"${body}}`
    const text = listing.perpetual
      ? `{"topic":"${this.name}","type":"${type}",${symbol},"cs":${lastUpdate},"ts":${nowMs}}`
      : `{"topic":"${this.name}","ts":${nowMs},"type":"${type}","cs":${lastUpdate},${symbol}}`
    return new Publication(this.#market, this.name, 'mark', ['', ''], nowMs, text)
  }

  #read(): Fields {
    const market = this.#market
    const { funding } = market
    const last = market.lastFill?.tick ?? this.#openTick
    const change = rounded((last - this.#openTick) / this.#openTick, 6)
    const price = (tick: number): string => market.priceText(tick)
    const [high, low] = [price(Math.max(last, this.#openTick) + 20), price(Math.max(1, this.#openTick - 20))]
    if (funding === undefined) {
      return [
        ['lastPrice', price(last)], ['highPrice24h', high], ['lowPrice24h', low],
        ['prevPrice24h', price(this.#openTick)], ['volume24h', market.sizeText(market.volumeLots)],
        ['turnover24h', this.#turnover(last)], ['price24hPcnt', change],
        ['usdIndexPrice', rounded(market.index, 6)],
      ]
    }
    return [
      ['tickDirection', last >= this.#openTick ? 'ZeroPlusTick' : 'ZeroMinusTick'], ['price24hPcnt', change],
      ['lastPrice', price(last)], ['prevPrice24h', price(this.#openTick)],
      ['highPrice24h', high], ['lowPrice24h', low], ['prevPrice1h', price(this.#openTick)],
      ...this.#perpetual(funding), ...this.#top(),
      ['preOpenPrice', ''], ['preQty', ''], ['curPreListingPhase', ''],
    ]
  }

  #perpetual(funding: Funding): Fields {
    const market = this.#market
    const { priceDecimals, sizeDecimals, lotUnits } = market.listing
    const single = (market.openInterestLots / 2) * lotUnits
    const value = (market.openInterestLots * lotUnits * funding.mark) / 10 ** sizeDecimals
    return [
      ['markPrice', rounded(funding.mark, priceDecimals)],
      ['indexPrice', rounded(market.index, priceDecimals)],
      ['openInterest', market.sizeText(market.openInterestLots)], ['openInterestValue', rounded(value, 2)],
      ['turnover24h', this.#turnover(market.lastFill?.tick ?? this.#openTick)],
      ['volume24h', market.sizeText(market.volumeLots)],
      ['fundingIntervalHour', String(funding.hours)], ['fundingCap', shortRate(funding.cap.toFixed(8))],
      ['singleOpenInterest', fixed(single, sizeDecimals)], ['singleOpenInterestValue', rounded(value / 2, 2)],
      ['nextFundingTime', String(funding.nextMs)], ['fundingRate', shortRate(funding.rate)],
    ]
  }

  #top(): Fields {
    const market = this.#market
    const { bids, asks } = market
    const [bid, ask] = [bids.best ?? 0, asks.best ?? 0]
    return [
      ['bid1Price', market.priceText(bid)], ['bid1Size', market.sizeText(bids.at(bid))],
      ['ask1Price', market.priceText(ask)], ['ask1Size', market.sizeText(asks.at(ask))],
    ]
  }

  #turnover(tick: number): string {
    const { tickUnits, priceDecimals, lotUnits, sizeDecimals } = this.#market.listing
    const lots = (this.#market.volumeLots * lotUnits) / 10 ** sizeDecimals
    return rounded((lots * tick * tickUnits) / 10 ** priceDecimals, 4)
  }
}

/** Bybit writes a rate without zeros at the end: `0.0001`. */
function shortRate(text: string): string {
  return text.replace(/\.?0+$/, '')
}
