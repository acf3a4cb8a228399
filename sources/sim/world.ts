import type { Channel, Publication } from './channel.ts'
import type { Connection } from './connection.ts'
import type { Level } from './ladder.ts'
import type { Market } from './market.ts'
import type { Random } from './random.ts'
import type { VenueName } from './universe.ts'

/** A book as it was a while ago, for answers that lag the stream. */
export interface OldBook {
  readonly lastUpdate: number
  readonly timeMs: number
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
}

/** What a venue answers to a REST call, and what the call weighs. */
export interface RestReply {
  readonly status: number
  readonly body: string
  readonly weight: number
}

/** What sessions and REST routes may see and do of the exchange. */
export interface World {
  readonly nowMs: number
  readonly random: Random
  /** A symbol that trades. */
  market(venue: VenueName, symbol: string): Market | undefined
  /** All symbols of a market in order of listing, also those that no longer trade. */
  markets(venue: VenueName): readonly Market[]
  /** Subscribes a connection; without a market the name is only remembered. */
  attach(connection: Connection, name: string, market?: Market, open?: () => Channel): void
  detach(connection: Connection, name: string): void
  /** Sends one publication to one connection only. */
  send(connection: Connection, publication: Publication): void
}
