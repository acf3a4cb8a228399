import { graph, topic } from './index.ts'
import { basis, bookDelta, candle, funding, fundingInterval, mark, quote, trade } from '../market/index.ts'
import { byPair } from '../market/index.ts'
import { bars, basisSpread, fundingRate, normalize, reconstruct } from '../operators/index.ts'
import { clickhouse, lake } from '../sinks/index.ts'
import { binance, bybit } from '../sources/index.ts'

const tradeTopic = topic('trade', { schema: trade, key: byPair })
const deltaTopic = topic('book-delta', { schema: bookDelta, key: byPair })
const quoteTopic = topic('quote', { schema: quote, key: byPair })
const fundingTopic = topic('funding', { schema: funding, key: byPair })
const basisTopic = topic('basis', { schema: basis, key: byPair })
const candleTopic = topic('candle', { schema: candle, key: byPair })

/** How far do perpetuals trade from spot and from each other, and what does holding the difference pay? */
export default graph('basis', (g) => {
  const universe = { quote: 'USDT', top: 200 }
  const spot = g.source(binance.spot, { universe, channels: ['trade', 'book'], keep: byPair })
  const perp = g.source(binance.usdm, {
    universe,
    channels: ['trade', 'book', 'mark', 'fundingInfo'],
    keep: byPair,
  })
  const bybitSpot = g.source(bybit.spot, { universe, channels: ['trade', 'book'], keep: byPair })
  const bybitPerp = g.source(bybit.linear, { universe, channels: ['trade', 'book', 'mark'], keep: byPair })

  const trades = g.merge(spot.trade, perp.trade, bybitSpot.trade, bybitPerp.trade).via(normalize(trade))
  const deltas = g.merge(spot.book, perp.book, bybitSpot.book, bybitPerp.book).via(normalize(bookDelta))
  const quotes = deltas.via(reconstruct({ depthMax: 1000 }))
  const marks = g.merge(perp.mark, perp.fundingInfo, bybitPerp.mark).via(normalize(mark, fundingInterval))
  const rates = marks.via(fundingRate())
  const spread = g.merge(quotes, rates).via(basisSpread({ staleAfterMs: 3000 }))
  const candles = trades.via(bars('1m'))

  trades.through(tradeTopic).to(clickhouse(trade), lake(trade))
  deltas.through(deltaTopic).to(lake(bookDelta))
  quotes.through(quoteTopic).to(clickhouse(quote), lake(quote))
  rates.through(fundingTopic).to(clickhouse(funding), lake(funding))
  spread.through(basisTopic).to(clickhouse(basis), lake(basis))
  candles.through(candleTopic).to(clickhouse(candle), lake(candle))
})
