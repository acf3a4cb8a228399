import type { KtError } from '../graph/error.ts'
import type { ChannelReads } from '../graph/source.ts'

/** What a dead letter is counted by. Its symbol goes to the log line only: there may be thousands. */
export interface DeadLettered {
  readonly source: string
  readonly channel: string
  readonly symbol: string | undefined
  readonly code: string
  readonly error: string
}

/** A row of the gap ledger, as it is counted; the instrument goes to the log line only. */
export interface GapSeen {
  readonly venue: string
  readonly channel: string
  readonly instrument: string
  readonly proof: 'proven' | 'possible'
  readonly cause: string
}

/**
 * All that a process of kt tells about itself: one function an event, so that the compiler finds who tells
 * what, and a name in a dashboard has one place where it is made. Implementations count, and write a line
 * where a person would want one. Nothing here is for single frames or rows: those are counted where they
 * pass, and told with `shardCounted`.
 */
export interface Report {
  /** A step is durable; `ms` after it was handed over. */
  readonly stepDurable: (about: {
    readonly shard: string
    readonly rows: number
    readonly bytes: number
    readonly ms: number
  }) => void
  /** What waits for the log, of what may wait. */
  readonly logBacklog: (about: {
    readonly shard: string
    readonly bytes: number
    readonly bytesMax: number
  }) => void
  readonly logRefused: (about: { readonly shard: string; readonly error: KtError }) => void
  /** Retention ran. `heldBy`: a reader because of which more is kept than the limits say. */
  readonly logRetained: (about: { readonly bytes: number; readonly heldBy: string | undefined }) => void
  readonly frameDeadLettered: (about: DeadLettered) => void
  readonly framesDropped: (about: {
    readonly source: string
    readonly channel: string
    readonly frames: number
  }) => void
  readonly gapOpened: (about: GapSeen) => void
  readonly gapHealed: (about: GapSeen) => void
  /** How many books of the shard are in each state of trust, now. */
  readonly bookStates: (about: {
    readonly shard: string
    readonly books: Readonly<Record<string, number>>
  }) => void
  readonly connection: (about: {
    readonly source: string
    readonly connection: number
    readonly state: 'up' | 'down' | 'refused'
    readonly why: string
  }) => void
  /** Rows of a sink are where they belong. `lagMs`: since the newest of them was received. */
  readonly sinkCommitted: (about: {
    readonly sink: string
    readonly rows: number
    readonly ms: number
    readonly lagMs: number
  }) => void
  readonly sinkRefused: (about: { readonly sink: string; readonly error: KtError }) => void
  readonly checkpoint: (about: {
    readonly shard: string
    readonly step: number
    readonly bytes: number
    readonly ms: number
  }) => void
  readonly checkpointRefused: (about: { readonly shard: string; readonly error: unknown }) => void
  readonly shardRecovered: (about: {
    readonly shard: string
    readonly step: number
    readonly rows: number
    readonly checkpoint: number | undefined
  }) => void
  /** Totals of a shard since it started. They may be told as often as one likes. */
  readonly shardCounted: (about: {
    readonly shard: string
    readonly frames: number
    readonly rows: Readonly<Record<string, number>>
  }) => void
  readonly shardDied: (about: { readonly shard: string; readonly error: unknown }) => void
  /** Totals of a channel since its source was opened: messages scanned, and parsed whole by reason. */
  readonly channelRead: (about: ChannelReads) => void
  /** A remark of a source or a sink for the log alone. */
  readonly note: (
    level: 'debug' | 'info' | 'warn' | 'error',
    what: string,
    facts: Readonly<Record<string, unknown>>,
  ) => void
}
