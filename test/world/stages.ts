import { graph, topic } from '../../graph/index.ts'
import { basis, bookDelta, byAsset, byPair, candle, funding } from '../../market/index.ts'
import { fundingInterval, mark, quote, trade } from '../../market/index.ts'
import { bars, basisSpread, fundingRate, normalize, reconstruct } from '../../operators/index.ts'
import { binance, bybit } from '../../sources/index.ts'

/** The work of graph/basis.ts with a topic between any two operators that can have one. */
export default graph('stages', (g) => {
  const universe = { quote: 'USDT', top: 200 }
  const spot = g.source(binance.spot, { universe, channels: ['trade', 'book'], keep: byPair })
  const channels = ['trade', 'book', 'mark', 'fundingInfo'] as const
  const perp = g.source(binance.usdm, { universe, channels, keep: byPair })
  const bybitSpot = g.source(bybit.spot, { universe, channels: ['trade', 'book'], keep: byPair })
  const bybitPerp = g.source(bybit.linear, { universe, channels: ['trade', 'book', 'mark'], keep: byPair })

  const trades = g.merge(spot.trade, perp.trade, bybitSpot.trade, bybitPerp.trade).via(normalize(trade))
  const deltas = g.merge(spot.book, perp.book, bybitSpot.book, bybitPerp.book).via(normalize(bookDelta))
  const marks = g.merge(perp.mark, perp.fundingInfo, bybitPerp.mark).via(normalize(mark, fundingInterval))
  const quotes = deltas
    .through(topic('book-delta', { schema: bookDelta, key: byPair, partitions: 2 }))
    .via(reconstruct({ depthMax: 1000 }))
    .through(topic('quote', { schema: quote, key: byPair }))
  const rates = marks.via(fundingRate()).through(topic('funding', { schema: funding, key: byPair }))
  g.merge(quotes, rates)
    .via(basisSpread({ staleAfterMs: 3000 }))
    .through(topic('basis', { schema: basis, key: byPair, partitions: 3 }))
  trades
    .through(topic('trade', { schema: trade, key: byPair }))
    .through(topic('trade-by-asset', { schema: trade, key: byAsset, partitions: 3 }))
    .via(bars('5s'))
    .through(topic('candle', { schema: candle, key: byAsset, partitions: 2 }))
})
