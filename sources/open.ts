import { ranked, instrumentOf, select, unreviewed } from './listing.ts'
import type { Listing } from './listing.ts'
import type { Opening, OpenSource, Renew, SourceHost } from '../graph/source.ts'
import { Budget } from './budget.ts'
import { Connection } from './connection.ts'
import type { Place } from './connection.ts'
import { Directory } from './directory.ts'
import { Intake } from './intake.ts'
import { poll } from './polling.ts'
import { rehearse } from './rehearsal.ts'
import { Rest } from './rest.ts'
import { Seeding } from './seeding.ts'
import { silenceOf } from './staleness.ts'
import { ownClock } from './timers.ts'
import type { OwnClock } from './timers.ts'
import type { MarketRules } from './venue.ts'

/**
 * Read a market: find out what is traded, connect, and keep at it. Throws GraphError when a mapping does not
 * fit.
 */
export const open = (market: MarketRules, host: SourceHost, opening: Opening): OpenSource => {
  const reading = new Reading(market, host, opening)
  void reading.run()
  return {
    close: () => reading.close(),
    renew: (instrument, why) => reading.renew(instrument, why),
    status: () => reading.status(),
    reads: () => reading.reads(),
  }
}

/** How long a book may be without a beginning before one is asked for again. */
const UNSEEDED_MS = 15_000
/**
 * A book that began over REST is compared with a new snapshot this often: one that went wrong unseen heals by
 * it.
 */
const AUDIT_US = 20 * 60_000_000

class Reading {
  readonly #market: MarketRules
  readonly #host: SourceHost
  readonly #clock: OwnClock
  readonly #opening: Opening
  readonly #intake: Intake
  readonly #rest: Rest
  readonly #seeding: Seeding
  readonly #directory: Directory
  readonly #gate: Budget
  readonly #connections: Connection[] = []
  /** Symbols of the universe; those of them that are this shard's are read. */
  readonly #universe = new Set<string>()
  readonly #chosen = new Map<string, Listing>()
  readonly #askedAt = new Map<string, number>()
  #closed = false

  constructor(market: MarketRules, given: SourceHost, opening: Opening) {
    this.#clock = ownClock(given.clock)
    const host = { ...given, clock: this.#clock }
    this.#market = market
    this.#host = host
    this.#opening = opening
    this.#intake = new Intake(market, host, opening)
    this.#rest = new Rest(market, host, opening.endpoint?.rest ?? market.rest.base)
    this.#seeding = new Seeding(this.#rest, host, this.#intake)
    this.#directory = new Directory(market, host, this.#intake)
    this.#gate = new Budget(market.socket.connectsPerMinute, 60_000)
    this.#intake.onGap = (symbol, channel) => this.#begin(symbol, channel)
  }

  async run(): Promise<void> {
    const { everyMs } = this.#market.listing
    for (let round = 0; !this.#closed; round++) {
      const asked = this.#directory.fetch(this.#rest)
      // While the first answer is under way there is nothing else to do.
      if (round === 0) rehearse(this.#market, this.#host, this.#intake)
      const listings = await asked
      if (this.#closed) return
      if (listings !== undefined) await this.#apply(listings)
      if (round === 0 && !this.#closed) this.#attend()
      await this.#rest.sleep(listings === undefined ? Math.min(everyMs, 30_000) : everyMs)
    }
  }

  close(): void {
    this.#closed = true
    this.#rest.close()
    for (const connection of this.#connections) connection.stop()
    this.#clock.close()
  }

  status(): ReturnType<OpenSource['status']> {
    return this.#connections.map((connection) => connection.status())
  }

  reads(): ReturnType<OpenSource['reads']> {
    return this.#intake.reads()
  }

  /** Polls, and books that never got their beginning. */
  #attend(): void {
    const parts = { rest: this.#rest, host: this.#host, intake: this.#intake }
    for (const channel of this.#opening.channels) {
      const { from } = this.#intake.channel(channel)
      if ('path' in from) void poll(channel, from, parts)
    }
    const look = (): void => {
      if (this.#closed) return
      this.#unseeded()
      this.#audit()
      this.#host.clock.after(5_000, look)
    }
    look()
  }

  async #apply(listings: readonly Listing[]): Promise<void> {
    const { universe, owns } = this.#opening
    const first = this.#universe.size === 0
    const turnover = await this.#directory.turnover(this.#rest, universe, first && ranked(universe))
    if (this.#closed) return
    const now = this.#host.clock.now()
    const { venue, name } = this.#market
    if (first) this.#propose(listings)
    const listed = new Map(listings.map((one) => [one.symbol, one]))
    for (const symbol of this.#universe) if (!listed.has(symbol)) this.#universe.delete(symbol)
    for (const one of this.#chosen.values()) if (!listed.has(one.symbol)) this.#leave(one, now)
    const fresh = listings.filter((one) => !this.#universe.has(one.symbol))
    // Who is in stays in, whatever its turnover: a universe that changes with every look would read nothing
    // well.
    const room = universe.top === undefined ? {} : { top: Math.max(0, universe.top - this.#universe.size) }
    const chosen = select(fresh, venue, { ...universe, ...room }, turnover)
    for (const one of chosen) this.#universe.add(one.symbol)
    const added = new Set(chosen.filter((one) => owns(instrumentOf(one, venue, name, now).instrument)))
    for (const one of listings) this.#list(one, added.has(one) || this.#chosen.has(one.symbol), now)
    for (const one of added) this.#chosen.set(one.symbol, one)
    this.#connect([...added])
    if (first) {
      this.#host.note('info', 'universe was chosen', {
        source: name,
        listed: listings.length,
        chosen: added.size,
      })
    }
  }

  /** Name a symbol, and say what changed about it. */
  #list(one: Listing, wanted: boolean, now: number): void {
    const row = instrumentOf(one, this.#market.venue, this.#market.name, now)
    this.#intake.name(one.symbol, { instrument: row.instrument, wanted })
    if (!wanted) return
    const before = this.#chosen.get(one.symbol)
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(one)) return
    if (before !== undefined) this.#chosen.set(one.symbol, one)
    this.#intake.instrument(row)
  }

  #leave(one: Listing, now: number): void {
    this.#chosen.delete(one.symbol)
    const row = instrumentOf(one, this.#market.venue, this.#market.name, now, 'gone')
    const topics = this.#places(one).map((place) => place.topic)
    for (const connection of this.#connections) connection.drop(topics)
    for (const channel of this.#opening.channels) this.#seeding.drop(one.symbol, channel)
    this.#intake.name(one.symbol, { instrument: row.instrument, wanted: false })
    this.#intake.instrument(row)
    this.#host.note('info', 'instrument is gone', { source: this.#market.name, instrument: row.instrument })
  }

  #propose(listings: readonly Listing[]): void {
    const bases = unreviewed(listings, this.#market.venue)
    if (bases.length === 0) return
    this.#host.note('warn', 'listings look multiplied', {
      source: this.#market.name,
      bases,
      fix: 'They are read as they are. If one stands for many of an asset, add it to sources/multiplier.ts.',
    })
  }

  #places(one: Listing): readonly Place[] {
    const { instrument } = instrumentOf(one, this.#market.venue, this.#market.name, 0)
    return this.#opening.channels.flatMap((channel) => {
      const { from, card } = this.#intake.channel(channel)
      if ('path' in from) return []
      const topic = this.#market.socket.words.topic(from.topic, one.symbol)
      const numbered = card.numbering === 'dense' || card.numbering === 'linked'
      return [{ topic, channel, symbol: one.symbol, instrument, silence: silenceOf(card), numbered }]
    })
  }

  /** Put topics on connections of their route that have room, and open more when none has. */
  #connect(listings: readonly Listing[]): void {
    const { routes } = this.#market.socket
    for (const route of Object.keys(routes)) {
      const rest = listings
        .flatMap((one) => this.#places(one))
        .filter((place) => this.#route(place.channel) === route)
      while (rest.length > 0) {
        const connection = this.#connections.find(
          (one) => one.route === route && this.#room(one, rest[0] as Place) > 0,
        )
        if (connection !== undefined) {
          connection.want(rest.splice(0, this.#room(connection, rest[0] as Place)))
        } else this.#connections.push(this.#another(route))
      }
    }
  }

  #another(route: string): Connection {
    const base = this.#opening.endpoint?.socket ?? this.#market.socket.base
    const parts = {
      number: this.#connections.length + 1,
      url: `${base}${this.#market.socket.routes[route] ?? ''}`,
      market: this.#market,
      host: this.#host,
      intake: this.#intake,
      gate: this.#gate,
    }
    const connection = new Connection(parts, route)
    connection.start()
    return connection
  }

  #room(connection: Connection, place: Place): number {
    const { topicsPerConnection, lettersPerConnection } = this.#market.socket
    const topics = topicsPerConnection - connection.topics
    if (lettersPerConnection === 0) return topics
    // Topics of a market are about as long as one another.
    return Math.min(
      topics,
      Math.floor((lettersPerConnection - connection.letters) / (place.topic.length + 12)),
    )
  }

  #route(channel: string): string {
    const { from } = this.#intake.channel(channel)
    return 'route' in from ? from.route : ''
  }

  /** A book must begin: by REST, or by subscribing anew where the stream begins it. */
  #begin(symbol: string, channel: string): void {
    this.#askedAt.set(`${channel} ${symbol}`, this.#host.clock.now())
    const { seed, from } = this.#intake.channel(channel)
    if (seed !== undefined) return this.#seeding.want(symbol, channel, seed)
    if ('path' in from) return
    const topic = this.#market.socket.words.topic(from.topic, symbol)
    for (const connection of this.#connections) if (connection.has(topic)) connection.again(topic)
  }

  /**
   * Begin every channel of an instrument anew whose rows build upon each other. A book that begins within the
   * stream has all the levels that the stream ever has.
   */
  renew(instrument: string, why: Renew): void {
    const { venue, name } = this.#market
    const now = this.#host.clock.now()
    for (const one of this.#chosen.values()) {
      if (instrumentOf(one, venue, name, now).instrument !== instrument) continue
      for (const channel of this.#opening.channels) {
        const { card, seed } = this.#intake.channel(channel)
        if (card.model === 'delta' && (why === 'gap' || seed !== undefined)) this.#begin(one.symbol, channel)
      }
    }
  }

  #unseeded(): void {
    const now = this.#host.clock.now()
    for (const [key, run] of this.#intake.runs) {
      const [channel = '', symbol = ''] = key.split(' ')
      if (run.seeded || run.last < 0 || !this.#chosen.has(symbol)) continue
      if (now - (this.#askedAt.get(key) ?? 0) > UNSEEDED_MS * 1000) this.#begin(symbol, channel)
    }
  }

  /** One book at a time, and only while no other waits. */
  #audit(): void {
    if (this.#seeding.waiting > 0) return
    const before = this.#host.clock.now() - AUDIT_US
    for (const [key, run] of this.#intake.runs) {
      const [channel = '', symbol = ''] = key.split(' ')
      if (!run.seeded || run.seededAt === 0 || run.seededAt > before || !this.#chosen.has(symbol)) continue
      return this.#begin(symbol, channel)
    }
  }
}
