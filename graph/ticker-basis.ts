import { graph, topic } from './index.ts'
import { basis, byPair, funding, fundingInterval, mark, quote, ticker } from '../market/index.ts'
import { basisSpread, fundingRate, normalize, topOfBook } from '../operators/index.ts'
import { clickhouse, lake } from '../sinks/index.ts'
import { binance, bybit } from '../sources/index.ts'

const quoteTopic = topic('quote', { schema: quote, key: byPair })
const fundingTopic = topic('funding', { schema: funding, key: byPair })
const basisTopic = topic('basis', { schema: basis, key: byPair })

/**
 * The question of `basis.ts` for less: from the best prices that the venues print, without order books. A
 * quote is then the venue's word instead of a proof, one level deep, and needs no snapshot to begin.
 */
export default graph('ticker-basis', (g) => {
  const universe = { quote: 'USDT', top: 200 }
  const spot = g.source(binance.spot, { universe, channels: ['ticker'], keep: byPair })
  const perp = g.source(binance.usdm, { universe, channels: ['ticker', 'mark', 'fundingInfo'], keep: byPair })
  const bybitSpot = g.source(bybit.spot, { universe, channels: ['ticker'], keep: byPair })
  const bybitPerp = g.source(bybit.linear, { universe, channels: ['ticker', 'mark'], keep: byPair })

  const tickers = g.merge(spot.ticker, perp.ticker, bybitSpot.ticker, bybitPerp.ticker).via(normalize(ticker))
  const quotes = tickers.via(topOfBook())
  const marks = g.merge(perp.mark, perp.fundingInfo, bybitPerp.mark).via(normalize(mark, fundingInterval))
  const rates = marks.via(fundingRate())
  const spread = g.merge(quotes, rates).via(basisSpread({ staleAfterMs: 3000, channel: 'ticker' }))

  quotes.through(quoteTopic).to(clickhouse(quote), lake(quote))
  rates.through(fundingTopic).to(clickhouse(funding), lake(funding))
  spread.through(basisTopic).to(clickhouse(basis), lake(basis))
})
