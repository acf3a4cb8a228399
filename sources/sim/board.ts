import type { Channel, Publication } from './channel.ts'
import type { Connection } from './connection.ts'
import type { Market } from './market.ts'

/** Told of the first book of a topic that begins with one: it has an id of its own. */
type FirstBook = (market: Market, channel: Channel, first: Publication) => void

const nothing: readonly Channel[] = []

/** Which channels of which market run, and who listens. A channel runs while it has subscribers. */
export class Board {
  readonly #channels = new Map<Market, Map<string, Channel>>()
  /** The same channels as lists: they are walked in every slot, and change when clients come and go. */
  readonly #lists = new Map<Market, readonly Channel[]>()
  readonly #firstBook: FirstBook

  constructor(firstBook: FirstBook) {
    this.#firstBook = firstBook
  }

  /** The running channels of a market. */
  of(market: Market): readonly Channel[] {
    return this.#lists.get(market) ?? nothing
  }

  /** Subscribes a connection; without a market the name is only remembered, as venues do. */
  attach(connection: Connection, name: string, nowMs: number, market?: Market, open?: () => Channel): void {
    if (market === undefined || open === undefined) {
      connection.channels.set(name, undefined)
      return
    }
    const channels = this.#channels.get(market) ?? new Map<string, Channel>()
    this.#channels.set(market, channels)
    let channel = channels.get(name)
    if (channel === undefined) {
      channel = open()
      channels.set(name, channel)
      this.#lists.set(market, [...channels.values()])
      const first = channel.greet?.(nowMs)
      if (first?.kind === 'book') this.#firstBook(market, channel, first)
    }
    channel.subscribers.add(connection)
    connection.channels.set(name, channel)
  }

  detach(connection: Connection, name: string): void {
    const channel = connection.channels.get(name)
    connection.channels.delete(name)
    channel?.subscribers.delete(connection)
    if (channel?.subscribers.size === 0) this.sweep()
  }

  /** Stops the channels that nobody listens to. */
  sweep(): void {
    for (const [market, channels] of this.#channels) {
      const before = channels.size
      for (const [name, channel] of channels) if (channel.subscribers.size === 0) channels.delete(name)
      if (channels.size < before) this.#lists.set(market, [...channels.values()])
    }
  }
}
