import type { FaultKind } from './fault.ts'
import type { Market, Fill } from './market.ts'
import type { Settlement } from './funding.ts'
import type { VenueName } from './universe.ts'

interface Common {
  readonly venue: VenueName
  readonly symbol: string
  /** Milliseconds UTC. */
  readonly time: number
}

/** An execution. `id`, `price` and `size` are the venue's own texts; `side` is the aggressor's. */
export interface TradeTruth extends Common {
  readonly kind: 'trade'
  readonly id: string
  readonly price: string
  readonly size: string
  readonly side: 'buy' | 'sell'
}

/**
 * The best bid and ask after an update id. At Binance an id is a change of the book (`channel` is `book`);
 * at Bybit it is the `u` of one topic (`channel` is the topic), and only topics that somebody subscribed to
 * are numbered. An empty side has empty texts.
 */
export interface BookTruth extends Common {
  readonly kind: 'book'
  readonly channel: string
  readonly id: number
  readonly bid: string
  readonly bidSize: string
  readonly ask: string
  readonly askSize: string
}

/** A funding settlement; `time` is the end of the period. */
export interface FundingTruth extends Common {
  readonly kind: 'funding'
  readonly rate: string
  readonly mark: string
}

/** A symbol that was listed or delisted. */
export interface ListingTruth extends Common {
  readonly kind: 'listing'
  readonly status: 'listed' | 'delisted'
}

/** A connection that was opened or ended; `symbol` is empty, `why` says who ended it. */
export interface SessionTruth extends Common {
  readonly kind: 'session'
  readonly connection: string
  readonly status: 'open' | 'end'
  readonly why: string
}

/**
 * A fault as it was injected. For a frame: its channel, and the ids it covers (`first` to `last`, empty
 * where the channel has none); for a fault of a connection or a REST call these are empty and `note` says
 * what happened.
 */
export interface FaultTruth extends Common {
  readonly kind: 'fault'
  readonly fault: FaultKind
  readonly connection: string
  readonly channel: string
  readonly first: string
  readonly last: string
  readonly note: string
}

/** One line of the truth log. */
export type Truth = TradeTruth | BookTruth | FundingTruth | ListingTruth | SessionTruth | FaultTruth

/** Reads a line of the truth log; undefined for a line that was cut off when the writer died. */
export function parseTruth(line: string): Truth | undefined {
  try {
    const truth: unknown = JSON.parse(line)
    return typeof truth === 'object' && truth !== null && 'kind' in truth ? (truth as Truth) : undefined
  } catch {
    return undefined
  }
}

/** How often each kind of truth occurred, by venue and symbol; faults are counted as `fault:drop`. */
export interface TruthSummary {
  readonly records: number
  /** First and last time in the log, milliseconds UTC. */
  readonly fromMs: number
  readonly toMs: number
  readonly counts: readonly TruthCount[]
}

/** One row of a summary. */
export interface TruthCount {
  readonly venue: string
  readonly symbol: string
  readonly kind: string
  readonly count: number
}

/** Counts truth records; `add` takes them one by one, so a log of any length fits. */
export class TruthCounter {
  readonly #counts = new Map<string, number>()
  #records = 0
  #fromMs = Infinity
  #toMs = -Infinity

  add(truth: Truth): void {
    const kind = truth.kind === 'fault' ? `fault:${truth.fault}` : truth.kind
    const key = `${truth.venue}\t${truth.symbol}\t${kind}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
    this.#records += 1
    this.#fromMs = Math.min(this.#fromMs, truth.time)
    this.#toMs = Math.max(this.#toMs, truth.time)
  }

  /** What was counted so far, sorted by venue, symbol and kind. */
  summary(): TruthSummary {
    const counts = [...this.#counts].sort(([x], [y]) => (x < y ? -1 : 1)).map(([key, count]) => {
      const [venue = '', symbol = '', kind = ''] = key.split('\t')
      return { venue, symbol, kind, count }
    })
    const empty = this.#records === 0
    return { records: this.#records, fromMs: empty ? 0 : this.#fromMs, toMs: empty ? 0 : this.#toMs, counts }
  }
}

/** The line of a trade. Written by template, because there are thousands a second. */
export function tradeLine(market: Market, fill: Fill): string {
  const { venue, symbol } = market.listing
  return `{"kind":"trade","venue":"${venue}","symbol":"${symbol}","time":${fill.timeMs},"id":"${fill.id}",` +
    `"price":"${market.priceText(fill.tick)}","size":"${market.sizeText(fill.lots)}","side":"${fill.taker}"}`
}

/** The line of a book as it is now. */
export function bookLine(market: Market, channel: string, id: string, nowMs: number): string {
  const { listing, bids, asks } = market
  const [bid, ask] = [bids.best, asks.best]
  return `{"kind":"book","venue":"${listing.venue}","symbol":"${listing.symbol}","time":${nowMs},` +
    `"channel":"${channel}","id":${id},` +
    `"bid":"${bid === undefined ? '' : market.priceText(bid)}",` +
    `"bidSize":"${bid === undefined ? '' : market.sizeText(bids.at(bid))}",` +
    `"ask":"${ask === undefined ? '' : market.priceText(ask)}",` +
    `"askSize":"${ask === undefined ? '' : market.sizeText(asks.at(ask))}"}`
}

/** The line of a settlement. */
export function fundingLine(market: Market, settlement: Settlement): string {
  const { venue, symbol } = market.listing
  const { rate, mark, timeMs: time } = settlement
  return JSON.stringify({ kind: 'funding', venue, symbol, time, rate, mark } satisfies FundingTruth)
}
