import { futuresTicker, spotTicker } from './binance-ticker.ts'
import { fixed, rounded } from './decimal.ts'
import type { Level } from './ladder.ts'
import type { Fill, Market } from './market.ts'
import type { OldBook, RestReply, World } from './world.ts'

/** The book to answer with when the answer shall lag behind the stream. */
type Old = (market: Market) => OldBook | undefined

/** How a route of Binance answers. */
type Route = (query: URLSearchParams, world: World, old: Old) => RestReply

const spot: Readonly<Record<string, Route>> = {
  '/api/v3/ping': () => reply(1, '{}'),
  '/api/v3/time': (_, world) => reply(1, `{"serverTime":${world.nowMs}}`),
  '/api/v3/exchangeInfo': (query, world) => spotSymbols(query, world),
  '/api/v3/depth': (query, world, old) => depth('binance.spot', query, world, old),
  '/api/v3/historicalTrades': (query, world) => pastTrades(query, world),
  '/api/v3/trades': (query, world) => pastTrades(query, world),
  '/api/v3/ticker/24hr': (query, world) => spotTickers(query, world),
}

const usdm: Readonly<Record<string, Route>> = {
  '/fapi/v1/ping': () => reply(1, '{}'),
  '/fapi/v1/time': (_, world) => reply(1, `{"serverTime":${world.nowMs}}`),
  '/fapi/v1/exchangeInfo': (_, world) => contracts(world),
  '/fapi/v1/depth': (query, world, old) => depth('binance.usdm', query, world, old),
  '/fapi/v1/fundingInfo': (_, world) => fundingIntervals(world),
  '/fapi/v1/ticker/24hr': (query, world) => futuresTickers(query, world),
  '/fapi/v1/premiumIndex': (query, world) => premium(query, world),
  '/fapi/v1/fundingRate': (query, world) => fundingRates(query, world),
}

/** Answers a REST call of Binance spot or USDM futures. */
export function binanceRest(
  futures: boolean, path: string, query: URLSearchParams, world: World, old: Old,
): RestReply {
  const route = (futures ? usdm : spot)[path]
  if (route !== undefined) return route(query, world, old)
  return { status: 404, body: '<html><body><h2>404 Not found</h2></body></html>', weight: 1 }
}

function reply(weight: number, body: string): RestReply {
  return { status: 200, body, weight }
}

function refused(code: number, msg: string): RestReply {
  return { status: 400, body: `{"code":${code},"msg":"${msg}"}`, weight: 1 }
}

const unknownSymbol = refused(-1121, 'Invalid symbol.')

function depth(
  venue: 'binance.spot' | 'binance.usdm', query: URLSearchParams, world: World, old: Old,
): RestReply {
  const market = world.market(venue, query.get('symbol') ?? '')
  if (market === undefined) return unknownSymbol
  const futures = venue === 'binance.usdm'
  const limit = Number(query.get('limit') ?? (futures ? 500 : 100))
  if (futures && ![5, 10, 20, 50, 100, 500, 1000].includes(limit)) {
    return refused(-4021, `${query.get('limit')} is not valid depth limit`)
  }
  if (!(limit >= 1)) return refused(-1100, `Illegal characters found in parameter 'limit'`)
  const count = Math.min(limit, futures ? 1000 : 5000)
  const book = old(market) ?? {
    lastUpdate: market.lastUpdate, timeMs: world.nowMs,
    bids: market.bids.top(count), asks: market.asks.top(count),
  }
  const times = futures ? `"E":${world.nowMs},"T":${book.timeMs},` : ''
  const bids = rows(market, book.bids.slice(0, count))
  const asks = rows(market, book.asks.slice(0, count))
  return reply(futures ? futuresWeight(query, limit) : spotWeight(limit),
    `{"lastUpdateId":${book.lastUpdate},${times}"bids":[${bids}],"asks":[${asks}]}`)
}

function spotWeight(limit: number): number {
  return limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1000 ? 50 : 250
}

function futuresWeight(query: URLSearchParams, limit: number): number {
  if (!query.has('limit')) return 1
  return limit <= 50 ? 2 : limit <= 100 ? 5 : limit <= 500 ? 10 : 20
}

function rows(market: Market, levels: readonly Level[]): string {
  return levels.map(({ tick, lots }) => `["${market.priceText(tick)}","${market.sizeText(lots)}"]`).join(',')
}

/**
 * Trades from an id on, or the last ones. Older ones than the exchange remembers are answered from the
 * oldest it has.
 */
function pastTrades(query: URLSearchParams, world: World): RestReply {
  const market = world.market('binance.spot', query.get('symbol') ?? '')
  if (market === undefined) return unknownSymbol
  const limit = Math.min(1000, Number(query.get('limit') ?? 500))
  const { tape } = market
  const oldest = Number(tape[0]?.id ?? 0)
  const from = query.get('fromId')
  const start = from === null ? Math.max(0, tape.length - limit) : Math.max(0, Number(from) - oldest)
  return reply(25, `[${tape.slice(start, start + limit).map((fill) => pastTrade(market, fill)).join(',')}]`)
}

function pastTrade(market: Market, fill: Fill): string {
  const { tickUnits, priceDecimals, lotUnits, sizeDecimals } = market.listing
  const value = BigInt(fill.tick * tickUnits) * BigInt(fill.lots * lotUnits)
  const quote = fixed(Number(value / 10n ** BigInt(priceDecimals + sizeDecimals - 8)), 8)
  return `{"id":${fill.id},"price":"${market.priceText(fill.tick)}","qty":"${market.sizeText(fill.lots)}",` +
    `"quoteQty":"${quote}","time":${fill.timeMs},"isBuyerMaker":${fill.taker === 'sell'},"isBestMatch":true}`
}

/** The symbols that `symbol` or `symbols` asks for; undefined when it is all. */
function asked(query: URLSearchParams): readonly string[] | undefined {
  const one = query.get('symbol')
  return one === null ? query.get('symbols')?.replace(/[[\]"]/g, '').split(',') : [one]
}

/** An object for `symbol`, a list for `symbols` and for all; the weight is by how many were asked for. */
function spotTickers(query: URLSearchParams, world: World): RestReply {
  const type = query.get('type') ?? 'FULL'
  if (query.has('symbol') && query.has('symbols')) {
    return refused(-1128, 'Combination of optional parameters invalid.')
  }
  if (type !== 'FULL' && type !== 'MINI') {
    return refused(-1130, `Data sent for parameter 'type' is not valid.`)
  }
  const wanted = asked(query)
  const markets = trading('binance.spot', world).filter((market) =>
    wanted?.includes(market.listing.symbol) ?? true)
  if (wanted !== undefined && markets.length < wanted.length) return unknownSymbol
  const count = wanted?.length ?? Infinity
  const rows = markets.map((market) => spotTicker(market, type === 'MINI', world.nowMs)).join(',')
  return reply(count <= 20 ? 2 : count <= 100 ? 40 : 80, query.has('symbol') ? rows : `[${rows}]`)
}

function futuresTickers(query: URLSearchParams, world: World): RestReply {
  const symbol = query.get('symbol')
  if (symbol === null) {
    const rows = trading('binance.usdm', world).map((market) => futuresTicker(market, world.nowMs))
    return reply(40, `[${rows.join(',')}]`)
  }
  const market = world.market('binance.usdm', symbol)
  return market === undefined ? unknownSymbol : reply(1, futuresTicker(market, world.nowMs))
}

function trading(venue: 'binance.spot' | 'binance.usdm', world: World): readonly Market[] {
  return world.markets(venue).filter(({ status }) => status === 'trading')
}

function spotSymbols(query: URLSearchParams, world: World): RestReply {
  const wanted = asked(query)
  const markets = world.markets('binance.spot')
    .filter((market) => wanted?.includes(market.listing.symbol) ?? true)
  if (wanted !== undefined && markets.length < wanted.length) return unknownSymbol
  const limits = '{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000},' +
    '{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":50},' +
    '{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":160000},' +
    '{"rateLimitType":"RAW_REQUESTS","interval":"MINUTE","intervalNum":5,"limit":300000}'
  return reply(20, `{"timezone":"UTC","serverTime":${world.nowMs},"rateLimits":[${limits}],` +
    `"exchangeFilters":[],` +
    `"symbols":[${markets.map(spotSymbol).join(',')}]}`)
}

function spotSymbol({ listing, status }: Market): string {
  const { symbol, base, quote } = listing
  const tick = fixed(listing.tickUnits, 8)
  const lot = fixed(listing.lotUnits, 8)
  return `{"symbol":"${symbol}","status":"${status === 'trading' ? 'TRADING' : 'BREAK'}",` +
    `"baseAsset":"${base}",` +
    `"baseAssetPrecision":8,"quoteAsset":"${quote}","quotePrecision":8,"quoteAssetPrecision":8,` +
    '"baseCommissionPrecision":8,"quoteCommissionPrecision":8,' +
    '"orderTypes":["LIMIT","LIMIT_MAKER","MARKET","STOP_LOSS","STOP_LOSS_LIMIT","TAKE_PROFIT",' +
    '"TAKE_PROFIT_LIMIT"],' +
    '"icebergAllowed":true,"ocoAllowed":true,"otoAllowed":true,"opoAllowed":true,' +
    '"quoteOrderQtyMarketAllowed":true,"allowTrailingStop":true,"cancelReplaceAllowed":true,' +
    '"amendAllowed":true,' +
    '"pegInstructionsAllowed":true,"isSpotTradingAllowed":true,"isMarginTradingAllowed":true,"filters":[' +
    `{"filterType":"PRICE_FILTER","minPrice":"${tick}","maxPrice":"1000000.00000000","tickSize":"${tick}"},` +
    `{"filterType":"LOT_SIZE","minQty":"${lot}","maxQty":"9000000.00000000","stepSize":"${lot}"},` +
    '{"filterType":"ICEBERG_PARTS","limit":100},' +
    '{"filterType":"MARKET_LOT_SIZE","minQty":"0.00000000","maxQty":"1000.00000000",' +
    '"stepSize":"0.00000000"},' +
    '{"filterType":"TRAILING_DELTA","minTrailingAboveDelta":10,"maxTrailingAboveDelta":2000,' +
    '"minTrailingBelowDelta":10,"maxTrailingBelowDelta":2000},' +
    '{"filterType":"PERCENT_PRICE_BY_SIDE","bidMultiplierUp":"5","bidMultiplierDown":"0.2",' +
    '"askMultiplierUp":"5",' +
    '"askMultiplierDown":"0.2","avgPriceMins":5},' +
    '{"filterType":"NOTIONAL","minNotional":"5.00000000","applyMinToMarket":true,' +
    '"maxNotional":"9000000.00000000",' +
    '"applyMaxToMarket":false,"avgPriceMins":5},{"filterType":"MAX_NUM_ORDERS","maxNumOrders":200},' +
    '{"filterType":"MAX_NUM_ALGO_ORDERS","maxNumAlgoOrders":5}],"permissions":[],' +
    '"permissionSets":[["SPOT","MARGIN"]],"defaultSelfTradePreventionMode":"EXPIRE_MAKER",' +
    '"allowedSelfTradePreventionModes":["EXPIRE_TAKER","EXPIRE_MAKER","EXPIRE_BOTH","DECREMENT"]}'
}

function contracts(world: World): RestReply {
  return reply(1, `{"timezone":"UTC","serverTime":${world.nowMs},"futuresType":"U_MARGINED","rateLimits":[` +
    '{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400},' +
    '{"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":1200},' +
    '{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300}],"exchangeFilters":[],' +
    '"assets":[{"asset":"USDT","marginAvailable":true,"autoAssetExchange":"-10000"}],' +
    `"symbols":[${world.markets('binance.usdm').map(contract).join(',')}]}`)
}

function contract({ listing, status, listedMs, closedMs }: Market): string {
  const { symbol, base, quote, priceDecimals, sizeDecimals } = listing
  const tick = fixed(listing.tickUnits, priceDecimals)
  const lot = fixed(listing.lotUnits, sizeDecimals)
  const open = status === 'trading'
  return `{"symbol":"${symbol}","pair":"${symbol}","contractType":"PERPETUAL",` +
    `"deliveryDate":${open ? 4133404800000 : closedMs},"onboardDate":${listedMs - 86_400_000},` +
    `"status":"${open ? 'TRADING' : 'SETTLING'}","maintMarginPercent":"2.5000",` +
    `"requiredMarginPercent":"5.0000",` +
    `"baseAsset":"${base}","quoteAsset":"${quote}","marginAsset":"${quote}",` +
    `"pricePrecision":${priceDecimals},` +
    `"quantityPrecision":${sizeDecimals},"baseAssetPrecision":8,"quotePrecision":8,"underlyingType":"COIN",` +
    '"underlyingSubType":[],"triggerProtect":"0.0500","liquidationFee":"0.012500","marketTakeBound":"0.05",' +
    '"maxMoveOrderLimit":10000,"filters":[' +
    `{"filterType":"PRICE_FILTER","minPrice":"${tick}","maxPrice":"4529764","tickSize":"${tick}"},` +
    `{"filterType":"LOT_SIZE","minQty":"${lot}","maxQty":"10000000","stepSize":"${lot}"},` +
    `{"filterType":"MARKET_LOT_SIZE","minQty":"${lot}","maxQty":"1000000","stepSize":"${lot}"},` +
    '{"filterType":"MAX_NUM_ORDERS","limit":200},{"filterType":"MAX_NUM_ALGO_ORDERS","limit":10},' +
    '{"filterType":"MIN_NOTIONAL","notional":"5"},{"filterType":"PERCENT_PRICE","multiplierUp":"1.0500",' +
    '"multiplierDown":"0.9500","multiplierDecimal":"4"},' +
    '{"filterType":"POSITION_RISK_CONTROL","positionControlSide":"NONE"}],' +
    '"orderTypes":["LIMIT","MARKET","STOP","STOP_MARKET","TAKE_PROFIT","TAKE_PROFIT_MARKET",' +
    '"TRAILING_STOP_MARKET"],' +
    '"timeInForce":["GTC","IOC","FOK","GTX","GTD"],"permissionSets":["GRID","COPY"]}'
}

function fundingIntervals(world: World): RestReply {
  const rows = trading('binance.usdm', world).map((market) => {
    const cap = (market.funding?.cap ?? 0).toFixed(8)
    return `{"symbol":"${market.listing.symbol}","adjustedFundingRateCap":"${cap}",` +
      `"adjustedFundingRateFloor":"-${cap}","fundingIntervalHours":${market.funding?.hours ?? 8},` +
      `"disclaimer":false,` +
      `"updateTime":${market.listedMs}}`
  })
  return reply(0, `[${rows.join(',')}]`)
}

function premium(query: URLSearchParams, world: World): RestReply {
  const row = (market: Market): string => {
    const index = rounded(market.index, 8)
    const { funding } = market
    return `{"symbol":"${market.listing.symbol}","markPrice":"${rounded(funding?.mark ?? 0, 8)}",` +
      `"indexPrice":"${index}","estimatedSettlePrice":"${index}",` +
      `"lastFundingRate":"${funding?.rate ?? ''}",` +
      `"interestRate":"0.00010000","nextFundingTime":${funding?.nextMs ?? 0},"time":${world.nowMs}}`
  }
  const symbol = query.get('symbol')
  if (symbol === null) {
    return reply(10, `[${trading('binance.usdm', world).map(row).join(',')}]`)
  }
  const market = world.market('binance.usdm', symbol)
  return market === undefined ? unknownSymbol : reply(1, row(market))
}

/** Settlements, ascending from `startTime`; without a symbol the last 200 of all. */
function fundingRates(query: URLSearchParams, world: World): RestReply {
  const symbol = query.get('symbol')
  const markets = world.markets('binance.usdm')
    .filter((market) => symbol === null || market.listing.symbol === symbol)
  const [from, to] = [Number(query.get('startTime') ?? 0), Number(query.get('endTime') ?? Infinity)]
  const limit = symbol === null ? 200 : Math.min(1000, Number(query.get('limit') ?? 100))
  const settled = markets
    .flatMap((market) => market.funding?.settled.map((one) => ({ ...one, of: market.listing.symbol })) ?? [])
    .filter(({ timeMs }) => timeMs >= from && timeMs <= to).sort((x, y) => x.timeMs - y.timeMs)
  const chosen = query.has('startTime') ? settled.slice(0, limit) : settled.slice(-limit)
  return reply(0, `[${chosen.map(({ of, rate, timeMs, mark }) =>
    `{"symbol":"${of}","fundingTime":${timeMs},"fundingRate":"${rate}","markPrice":"${mark}",` +
    `"rateType":"Regular"}`,
  ).join(',')}]`)
}
