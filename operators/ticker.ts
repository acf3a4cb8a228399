import { operator, plain } from '../graph/operator.ts'
import type { Operator } from '../graph/operator.ts'
import { quote, ticker } from '../market/event.ts'
import type { Quote, Ticker } from '../market/event.ts'
import { byInstrument, parseInstrument } from '../market/instrument.ts'
import { concerns } from '../market/session.ts'
import { control, instrument } from '../market/system.ts'
import type { Control, Instrument } from '../market/system.ts'

export interface TopOfBookOptions {
  /** The source's channel that carries the best prices. */
  readonly channel?: string
}

/**
 * Best bid and ask from what the venue itself prints of them, where no book is read: less to receive, one
 * level deep, and without the proof that a chain of ids gives.
 *
 * - A message is trusted when it comes (`trustedDepth` 1), and until something is known that may have kept
 *   the next one from us: the session went down, we restarted, frames were dropped, it is silent beyond its
 *   card. Then a `stale` quote without prices says which. Only another message heals it: that a session is up
 *   again proves nothing.
 * - A bid at or above the ask is a `gap`, as in a book.
 * - A quote is emitted when a price, a size or the trust changes, and at the first message after a second
 *   without one, as a sign of life. `last` is the venue's id of the message; there is no `first`, because ids
 *   in between are not missed.
 */
export const topOfBook = ({ channel = 'ticker' }: TopOfBookOptions = {}): Operator<
  Ticker | Control | Instrument,
  Quote,
  'instrument' | 'pair' | 'asset'
> => {
  const channels = [channel]
  return operator({
    name: 'topOfBook',
    inputs: { ticker, control, instrument },
    outputs: [quote],
    key: byInstrument,
    state: plain(1, (): Top => ({ source: '', shown: null })),
    options: { channel },
    on: {
      ticker: (top, row, emit) => {
        const { bid, bidSize, ask, askSize } = row
        const crossed = bid !== null && ask !== null && bid >= ask
        const news: Quote = crossed
          ? quoteOf(row, 'gap', 'crossed')
          : { ...quoteOf(row, 'live', ''), bid, bidSize, ask, askSize, trustedDepth: 1 }
        const { shown } = top
        if (shown !== null && SHOWN.every((column) => shown[column] === news[column]))
          if (same(shown, news) || news.received < shown.received + SIGN_OF_LIFE_EVERY) return
        top.shown = news
        emit.quote(news)
      },
      control: (top, row, emit) => {
        const doubt = DOUBTS[row.kind]
        const { shown } = top
        // What went wrong first is said until a message comes.
        if (doubt === undefined || shown === null || shown.trust === 'stale') return
        const { instrument: name, last } = shown
        if (!concerns(row, { instrument: name, source: top.source }, channels)) return
        const { time, received } = row
        top.shown = quoteOf({ instrument: name, time, received, last }, 'stale', doubt)
        emit.quote(top.shown)
      },
      instrument: (top, row) => void (top.source = row.source),
    },
  })
}

interface Top {
  /** Empty until its listing told. */
  source: string
  shown: Quote | null
}

/** A quote without prices. */
const quoteOf = (
  { instrument, time, received, last }: Pick<Quote, 'instrument' | 'time' | 'received' | 'last'>,
  trust: Quote['trust'],
  why: string,
): Quote => ({
  venue: parseInstrument(instrument).venue,
  instrument,
  time,
  received,
  first: null,
  last,
  trust,
  why,
  bid: null,
  bidSize: null,
  ask: null,
  askSize: null,
  trustedDepth: 0,
})

/** Is it the message that was shown? Without an id it is another: what is said again does not come here. */
const same = (shown: Quote, news: Quote): boolean => shown.last !== null && shown.last === news.last

const SHOWN = ['trust', 'why', 'bid', 'bidSize', 'ask', 'askSize'] as const
const DOUBTS: { readonly [K in Control['kind']]?: string } = {
  start: 'restarted',
  down: 'session down',
  drop: 'frames dropped',
  stale: 'silent',
}
/** One second. */
const SIGN_OF_LIFE_EVERY = 1_000_000
