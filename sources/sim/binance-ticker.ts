import { fixed, rounded } from './decimal.ts'
import type { Market } from './market.ts'

const dayMs = 86_400_000
const minuteMs = 60_000

/**
 * The last 24 hours of a spot symbol, whole or short.
 *
 * https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints
 */
export function spotTicker(market: Market, mini: boolean, nowMs: number): string {
  const { day, bids, asks } = market
  const [bid, ask] = [bids.best ?? 0, asks.best ?? 0]
  const price = (tick: number): string => market.priceText(tick)
  const { symbol, ending } = ends(market, nowMs - dayMs, nowMs)
  const extremes = `"openPrice":"${price(day.openTick)}","highPrice":"${price(day.highTick)}",` +
    `"lowPrice":"${price(day.lowTick)}"`
  const amounts = `"volume":"${volume(market)}","quoteVolume":"${rounded(day.turnover, 8)}"`
  if (mini) return `{${symbol},${extremes},"lastPrice":"${price(day.lastTick)}",${amounts},${ending}}`
  return `{${symbol},${changes(market, 8)},"prevClosePrice":"${price(day.openTick)}",` +
    `"lastPrice":"${price(day.lastTick)}","lastQty":"${market.sizeText(day.lastLots)}",` +
    `"bidPrice":"${price(bid)}","bidQty":"${market.sizeText(bids.at(bid))}",` +
    `"askPrice":"${price(ask)}","askQty":"${market.sizeText(asks.at(ask))}",${extremes},${amounts},${ending}}`
}

/**
 * The last 24 hours of a perpetual; they begin at a whole minute.
 *
 * https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api
 */
export function futuresTicker(market: Market, nowMs: number): string {
  const { day, listing } = market
  const price = (tick: number): string => market.priceText(tick)
  const openMs = Math.floor((nowMs - dayMs) / minuteMs) * minuteMs
  const { symbol, ending } = ends(market, openMs, nowMs)
  return `{${symbol},${changes(market, listing.priceDecimals)},"lastPrice":"${price(day.lastTick)}",` +
    `"lastQty":"${market.sizeText(day.lastLots)}","openPrice":"${price(day.openTick)}",` +
    `"highPrice":"${price(day.highTick)}","lowPrice":"${price(day.lowTick)}","volume":"${volume(market)}",` +
    `"quoteVolume":"${rounded(day.turnover, 2)}",${ending}}`
}

/** What both kinds begin and end with. Without trades the ids are -1. */
function ends(
  { listing, lastTrade, day }: Market, openMs: number, closeMs: number,
): { readonly symbol: string; readonly ending: string } {
  const last = day.trades === 0 ? -1 : lastTrade
  const first = day.trades === 0 ? -1 : lastTrade - day.trades + 1
  return {
    symbol: `"symbol":"${listing.symbol}"`,
    ending: `"openTime":${openMs},"closeTime":${closeMs},"firstId":${first},"lastId":${last},` +
      `"count":${day.trades}`,
  }
}

function changes({ day, listing }: Market, decimals: number): string {
  const change = fixed((day.lastTick - day.openTick) * listing.tickUnits, listing.priceDecimals)
  return `"priceChange":"${change}","priceChangePercent":"${rounded(day.change * 100, 3)}",` +
    `"weightedAvgPrice":"${rounded(day.meanPrice, decimals)}"`
}

/** A day of the smallest coins has more units than a number holds exactly. */
function volume({ day, listing }: Market): string {
  return fixed(BigInt(day.lots) * BigInt(listing.lotUnits), listing.sizeDecimals)
}
