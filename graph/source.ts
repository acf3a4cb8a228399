import type { Clock, Net, Random } from './port.ts'
import type { AnySchema, Event, NameOf, Schema } from './schema.ts'

/**
 * Bytes off a venue, before they mean anything: one message, when it came, and how it is known. It is a
 * view that is valid only while `on` runs. `T` is the event (or events) that its channel carries.
 */
export interface Frame<T> extends Event<`frame of ${NameOf<T>}`>, FrameId {
  readonly bytes: Uint8Array
  /** The symbol it answers for, where the message itself does not say (a REST snapshot). */
  readonly symbol: string | undefined
  /** Map the bytes, all of them or none. Throws VenueError when the venue's contract is broken. */
  readonly read: (emit: EmitRow) => void
  readonly carries?: (event: T) => T
}

/**
 * Frames of each event by itself, so that a merge of two channels and a channel of two events are the same.
 */
export type FrameOf<T> = T extends unknown ? Frame<T> : never

/** Where a frame's rows go: the name of the schema, and the row. */
export type EmitRow = (schema: string, row: object) => void

export interface FrameId {
  /** The source's name: `binance.spot`. */
  readonly source: string
  readonly channel: string
  readonly connection: number
  /** Counts the times this connection was made. */
  readonly epoch: number
  /** Counts the frames of this connection and epoch. */
  readonly frame: number
  /** When our socket read it, microseconds UTC. */
  readonly received: number
}

/**
 * What a channel is worth knowing for, as data. Subscriptions, staleness, backpressure, backfill, docs and
 * tests all derive from it. Its fields are the axes by which sources differ.
 */
export interface Card {
  readonly domain: 'market' | 'reference' | 'trading'
  readonly access: 'anonymous' | 'key' | 'signed'
  readonly connection: 'websocket' | 'rest'
  readonly serialization: 'json' | 'sbe'
  readonly interaction: 'push' | 'poll'
  /** How often a message is expected of a busy symbol. */
  readonly cadenceMs: number
  /**
   * So many cadences without a message are staleness: of one symbol, or only of the whole channel, where
   * quiet symbols are normal.
   */
  readonly silence: { readonly cadences: number; readonly of: 'symbol' | 'channel' }
  /**
   * How messages add up to the truth: each stands alone, each replaces the last, changes a book, or patches
   * fields.
   */
  readonly model: 'stateless' | 'snapshot' | 'delta' | 'patch'
  /** Can what was missed be had again, and for how long. */
  readonly recoverable: 'none' | 'window' | 'nextDay' | 'full'
  /** What the venue's numbers say about completeness, and over what they count. */
  readonly numbering: 'dense' | 'linked' | 'unique' | 'monotone' | 'none'
  readonly scope: 'symbol' | 'channel' | 'connection'
  /** The venue's own page. */
  readonly docs: string
  /** What was seen with our own eyes, or read where. */
  readonly evidence: string
}

/** One kind of event that a source offers. */
export interface Outlet<T> {
  readonly schemas: readonly Schema<T>[]
  readonly card: Card
}

/** Where events enter the graph. `C` names its channels, and the event (or events) each one carries. */
export interface Source<N extends string, C> {
  readonly name: N
  readonly channels: { readonly [X in keyof C]: Outlet<C[X]> }
  readonly open: (host: SourceHost, opening: Opening) => OpenSource
}

export interface AnySource {
  readonly name: string
  readonly channels: Readonly<Record<string, { readonly schemas: readonly AnySchema[]; readonly card: Card }>>
  readonly open: (host: SourceHost, opening: Opening) => OpenSource
}

/**
 * Which instruments a graph wants of a source: all of a quote currency, the most active of them, or a list
 * of pairs.
 */
export interface Universe {
  readonly quote?: string
  readonly top?: number
  readonly pairs?: readonly string[]
}

/**
 * The text of a mapping file, parsed. `evaluate` is the reference interpreter, for what the compiler does
 * not know.
 */
export interface Mapping {
  readonly file: string
  readonly text: string
  /** The parser's tree, as the jsonata package makes it. */
  readonly tree: unknown
  readonly evaluate: (
    part: string,
    message: unknown,
    bindings: Readonly<Record<string, unknown>>,
  ) => Promise<unknown>
}

/** A message of a part of a mapping, as its venue says it. */
export interface Example {
  readonly part: string
  readonly bytes: Uint8Array
}

/** What a running source may use, and where it puts what it finds. */
export interface SourceHost {
  readonly clock: Clock
  readonly random: Random
  readonly net: Net
  readonly mapping: (file: string) => Mapping
  /**
   * Messages to read before the first one comes, so that the code for them is there by then. Left out: a
   * process is not to live so long that it is worth it.
   */
  readonly examples?: (file: string) => readonly Example[]
  /** A message of a channel that was asked for. The runtime calls its `read` before this returns. */
  readonly frame: (frame: Frame<never>) => void
  /** Rows of kt's own: `control` (sessions) and `instrument` (listings). */
  readonly system: EmitRow
  /** A remark for the log, of kinds that `runtime/report.ts` knows by name. */
  readonly note: (
    level: 'debug' | 'info' | 'warn',
    what: string,
    facts: Readonly<Record<string, unknown>>,
  ) => void
}

/** What one shard reads of a source. */
export interface Opening {
  readonly channels: readonly string[]
  readonly universe: Universe
  /** Other addresses than the venue's own: a simulated exchange, a proxy. */
  readonly endpoint: { readonly socket: string; readonly rest: string } | undefined
  /** Is an instrument this shard's to read? */
  readonly owns: (instrument: string) => boolean
}

/** Why a book is begun anew. */
export type Renew = 'gap' | 'shallow'

/** A source at work. */
export interface OpenSource {
  readonly close: () => void
  /**
   * Ask the venue for a new beginning of the book of an instrument: it cannot be trusted (`gap`), or knows
   * few levels (`shallow`), and then only where a beginning can have more of them than the stream keeps.
   */
  readonly renew: (instrument: string, why: Renew) => void
  readonly status: () => readonly ConnectionStatus[]
  /** How the messages of each channel were read so far. */
  readonly reads: () => readonly ChannelReads[]
}

/** How many messages of a channel were scanned off their bytes, and how many parsed whole, by reason. */
export interface ChannelReads {
  readonly source: string
  readonly channel: string
  readonly scanned: number
  readonly parsed: ReadonlyMap<string, number>
}

export interface ConnectionStatus {
  readonly source: string
  readonly connection: number
  readonly epoch: number
  readonly state: 'connecting' | 'subscribing' | 'live' | 'waiting' | 'closed'
  readonly symbols: number
  readonly why: string
  /** When the last message came, microseconds; 0 before the first. */
  readonly heard: number
}
