import { graph, topic } from '../../graph/index.ts'
import { byPair, trade } from '../../market/index.ts'
import { normalize } from '../../operators/index.ts'
import { clickhouse, lake } from '../../sinks/index.ts'
import { binance } from '../../sources/index.ts'

const trades = topic('trade', { schema: trade, key: byPair, partitions: 2 })

/** As little as fills everything that a data folder has. */
export default graph('small', (g) => {
  const universe = { quote: 'USDT', top: 2 }
  const spot = g.source(binance.spot, { universe, channels: ['trade'], keep: byPair })
  spot.trade.via(normalize(trade)).through(trades).to(clickhouse(trade), lake(trade))
})
