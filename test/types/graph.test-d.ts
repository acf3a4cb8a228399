import { graph } from '../../graph/graph.ts'
import type { Logged, Stream } from '../../graph/graph.ts'
import { operator, plain } from '../../graph/operator.ts'
import type { FrameOf, Source } from '../../graph/source.ts'
import type { Sink } from '../../graph/sink.ts'
import { topic } from '../../graph/topic.ts'
import type { Topic } from '../../graph/topic.ts'
import { bookDelta, fundingInterval, funding, mark, quote, trade } from '../../market/event.ts'
import type { Basis, BookDelta, Funding, FundingInterval, Mark, Quote, Trade } from '../../market/event.ts'
import { basis } from '../../market/event.ts'
import { byAsset, byInstrument, byPair } from '../../market/instrument.ts'
import { control } from '../../market/system.ts'
import type { Control } from '../../market/system.ts'
import { normalize } from '../../operators/normalize.ts'

type Equal<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false
const is = <A>() => <B>(_: B, ..._proof: Equal<A, B> extends true ? [] : ['types differ', A, B]): void => {}

declare const spot: Source<'binance.spot', { trade: Trade; book: BookDelta }>
declare const perp: Source<'binance.usdm', { trade: Trade; book: BookDelta; mark: Mark; fundingInfo: FundingInterval }>
declare const tradeSink: Sink<Trade>

const reconstruct = operator({
  name: 'reconstruct', inputs: { bookDelta, control }, outputs: [quote], key: byInstrument, state: plain(1, () => ({ last: 0 })),
  on: { bookDelta: (state, delta: BookDelta, emit) => { state.last = delta.last ?? 0; void emit.quote }, control: (_s, _c: Control) => {} },
})
const rates = operator({
  name: 'fundingRate', inputs: { mark, fundingInterval }, outputs: [funding], key: byInstrument, state: plain(1, () => ({})),
  on: { mark: (_s, _m: Mark, _e) => {}, fundingInterval: (_s, _m: FundingInterval, _e) => {} },
})
const spread = operator({
  name: 'basisSpread', inputs: { quote, funding }, outputs: [basis], key: byPair, state: plain(1, () => ({})),
  on: { quote: (_s, _q: Quote, _e) => {}, funding: (_s, _f: Funding, _e) => {} },
})
const tradeTopic = topic('trade', { schema: trade, key: byPair })
is<Topic<Trade, 'pair'>>()(topic('trade-json', { schema: trade, key: byPair, format: 'json' }))
// @ts-expect-error There is no such format.
topic('trade', { schema: trade, key: byPair, format: 'yaml' })
const quoteByInstrument = topic('quote', { schema: quote, key: byInstrument })

graph('types', (g) => {
  const universe = { quote: 'USDT', top: 3 }
  const s = g.source(spot, { universe, channels: ['trade', 'book'], keep: byPair })
  const p = g.source(perp, { universe, channels: ['trade', 'book', 'mark', 'fundingInfo'], keep: byPair })
  is<Stream<FrameOf<Trade>, 'pair'>>()(s.trade)
  const trades = g.merge(s.trade, p.trade).via(normalize(trade))
  is<Stream<Trade, 'pair'>>()(trades)
  const quotes = g.merge(s.book, p.book).via(normalize(bookDelta)).via(reconstruct)
  is<Stream<Quote, 'pair'>>()(quotes)
  const marks = g.merge(p.mark, p.fundingInfo).via(normalize(mark, fundingInterval))
  is<Stream<Mark | FundingInterval, 'pair'>>()(marks)
  const funded = marks.via(rates)
  is<Stream<Funding, 'pair'>>()(funded)
  const both = g.merge(quotes, funded)
  is<Stream<Quote | Funding, 'pair'>>()(both)
  is<Stream<Basis, 'pair'>>()(both.via(spread))
  is<Logged<Trade, 'pair'>>()(trades.through(tradeTopic))
  trades.through(tradeTopic).to(tradeSink)

  // @ts-expect-error 1: binance.spot has no channel mark
  g.source(spot, { universe, channels: ['trade', 'mark'], keep: byPair })
  // @ts-expect-error 2: not asked for
  s.mark
  // @ts-expect-error 3: this operator does not take trade
  trades.via(reconstruct)
  // @ts-expect-error 4: this operator also needs funding
  quotes.via(spread)
  const narrow = quotes.through(quoteByInstrument)
  // @ts-expect-error 5: keeps its state by pair, and the stream is kept by instrument
  g.merge(narrow, narrow).via(operator({ name: 'pairs', inputs: { quote }, outputs: [quote], key: byPair, state: plain(1, () => 0), on: { quote: (_s: number, _q: Quote) => {} } }))
  // @ts-expect-error 6: a sink before a topic
  trades.to(tradeSink)
  // @ts-expect-error 7: cannot merge different keys
  g.merge(quotes, narrow)
  // @ts-expect-error 8: this sink carries trade
  narrow.to(tradeSink)
  // @ts-expect-error 9: this topic carries trade
  quotes.through(tradeTopic)
  // @ts-expect-error 10: frames are not events
  s.trade.through(tradeTopic)
  void byAsset
})
