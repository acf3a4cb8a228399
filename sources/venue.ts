import type { AnySchema, Schema } from '../graph/schema.ts'
import type { Card, Opening, OpenSource, Outlet, Source, SourceHost } from '../graph/source.ts'
import { open } from './open.ts'

/**
 * A market as data: everything that is special about it. The session, the mapping and the checks are shared,
 * and know no venue.
 */
export interface Market<N extends string, C> extends Omit<MarketRules, 'name' | 'channels'> {
  readonly name: N
  readonly channels: { readonly [X in keyof C]: Channel<C[X]> }
}

/** The parts of a market that do not depend on what its channels carry. */
export interface MarketRules {
  readonly name: string
  /** Who runs it: `binance`. */
  readonly venue: string
  /**
   * The files of its mappings, from this folder: `binance/spot.jsonata`. One part for each channel, seed and
   * list.
   */
  readonly mappings: readonly string[]
  readonly socket: SocketRules
  readonly rest: RestRules
  readonly channels: Readonly<Record<string, AnyChannel>>
  /** The list of what is traded; its part of the mapping is called `listing`. */
  readonly listing: ListingRules
}

/** One kind of event of a market: what it is, and how it is asked for. */
export interface Channel<T> extends Outlet<T>, ChannelRules {}

export interface AnyChannel extends ChannelRules {
  readonly schemas: readonly AnySchema[]
  readonly card: Card
}

interface ChannelRules {
  readonly from: Subscribed | Polled
  /**
   * How a book is begun where the stream does not begin it: its part of the mapping is called `book.seed`.
   */
  readonly seed?: SeedRules
}

export interface Subscribed {
  /** The kind of topic that is subscribed to: `depth@100ms`, `orderbook.200`. */
  readonly topic: string
  /** Other kinds that mean the same, and may stand in recordings. */
  readonly also: readonly string[]
  /** A key of `socket.routes`. */
  readonly route: string
}

/** Asked for over REST, again and again; one answer is for all symbols, also of other markets. */
export interface Polled {
  readonly path: string
  readonly everyMs: number
  readonly weight: number
}

/**
 * A book's beginning over REST. Choices go from deep to shallow; the deepest whose weight the budget can bear
 * is used.
 */
export interface SeedRules {
  readonly path: (symbol: string, limit: number) => string
  readonly choices: readonly { readonly limit: number; readonly weight: number }[]
}

export interface SocketRules {
  readonly base: string
  /** The path of each route; a connection has one. */
  readonly routes: Readonly<Record<string, string>>
  readonly words: Words
  readonly topicsPerRequest: number
  readonly topicsPerConnection: number
  /** Letters of all topics of one connection; 0: no limit. */
  readonly lettersPerConnection: number
  readonly messagesPerSecond: number
  /** New connections a minute that the venue bears from one address. */
  readonly connectsPerMinute: number
  /**
   * Who proves that a silent connection lives: the server by protocol pings, or we by a message that is
   * answered.
   */
  readonly heartbeat:
    | { readonly from: 'server' }
    | {
        readonly from: 'client'
        readonly everyMs: number
        readonly message: object
      }
  /** Nothing at all was heard for this long: the connection is dead. */
  readonly deadAfterMs: number
  /** The venue ends connections of this age; a new one takes over before. 0: it does not. */
  readonly cutAfterMs: number
  /** A topic that was accepted and has said nothing for this long may not exist. */
  readonly firstMessageMs: number
}

/** How a venue frames its messages, as pure functions. */
export interface Words {
  /** The top-level key whose text is the topic of a message. */
  readonly key: string
  readonly topic: (kind: string, symbol: string) => string
  readonly parts: (topic: string) => { readonly kind: string; readonly symbol: string }
  readonly subscribe: (topics: readonly string[], id: number) => object
  readonly unsubscribe: (topics: readonly string[], id: number) => object
  /** What a message without a known topic means. */
  readonly reply: (message: Readonly<Record<string, unknown>>) => Reply
}

/** `why` is empty when the request was accepted. `shutdown`: the venue is about to close this connection. */
export type Reply =
  | { readonly kind: 'ack'; readonly id: number; readonly why: string }
  | { readonly kind: 'pong' | 'shutdown' | 'other' }

export interface RestRules {
  readonly base: string
  readonly timeoutMs: number
  /** What the venue bears from one address. We use at most `share` of it. */
  readonly budget: { readonly weight: number; readonly everyMs: number; readonly share: number }
}

export interface ListingRules {
  /** What its listings are, for recordings that hold no list. */
  readonly kind: 'spot' | 'perp'
  readonly path: (cursor: string) => string
  readonly weight: number
  readonly everyMs: number
  /** What the list has and kt does not read, because its mapping leaves it out; empty: it reads all. */
  readonly without: string
  /**
   * Turnover of the last day of each symbol, to find the most active; its part of the mapping is called
   * `ranking`.
   */
  readonly ranking: { readonly path: string; readonly weight: number; readonly docs: string }
}

/** A source that is a market; its table is in the open, so that replay, docs and tests derive from it. */
export interface Venue<N extends string, C> extends Source<N, C> {
  readonly market: MarketRules
}

type EventOf<S> = S extends Schema<infer E> ? E : never

/**
 * The schemas of a channel whose messages make rows of several: a schema of one event is not one of a choice
 * of two.
 */
export const carries = <const S extends readonly AnySchema[]>(
  ...schemas: S
): readonly Schema<EventOf<S[number]>>[] =>
  schemas as readonly AnySchema[] as readonly Schema<EventOf<S[number]>>[]

/** Make a market a source. */
export const venue = <const N extends string, C>(market: Market<N, C>): Venue<N, C> => {
  const rules: MarketRules = market as Omit<MarketRules, 'channels'> & {
    readonly channels: MarketRules['channels']
  }
  const opened = (host: SourceHost, opening: Opening): OpenSource => open(rules, host, opening)
  return Object.freeze({ name: market.name, channels: market.channels, market: rules, open: opened })
}
