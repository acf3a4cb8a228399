import { tickerRow } from './bybit-ticker.ts'
import { fixed, trimmed } from './decimal.ts'
import type { Level } from './ladder.ts'
import type { Market } from './market.ts'
import { bybitUpdate } from './numbering.ts'
import type { VenueName } from './universe.ts'
import type { RestReply, World } from './world.ts'

type Category = 'linear' | 'spot'

/** Answers a REST call of Bybit; linear and spot are told apart by `category`, as at the venue. */
export function bybitRest(path: string, query: URLSearchParams, world: World): RestReply {
  if (path === '/v5/market/time') return time(world)
  const category = query.get('category')
  if (category !== 'linear' && category !== 'spot') {
    return refused(10001, 'params error: category is invalid', world)
  }
  switch (path) {
    case '/v5/market/instruments-info': return instruments(category, query, world)
    case '/v5/market/orderbook': return book(category, query, world)
    case '/v5/market/tickers': return tickers(category, query, world)
    case '/v5/market/recent-trade': return recentTrades(category, query, world)
    case '/v5/market/funding/history': return fundingHistory(category, query, world)
    default: return { status: 404, body: '{"retCode":404,"retMsg":"not found"}', weight: 1 }
  }
}

function venueOf(category: Category): VenueName {
  return category === 'linear' ? 'bybit.linear' : 'bybit.spot'
}

function reply(result: string, world: World): RestReply {
  const body = `{"retCode":0,"retMsg":"OK","result":${result},"retExtInfo":{},"time":${world.nowMs}}`
  return { status: 200, body, weight: 1 }
}

function refused(code: number, why: string, world: World): RestReply {
  const body = `{"retCode":${code},"retMsg":"${why}","result":{},"retExtInfo":{},"time":${world.nowMs}}`
  return { status: 200, body, weight: 1 }
}

function time(world: World): RestReply {
  const seconds = Math.floor(world.nowMs / 1000)
  return reply(`{"timeSecond":"${seconds}","timeNano":"${world.nowMs}000000"}`, world)
}

/** Linear is paged by a cursor (the place of the next row), spot comes whole. */
function instruments(category: Category, query: URLSearchParams, world: World): RestReply {
  const symbol = query.get('symbol')
  const closed = query.get('status') === 'Closed'
  const markets = world.markets(venueOf(category)).filter((market) =>
    (market.status !== 'trading') === closed && (symbol === null || market.listing.symbol === symbol))
  if (category === 'spot') {
    return reply(`{"category":"spot","list":[${markets.map(spotInstrument).join(',')}]}`, world)
  }
  const limit = Math.min(1000, Math.max(1, Number(query.get('limit') ?? 500)))
  const start = Number((query.get('cursor') ?? '').replace(/^page%3D|^page=/, '') || 0)
  if (!Number.isInteger(start)) return refused(10001, 'params error: cursor is invalid', world)
  const next = start + limit < markets.length ? `page%3D${start + limit}` : ''
  const list = markets.slice(start, start + limit).map(linearInstrument).join(',')
  return reply(`{"category":"linear","list":[${list}],"nextPageCursor":"${next}"}`, world)
}

function linearInstrument({ listing, status, listedMs, closedMs, funding, rank }: Market): string {
  const { symbol, base, quote, priceDecimals, sizeDecimals, tickUnits, lotUnits } = listing
  const tick = fixed(tickUnits, priceDecimals)
  const lot = fixed(lotUnits, sizeDecimals)
  const cap = trimmed(Math.round((funding?.cap ?? 0) * 1e8), 8)
  return `{"symbol":"${symbol}","contractType":"LinearPerpetual",` +
    `"status":"${status === 'trading' ? 'Trading' : 'Closed'}","baseCoin":"${base}","quoteCoin":"${quote}",` +
    `"launchTime":"${listedMs - 86_400_000}","deliveryTime":"${closedMs}","deliveryFeeRate":"",` +
    `"priceScale":"${priceDecimals}",` +
    '"leverageFilter":{"minLeverage":"1","maxLeverage":"100.00","leverageStep":"0.01"},' +
    `"priceFilter":{"minPrice":"${tick}","maxPrice":"${fixed(tickUnits * 19_999_998, priceDecimals)}",` +
    `"tickSize":"${tick}"},"lotSizeFilter":{"maxOrderQty":"${fixed(lotUnits * 1_500_000, sizeDecimals)}",` +
    `"minOrderQty":"${lot}","qtyStep":"${lot}",` +
    `"postOnlyMaxOrderQty":"${fixed(lotUnits * 1_500_000, sizeDecimals)}",` +
    `"maxMktOrderQty":"${fixed(lotUnits * 150_000, sizeDecimals)}","minNotionalValue":"5"},` +
    `"unifiedMarginTrade":true,"fundingInterval":${(funding?.hours ?? 8) * 60},"settleCoin":"${quote}",` +
    `"copyTrading":"both","upperFundingRate":"${cap}","lowerFundingRate":"-${cap}","isPreListing":false,` +
    '"preListingInfo":null,"riskParameters":{"priceLimitRatioX":"0.05","priceLimitRatioY":"0.1"},' +
    `"displayName":"","symbolType":"","forbidUplWithdrawal":false,"symbolId":${rank + 5}}`
}

function spotInstrument({ listing, rank }: Market): string {
  const { symbol, base, quote, priceDecimals, sizeDecimals, tickUnits, lotUnits } = listing
  const lot = trimmed(lotUnits, sizeDecimals)
  const most = trimmed(lotUnits * 1_000_000, sizeDecimals)
  return `{"symbolId":${rank + 9},"symbol":"${symbol}","baseCoin":"${base}","quoteCoin":"${quote}",` +
    '"innovation":"0","status":"Trading","marginTrading":"utaOnly","stTag":"0",' +
    `"lotSizeFilter":{"basePrecision":"${lot}","quotePrecision":"0.0000001","minOrderQty":"${lot}",` +
    `"maxOrderQty":"${most}","minOrderAmt":"5","maxOrderAmt":"8000000","maxLimitOrderQty":"${most}",` +
    `"maxMarketOrderQty":"${most}","postOnlyMaxLimitOrderSize":"${most}"},` +
    `"priceFilter":{"tickSize":"${trimmed(tickUnits, priceDecimals)}"},` +
    '"riskParameters":{"priceLimitRatioX":"0.05","priceLimitRatioY":"0.1"},"symbolType":"",' +
    '"xstockMultiplier":"1"}'
}

function book(category: Category, query: URLSearchParams, world: World): RestReply {
  const market = world.market(venueOf(category), query.get('symbol') ?? '')
  if (market === undefined) return refused(10001, 'params error: symbol invalid', world)
  const limit = Math.min(1000, Math.max(1, Number(query.get('limit') ?? (category === 'spot' ? 1 : 25))))
  const rows = (levels: readonly Level[]): string =>
    levels.map(({ tick, lots }) => `["${market.priceText(tick)}","${market.sizeText(lots)}"]`).join(',')
  return reply(`{"s":"${market.listing.symbol}","b":[${rows(market.bids.top(limit))}],` +
    `"a":[${rows(market.asks.top(limit))}],"ts":${world.nowMs},"u":${bybitUpdate(world.nowMs)},` +
    `"seq":${market.lastUpdate},"cts":${world.nowMs}}`, world)
}

/** Of all symbols that trade, or of one. */
function tickers(category: Category, query: URLSearchParams, world: World): RestReply {
  const symbol = query.get('symbol')
  const markets = world.markets(venueOf(category)).filter((market) =>
    market.status === 'trading' && (symbol === null || market.listing.symbol === symbol))
  if (symbol !== null && markets.length === 0) return refused(10001, 'params error: symbol invalid', world)
  return reply(`{"category":"${category}","list":[${markets.map(tickerRow).join(',')}]}`, world)
}

function recentTrades(category: Category, query: URLSearchParams, world: World): RestReply {
  const market = world.market(venueOf(category), query.get('symbol') ?? '')
  if (market === undefined) return refused(10001, 'params error: symbol invalid', world)
  const limit = Math.min(category === 'spot' ? 60 : 1000, Math.max(1, Number(query.get('limit') ?? 500)))
  const rows = market.tape.slice(-limit).reverse().map((fill) =>
    `{"execId":"${fill.id}","symbol":"${market.listing.symbol}","price":"${market.priceText(fill.tick)}",` +
    `"size":"${market.sizeText(fill.lots)}","side":"${fill.taker === 'buy' ? 'Buy' : 'Sell'}",` +
    `"time":"${fill.timeMs}","isBlockTrade":false,"isRPITrade":false,"seq":"${market.lastUpdate}"}`)
  return reply(`{"category":"${category}","list":[${rows.join(',')}]}`, world)
}

/** Settlements, newest first; `startTime` alone is an error. */
function fundingHistory(category: Category, query: URLSearchParams, world: World): RestReply {
  const market = world.market(venueOf(category), query.get('symbol') ?? '')
  if (market?.funding === undefined) return refused(10001, 'params error: symbol invalid', world)
  if (query.has('startTime') && !query.has('endTime')) return refused(10001, 'Empty parameters', world)
  const [from, to] = [Number(query.get('startTime') ?? 0), Number(query.get('endTime') ?? Infinity)]
  const limit = Math.min(200, Math.max(1, Number(query.get('limit') ?? 200)))
  const rows = market.funding.settled.filter(({ timeMs }) => timeMs >= from && timeMs <= to)
    .slice(-limit).reverse().map(({ rate, timeMs }) => `{"symbol":"${market.listing.symbol}",` +
      `"fundingRate":"${trimmed(Math.round(Number(rate) * 1e8), 8)}","fundingRateTimestamp":"${timeMs}"}`)
  return reply(`{"category":"linear","list":[${rows.join(',')}]}`, world)
}
