import { choice, count, flag, float, int, micros, name, optional, schema, text } from '../graph/schema.ts'
import type { Event } from '../graph/schema.ts'

/**
 * What happened around the data: sessions, staleness, ownership, and the tick that stands for a clock.
 * Operators may take it as an input; without an instrument it goes to every key.
 */
export interface Control extends Event<'control'> {
  /**
   * `tick`: time has come this far; of a stage that reads topics, in its own partition: it has consumed all
   * before it. `start`: the shard (re)started, or a stage began behind rows that are gone. `up`, `down`: the
   * instrument's channel is connected, or is not. `stale`, `live`: it is silent beyond its cadence, or speaks
   * again. `alive`: proof of life without news (heartbeat, audit). `drop`: frames of it were dropped under
   * pressure.
   */
  readonly kind: 'tick' | 'start' | 'up' | 'down' | 'stale' | 'live' | 'alive' | 'drop'
  readonly source: string
  readonly channel: string
  /** Empty when it concerns all of the source, or the shard. */
  readonly instrument: string
  readonly connection: number
  readonly epoch: number
  readonly why: string
  readonly time: number
  readonly received: number
}

export const control = schema<Control>('control', 'sessions, staleness and ticks', {
  kind: choice('what happened', 'tick', 'start', 'up', 'down', 'stale', 'live', 'alive', 'drop'),
  source: name('source of the graph'),
  channel: name('channel of the source'),
  instrument: name('empty when it concerns all'),
  connection: int('number of the connection'),
  epoch: int('times this connection was made'),
  why: text('reason, for a person'),
  time: micros('when'),
  received: micros('when'),
})

/**
 * The gap ledger: what a venue numbered and we do not have, or a time in which a channel without numbers
 * was silent to us.
 */
export interface Gap extends Event<'gap'> {
  readonly venue: string
  readonly instrument: string
  /** The schema whose rows are missing: `trade`. */
  readonly channel: string
  /** `opened`: found. `healed`: what it broke is whole again (a book was seeded anew, a backfill came). */
  readonly event: 'opened' | 'healed'
  /**
   * `proven`: ids are missing. `possible`: an interruption of a channel that does not number its messages.
   */
  readonly proof: 'proven' | 'possible'
  /** The missing ids, both ends included; for a book, those of updates. */
  readonly first: number | null
  readonly last: number | null
  /** The last we have before the hole, and the first after it, by the clock of the venue. */
  readonly fromTime: number
  readonly toTime: number
  readonly cause: 'lost' | 'disconnect' | 'restart' | 'dropped' | 'venue'
  readonly repair: 'none' | 'seed' | 'backfill'
  readonly time: number
  readonly received: number
}

export const gap = schema<Gap>('gap', 'what is missing, why, and what repaired it', {
  venue: name('who did not send it, or to whom we were not listening'),
  instrument: name('venue:kind:BASE-QUOTE'),
  channel: name('what is missing'),
  event: choice('found, or repaired', 'opened', 'healed'),
  proof: choice('ids are missing, or an interruption of a channel without ids', 'proven', 'possible'),
  first: optional(count('first missing id')),
  last: optional(count('last missing id')),
  fromTime: micros('venue time of the last row before the hole'),
  toTime: micros('venue time of the first row after the hole'),
  cause: choice('why', 'lost', 'disconnect', 'restart', 'dropped', 'venue'),
  repair: choice('what makes it whole', 'none', 'seed', 'backfill'),
  time: micros('when it was found, by the clock of the venue'),
  received: micros('when it was found, by our clock'),
})

/** One listing, as it is from `time` on. A change of it is a new row. */
export interface Instrument extends Event<'instrument'> {
  readonly venue: string
  readonly instrument: string
  /** The source that reads it: `binance.usdm`. */
  readonly source: string
  /** The venue's own name for it. */
  readonly symbol: string
  readonly kind: 'spot' | 'perp' | 'future'
  readonly base: string
  readonly quote: string
  readonly settle: string
  /** Base assets in one unit of the symbol's price and size: 1000 for 1000PEPEUSDT. */
  readonly multiplier: number
  /** Units of the symbol in one contract; 1 where sizes are in base units. */
  readonly contractSize: number
  /** Sizes are in quote currency, and settled in base. */
  readonly inverse: boolean
  readonly tickSize: number
  readonly lotSize: number
  readonly status: 'trading' | 'halted' | 'gone'
  readonly time: number
  readonly received: number
}

export const instrument = schema<Instrument>('instrument', 'listings, and how their units convert', {
  venue: name('who lists it'),
  instrument: name('venue:kind:BASE-QUOTE'),
  source: name('source of the graph'),
  symbol: name('name at the venue'),
  kind: choice('what it is', 'spot', 'perp', 'future'),
  base: name('asset that is priced'),
  quote: name('asset that prices are in'),
  settle: name('asset that is paid'),
  multiplier: float('base assets in one unit of price and size'),
  contractSize: float('units in one contract'),
  inverse: flag('sizes are in quote currency'),
  tickSize: float('step of prices'),
  lotSize: float('step of sizes'),
  status: choice('can it be traded', 'trading', 'halted', 'gone'),
  time: micros('valid from'),
  received: micros('when we learned it'),
})

/**
 * The hop ledger: how long messages took, per second, source and channel. Not part of a run's identity.
 * `venue`: from the venue's clock to our socket; negative where the clocks differ, and missing where the
 * venue sends no time. `normalize`: from the socket until the rows of a message, and what operators made of
 * them, are in their batches. `log`: from the cut of a step until it was durable; of the whole shard, so that
 * source and channel are empty.
 */
export interface Latency extends Event<'latency'> {
  readonly source: string
  readonly channel: string
  readonly hop: 'venue' | 'normalize' | 'log'
  readonly time: number
  readonly count: number
  readonly p50Us: number
  readonly p99Us: number
  readonly maxUs: number
}

export const latency = schema<Latency>('latency', 'how long each hop took', {
  source: name('source of the graph; empty: all of the shard'),
  channel: name('channel of the source; empty: all of the shard'),
  hop: choice('venue to socket, socket to rows, step to durable', 'venue', 'normalize', 'log'),
  time: micros('end of the second'),
  count: count('how many'),
  p50Us: float('median, microseconds'),
  p99Us: float('99th percentile, microseconds'),
  maxUs: float('slowest, microseconds'),
})
