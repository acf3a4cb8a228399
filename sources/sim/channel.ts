import type { Connection } from './connection.ts'
import type { Market } from './market.ts'
import type { VenueName } from './universe.ts'

/** What a frame is about. */
export type PublicationKind = 'trade' | 'book' | 'quote' | 'mark'

/** One frame as the venue publishes it: written once, sent to every subscriber. */
export class Publication {
  readonly venue: VenueName
  readonly symbol: string
  /** The venue's name of the stream or topic: `btcusdt@trade`, `orderbook.50.BTCUSDT`. */
  readonly channel: string
  readonly kind: PublicationKind
  /** First and last id that the frame covers; empty for frames without ids. */
  readonly first: string
  readonly last: string
  /** Milliseconds UTC. */
  readonly timeMs: number
  readonly text: string
  #combined = ''

  constructor(
    market: Market, channel: string, kind: PublicationKind, ids: readonly [string, string], timeMs: number,
    text: string,
  ) {
    this.venue = market.listing.venue
    this.symbol = market.listing.symbol
    this.channel = channel
    this.kind = kind
    this.first = ids[0]
    this.last = ids[1]
    this.timeMs = timeMs
    this.text = text
  }

  /** The text inside Binance's envelope of combined streams. */
  get combined(): string {
    if (this.#combined === '') this.#combined = `{"stream":"${this.channel}","data":${this.text}}`
    return this.#combined
  }
}

/** A stream of a symbol that at least one connection has subscribed to. */
export interface Channel {
  readonly name: string
  /** How often it publishes; a multiple of `slotMs`. */
  readonly cadenceMs: number
  readonly subscribers: Set<Connection>
  /** Takes over what changed in this slot; called only after a slot in which something happened. */
  absorb(nowMs: number): void
  /** The frames that are due at the end of a cadence. */
  publish(nowMs: number): readonly Publication[]
  /** The frame a new subscriber gets first, where the venue sends one. */
  greet?(nowMs: number): Publication
}

/** The grain of simulated time. */
export const slotMs = 10

/** What a channel publishes when nothing is due, which is most of the time. */
export const silent: readonly Publication[] = []
