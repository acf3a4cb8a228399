import { type Channel, Publication, silent } from './channel.ts'
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
  #fields: Fields
  #dirty = false

  constructor(market: Market, name: string) {
    this.#market = market
    this.name = name
    this.cadenceMs = market.listing.perpetual ? 100 : 1000
    this.#fields = tickerFields(market)
  }

  absorb(): void {
    this.#dirty = true
  }

  greet(nowMs: number): Publication {
    return this.#frame('snapshot', this.#fields, nowMs)
  }

  publish(nowMs: number): readonly Publication[] {
    if (!this.#dirty && nowMs % 1000 >= this.cadenceMs) return silent
    this.#dirty = false
    const before = this.#fields
    this.#fields = tickerFields(this.#market)
    const changed = this.#fields.filter(([, value], i) => value !== before[i]?.[1])
    if (changed.length === 0) return silent
    if (!this.#market.listing.perpetual) return [this.greet(nowMs)]
    return [this.#frame('delta', lastInDeltas(changed), nowMs)]
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
}

/** A recording of 2026 has these two behind all others in what changed, and elsewhere in a snapshot. */
function lastInDeltas(fields: Fields): Fields {
  const last = ([key]: readonly [string, string]): boolean => key.startsWith('singleOpenInterest')
  return [...fields.filter((one) => !last(one)), ...fields.filter(last)]
}

/** All fields of a ticker but the symbol, in the order of the topic. */
function tickerFields(market: Market): Fields {
  const { day, funding } = market
  const price = (tick: number): string => market.priceText(tick)
  const [last, open, change] = [price(day.lastTick), price(day.openTick), rounded(day.change, 6)]
  const [high, low] = [price(day.highTick), price(day.lowTick)]
  if (funding === undefined) {
    return [
      ['lastPrice', last], ['highPrice24h', high], ['lowPrice24h', low], ['prevPrice24h', open],
      ['volume24h', market.sizeText(day.lots)], ['turnover24h', rounded(day.turnover, 4)],
      ['price24hPcnt', change], ['usdIndexPrice', rounded(market.index, 6)],
    ]
  }
  return [
    ['tickDirection', day.lastTick >= day.openTick ? 'ZeroPlusTick' : 'ZeroMinusTick'],
    ['price24hPcnt', change], ['lastPrice', last], ['prevPrice24h', open],
    ['highPrice24h', high], ['lowPrice24h', low], ['prevPrice1h', open],
    ...perpetualFields(market, funding), ...topFields(market),
    ['preOpenPrice', ''], ['preQty', ''], ['curPreListingPhase', ''],
  ]
}

function perpetualFields(market: Market, funding: Funding): Fields {
  const { priceDecimals, sizeDecimals, lotUnits } = market.listing
  const single = (market.openInterestLots / 2) * lotUnits
  const value = (market.openInterestLots * lotUnits * funding.mark) / 10 ** sizeDecimals
  return [
    ['markPrice', rounded(funding.mark, priceDecimals)],
    ['indexPrice', rounded(market.index, priceDecimals)],
    ['openInterest', market.sizeText(market.openInterestLots)], ['openInterestValue', rounded(value, 2)],
    ['turnover24h', rounded(market.day.turnover, 4)], ['volume24h', market.sizeText(market.day.lots)],
    ['fundingIntervalHour', String(funding.hours)], ['fundingCap', shortRate(funding.cap.toFixed(8))],
    ['singleOpenInterest', fixed(single, sizeDecimals)], ['singleOpenInterestValue', rounded(value / 2, 2)],
    ['nextFundingTime', String(funding.nextMs)], ['fundingRate', shortRate(funding.rate)],
  ]
}

function topFields(market: Market): Fields {
  const { bids, asks } = market
  const [bid, ask] = [bids.best ?? 0, asks.best ?? 0]
  return [
    ['bid1Price', market.priceText(bid)], ['bid1Size', market.sizeText(bids.at(bid))],
    ['ask1Price', market.priceText(ask)], ['ask1Size', market.sizeText(asks.at(ask))],
  ]
}

const linearRow = [
  'lastPrice', 'indexPrice', 'markPrice', 'prevPrice24h', 'price24hPcnt', 'highPrice24h', 'lowPrice24h',
  'prevPrice1h', 'openInterest', 'openInterestValue', 'turnover24h', 'volume24h', 'fundingRate',
  'nextFundingTime', 'predictedDeliveryPrice', 'basisRate', 'deliveryFeeRate', 'deliveryTime', 'ask1Size',
  'bid1Price', 'ask1Price', 'bid1Size', 'basis', 'preOpenPrice', 'preQty', 'curPreListingPhase',
  'fundingIntervalHour', 'basisRateYear', 'fundingCap',
] as const

const spotRow = [
  'bid1Price', 'bid1Size', 'ask1Price', 'ask1Size', 'lastPrice', 'prevPrice24h', 'price24hPcnt',
  'highPrice24h', 'lowPrice24h', 'turnover24h', 'volume24h', 'usdIndexPrice',
] as const

/**
 * A row of REST's tickers. It has its own order, and names what only futures with a delivery have.
 *
 * https://bybit-exchange.github.io/docs/v5/market/tickers
 */
export function tickerRow(market: Market): string {
  const { perpetual, symbol } = market.listing
  const fields = [['deliveryTime', '0'], ...topFields(market), ...tickerFields(market)] as const
  const known = new Map<string, string>(fields)
  const row = (perpetual ? linearRow : spotRow).map((key) => `,"${key}":"${known.get(key) ?? ''}"`)
  return `{"symbol":"${symbol}"${row.join('')}}`
}

/** Bybit writes a rate without zeros at the end: `0.0001`. */
function shortRate(text: string): string {
  return text.replace(/\.?0+$/, '')
}
