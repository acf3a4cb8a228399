import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/**
 * A graph file as a user writes one: an event, an operator and a topic of its own, sent to both engines. The
 * names have capitals, a list, a choice and values that may be missing, because tables write these otherwise.
 */
export const OWN_GRAPH = `
import { choice, count, float, floats, graph, micros, name, operator, optional, plain, schema, topic } from '${root}/graph/index.ts'
import type { Event, Operator } from '${root}/graph/index.ts'
import { bookDelta, byInstrument, byPair, quote } from '${root}/market/index.ts'
import type { Quote } from '${root}/market/index.ts'
import { normalize, reconstruct } from '${root}/operators/index.ts'
import { clickhouse, lake } from '${root}/sinks/index.ts'
import { binance } from '${root}/sources/index.ts'

interface QuotedSpread extends Event<'quotedSpread'> {
  readonly instrument: string
  readonly time: number
  readonly received: number
  readonly bps: number
  readonly lastBps: number | null
  readonly touch: ArrayLike<number> & Iterable<number>
  readonly side: 'wider' | 'narrower'
  readonly lastId: number | null
}

const quotedSpread = schema<QuotedSpread>('quotedSpread', 'quoted spread of each book, when it changes', {
  instrument: name('venue:kind:BASE-QUOTE'),
  time: micros('when it happened'),
  received: micros('when it reached us'),
  bps: float('ten-thousandths of the mid price'),
  lastBps: optional(float('the one before')),
  touch: floats('best bid and ask'),
  side: choice('against the one before', 'wider', 'narrower'),
  lastId: optional(count('last id of the venue')),
})

const spreads = (): Operator<Quote, QuotedSpread, 'instrument' | 'pair' | 'asset'> =>
  operator({
    name: 'spreads',
    inputs: { quote },
    outputs: [quotedSpread],
    key: byInstrument,
    state: plain(1, () => ({ bps: -1 })),
    on: {
      quote: (state, { instrument, time, received, bid, ask, last }, emit) => {
        if (bid === null || ask === null) return
        const bps = (20_000 * (ask - bid)) / (ask + bid)
        if (bps === state.bps) return
        const side = bps > state.bps ? 'wider' : 'narrower'
        const lastBps = state.bps < 0 ? null : state.bps
        emit.quotedSpread({ instrument, time, received, bps, lastBps, touch: [bid, ask], side, lastId: last })
        state.bps = bps
      },
    },
  })

export default graph('own', (g) => {
  const spot = g.source(binance.spot, { universe: { quote: 'USDT', top: 2 }, channels: ['book'], keep: byPair })
  const quotes = spot.book.via(normalize(bookDelta)).via(reconstruct({ depthMax: 1000 }))
  const spread = topic('spread', { schema: quotedSpread, key: byPair })
  quotes.via(spreads()).through(spread).to(clickhouse(quotedSpread), lake(quotedSpread))
})
`
