import { graph } from '../../graph/graph.ts'
import type { Stream } from '../../graph/graph.ts'
import type { FrameOf } from '../../graph/source.ts'
import type { BookDelta, FundingInterval, Mark, Ticker, Trade } from '../../market/event.ts'
import { byPair } from '../../market/instrument.ts'
import { binance, bybit } from '../../sources/index.ts'

type Equal<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false
const is = <A>() => <B>(_: B, ..._proof: Equal<A, B> extends true ? [] : ['types differ', A, B]): void => {}

graph('types', (g) => {
  const universe = { quote: 'USDT', top: 3 }
  const usdm = g.source(binance.usdm, { universe, channels: ['trade', 'book', 'mark', 'fundingInfo'], keep: byPair })
  const linear = g.source(bybit.linear, { universe, channels: ['trade', 'book', 'mark'], keep: byPair })
  is<Stream<FrameOf<Trade>, 'pair'>>()(usdm.trade)
  is<Stream<FrameOf<BookDelta>, 'pair'>>()(usdm.book)
  is<Stream<FrameOf<Mark>, 'pair'>>()(usdm.mark)
  is<Stream<FrameOf<FundingInterval>, 'pair'>>()(usdm.fundingInfo)
  is<Stream<FrameOf<Mark | FundingInterval>, 'pair'>>()(linear.mark)
  for (const market of [binance.spot, binance.usdm, bybit.spot, bybit.linear] as const)
    is<Stream<FrameOf<Ticker>, 'pair'>>()(g.source(market, { universe, channels: ['ticker'], keep: byPair }).ticker)
  // @ts-expect-error Spot has no mark price.
  g.source(bybit.spot, { universe, channels: ['mark'], keep: byPair })
  // @ts-expect-error This channel was not asked for.
  g.source(binance.spot, { universe, channels: ['trade'], keep: byPair }).book
})
