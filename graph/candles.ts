import { graph, topic } from './index.ts'
import { byAsset, byPair, candle, trade } from '../market/index.ts'
import { bars, normalize } from '../operators/index.ts'
import { clickhouse, lake } from '../sinks/index.ts'
import { binance, bybit } from '../sources/index.ts'

const tradeTopic = topic('trade', { schema: trade, key: byPair })
const assetTopic = topic('trade-by-asset', { schema: trade, key: byAsset, partitions: 4 })
const candleTopic = topic('candle', { schema: candle, key: byAsset, partitions: 2 })

/**
 * Candles in a stage of their own: trades are dealt anew by asset, and bars are made of that topic. So they
 * can be added to a graph that has run for long, and begin with the first trade that the log still has.
 */
export default graph('candles', (g) => {
  const universe = { quote: 'USDT', top: 200 }
  const spot = g.source(binance.spot, { universe, channels: ['trade'], keep: byPair })
  const perp = g.source(binance.usdm, { universe, channels: ['trade'], keep: byPair })
  const other = g.source(bybit.linear, { universe, channels: ['trade'], keep: byPair })

  const trades = g.merge(spot.trade, perp.trade, other.trade).via(normalize(trade)).through(tradeTopic)
  const candles = trades.through(assetTopic).via(bars('10s'))

  trades.to(clickhouse(trade), lake(trade))
  candles.through(candleTopic).to(clickhouse(candle), lake(candle))
})
