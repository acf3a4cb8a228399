import {
  choice,
  count,
  flag,
  float,
  floats,
  int,
  micros,
  name,
  optional,
  schema,
  text,
} from '../graph/schema.ts'
import type { Event, FieldsOf, Floats } from '../graph/schema.ts'

/** What every event of a venue has. Times are microseconds since 1970 UTC. */
export interface MarketEvent<N extends string> extends Event<N> {
  /** Who sent it: `binance`. */
  readonly venue: string
  /** What it is about: `binance:perp:BTC-USDT`. */
  readonly instrument: string
  /** When it happened, by the venue's clock. */
  readonly time: number
  /** When it reached us, by our clock. Before `time` when the clocks differ: kept, never clamped. */
  readonly received: number
  /**
   * The ids that the venue's own numbering says it covers; missing where the venue does not number. `last`
   * alone is an id that only says what is newer.
   */
  readonly first: number | null
  readonly last: number | null
}

/** The columns of `MarketEvent`, with which the schema of an event of a venue begins. */
export const marketEvent: FieldsOf<MarketEvent<string>> = {
  venue: name('who sent it'),
  instrument: name('venue:kind:BASE-QUOTE'),
  time: micros('when it happened, by the clock of the venue'),
  received: micros('when it reached us, by our clock'),
  first: optional(count('first id of the venue that this covers')),
  last: optional(count('last id of the venue that this covers')),
}

/** One fill on a venue. Price and size are in the venue's own units; see `instrument.multiplier`. */
export interface Trade extends MarketEvent<'trade'> {
  readonly id: string
  /** The side of the taker. */
  readonly side: 'buy' | 'sell'
  readonly price: number
  readonly size: number
}

export const trade = schema<Trade>('trade', 'fills, as the venue prints them', {
  ...marketEvent,
  id: text('id of the venue'),
  side: choice('side of the taker', 'buy', 'sell'),
  price: float('quote currency per unit of the venue'),
  size: float('units of the venue'),
})

/**
 * A change of an order book, or the whole of it. Sizes are absolute; a size of zero removes the level. A
 * delta that covers the ids `first` to `last` applies to a book at id b iff `first <= b + 1 <= last`.
 */
export interface BookDelta extends MarketEvent<'bookDelta'> {
  /** It replaces the whole book. */
  readonly snapshot: boolean
  /** A snapshot asked for over REST does not continue the numbering of the stream. */
  readonly origin: 'stream' | 'rest'
  /** A snapshot's levels a side beyond which the venue did not say; 0: it is the whole book. */
  readonly horizon: number
  readonly bidPrices: Floats
  readonly bidSizes: Floats
  readonly askPrices: Floats
  readonly askSizes: Floats
}

export const bookDelta = schema<BookDelta>('bookDelta', 'changes and snapshots of order books', {
  ...marketEvent,
  snapshot: flag('replaces the whole book'),
  origin: choice('where a snapshot came from', 'stream', 'rest'),
  horizon: int('levels a side the venue sent at most, 0 for the whole book'),
  bidPrices: floats('quote currency per unit of the venue'),
  bidSizes: floats('units of the venue, 0 removes the level'),
  askPrices: floats('quote currency per unit of the venue'),
  askSizes: floats('units of the venue, 0 removes the level'),
})

/**
 * The best bid and ask as the venue itself prints them, each replacing the one before. It says nothing of
 * deeper levels, and not that none of its kind was lost on the way.
 */
export interface Ticker extends MarketEvent<'ticker'> {
  /** Missing on an empty side. */
  readonly bid: number | null
  readonly bidSize: number | null
  readonly ask: number | null
  readonly askSize: number | null
}

export const ticker = schema<Ticker>('ticker', 'best bid and ask, as the venue prints them', {
  ...marketEvent,
  bid: optional(float('quote currency per unit of the venue')),
  bidSize: optional(float('units of the venue')),
  ask: optional(float('quote currency per unit of the venue')),
  askSize: optional(float('units of the venue')),
})

/**
 * May a book be acted on. Only `live` is proven: every id since its seed was applied, and its channel shows
 * life.
 */
export type Trust = 'syncing' | 'live' | 'gap' | 'stale'

/**
 * The best bid and ask of one book, with how far it may be trusted. Prices are missing on an empty side, or
 * without trust.
 */
export interface Quote extends MarketEvent<'quote'> {
  readonly trust: Trust
  /** Why it is not live: `gap`, `crossed`, `session down`, ... ; empty when live. */
  readonly why: string
  readonly bid: number | null
  readonly bidSize: number | null
  readonly ask: number | null
  readonly askSize: number | null
  /** Levels a side that are known to be right. */
  readonly trustedDepth: number
}

export const quote = schema<Quote>(
  'quote',
  'best bid and ask of each book, proven or saying that it is not',
  {
    ...marketEvent,
    trust: choice('may it be acted on', 'syncing', 'live', 'gap', 'stale'),
    why: name('why it is not live'),
    bid: optional(float('quote currency per unit of the venue')),
    bidSize: optional(float('units of the venue')),
    ask: optional(float('quote currency per unit of the venue')),
    askSize: optional(float('units of the venue')),
    trustedDepth: int('levels a side known to be right'),
  },
)

/** Mark price, index price and the running funding rate of a perpetual. */
export interface Mark extends MarketEvent<'mark'> {
  readonly mark: number
  readonly index: number | null
  /** The rate so far for the period that ends at `fundingTime`: a fraction of the position, not percent. */
  readonly rate: number | null
  readonly fundingTime: number | null
}

export const mark = schema<Mark>('mark', 'mark price, index price and running funding rate of perpetuals', {
  ...marketEvent,
  mark: float('quote currency per unit of the venue'),
  index: optional(float('quote currency per unit of the venue')),
  rate: optional(float('running funding rate, a fraction for one period')),
  fundingTime: optional(micros('when the period ends')),
})

/** How often a perpetual pays funding, as its venue says. */
export interface FundingInterval extends MarketEvent<'fundingInterval'> {
  readonly hours: number
}

export const fundingInterval = schema<FundingInterval>(
  'fundingInterval',
  'how often perpetuals pay funding',
  {
    ...marketEvent,
    hours: float('hours of one period'),
  },
)

/** A funding rate with its interval, which is never guessed. */
export interface Funding extends MarketEvent<'funding'> {
  readonly kind: 'estimate' | 'final'
  /** A fraction of the position for one period; longs pay shorts when positive. */
  readonly rate: number
  readonly intervalHours: number
  /**
   * Where the interval comes from: the venue said it; the period's beginning and end were seen; or, of a
   * final rate alone, it is that of the next period, because its own beginning was not seen.
   */
  readonly intervalFrom: 'venue' | 'observed' | 'next'
  /** The end of the period, when it is paid. */
  readonly fundingTime: number
  readonly ratePerHour: number
  /** Simple, not compounded: rate per hour x 24 x 365. */
  readonly apr: number
  /** A final rate's first estimate of its period that we saw. */
  readonly predicted: number | null
}

export const funding = schema<Funding>('funding', 'funding rates of perpetuals, estimated and final', {
  ...marketEvent,
  kind: choice('running estimate, or what was paid', 'estimate', 'final'),
  rate: float('fraction of the position for one period'),
  intervalHours: float('hours of one period'),
  intervalFrom: choice('who says how long a period is', 'venue', 'observed', 'next'),
  fundingTime: micros('when the period ends'),
  ratePerHour: float('fraction of the position for one hour'),
  apr: float('fraction of the position for one year, simple'),
  predicted: optional(float('the first estimate seen of the same period')),
})

/**
 * How far a perpetual trades from spot, or from another perpetual, of the same pair, in units of one base
 * asset.
 */
export interface Basis extends Event<'basis'> {
  readonly pair: string
  readonly time: number
  readonly received: number
  readonly kind: 'spot-perp' | 'perp-perp'
  readonly perp: string
  /** The spot market, or the other perpetual. */
  readonly reference: string
  /** `withheld`: a leg is stale or unproven. `why` says which, and there are no prices. */
  readonly state: 'live' | 'withheld'
  readonly why: string
  readonly perpMid: number | null
  readonly referenceMid: number | null
  /** 10000 x (perpMid / referenceMid - 1). */
  readonly bps: number | null
  /** What is left after crossing both spreads: sell the dear leg at its bid, buy the cheap leg at its ask. */
  readonly netBps: number | null
  readonly perpAgeMs: number | null
  readonly referenceAgeMs: number | null
  readonly perpLast: number | null
  readonly referenceLast: number | null
  readonly perpApr: number | null
  readonly referenceApr: number | null
  /**
   * What the short of `perp` and long of `reference` earns a year: perpApr - referenceApr, spot counting as
   * 0.
   */
  readonly carryApr: number | null
}

export const basis = schema<Basis>(
  'basis',
  'spreads of perpetuals to spot and to each other, both legs proven',
  {
    pair: name('BASE-QUOTE'),
    time: micros('the newer time of the two legs, by the clock of the venue'),
    received: micros('when the event that moved it reached us'),
    kind: choice('what is compared', 'spot-perp', 'perp-perp'),
    perp: name('instrument of the perpetual'),
    reference: name('instrument of the spot market, or of the other perpetual'),
    state: choice('withheld while a leg is stale or unproven', 'live', 'withheld'),
    why: name('why it is withheld'),
    perpMid: optional(float('quote currency per base asset')),
    referenceMid: optional(float('quote currency per base asset')),
    bps: optional(float('ten-thousandths by which the perpetual is dearer')),
    netBps: optional(float('ten-thousandths left after crossing both spreads')),
    perpAgeMs: optional(float('time since the last proof of life of the leg, in milliseconds')),
    referenceAgeMs: optional(float('time since the last proof of life of the leg, in milliseconds')),
    perpLast: optional(count('update id of the leg')),
    referenceLast: optional(count('update id of the leg')),
    perpApr: optional(float('funding of the perpetual, fraction a year')),
    referenceApr: optional(float('funding of the reference, fraction a year; 0 for spot')),
    carryApr: optional(float('funding earned by short perp and long reference, fraction a year')),
  },
)

/** One bar of trades, in event time. A trade that comes late makes a new revision of its bar. */
export interface Candle extends MarketEvent<'candle'> {
  /** `1m`, `5m`, `1h`. */
  readonly frame: string
  /** The first microsecond of the bar. */
  readonly start: number
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume: number
  readonly turnover: number
  readonly buyVolume: number
  readonly trades: number
  readonly revision: number
}

export const candle = schema<Candle>('candle', 'bars of trades in event time', {
  ...marketEvent,
  frame: name('length of the bar'),
  start: micros('first microsecond of the bar'),
  open: float('quote currency per unit of the venue'),
  high: float('quote currency per unit of the venue'),
  low: float('quote currency per unit of the venue'),
  close: float('quote currency per unit of the venue'),
  volume: float('units of the venue'),
  turnover: float('quote currency'),
  buyVolume: float('units of the venue taken by buyers'),
  trades: int('how many trades'),
  revision: int('0 when the bar closed, more after late trades'),
})
