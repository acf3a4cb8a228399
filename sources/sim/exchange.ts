import { binancePath, binanceRequest, subscribeBinance } from './binance-session.ts'
import { Board } from './board.ts'
import { bybitPath, bybitRequest } from './bybit-session.ts'
import { type Channel, slotMs } from './channel.ts'
import { Connection, type Delivery } from './connection.ts'
import { type FaultKind, type Faults, parseFaults } from './fault.ts'
import type { Market } from './market.ts'
import { Random } from './random.ts'
import { bookLine, fundingLine, type Truth, tradeLine } from './truth.ts'
import { type VenueName, venueNames } from './universe.ts'
import { Weight } from './weight.ts'
import { Nature } from './nature.ts'
import { type RestAnswer, RestDesk } from './rest.ts'
import type { World } from './world.ts'

/** Settings of the simulated exchange. */
export interface ExchangeOptions {
  /** Everything is drawn from it: equal seeds and calls give equal bytes. */
  readonly seed: number
  /** When simulated time begins, milliseconds UTC. */
  readonly startMs: number
  /** How many pairs are listed; default 60. */
  readonly pairs?: number
  /** Frames a second for a client of all trades, books and marks of all venues; default 5000. */
  readonly rate?: number
  /** Levels a side of each book; default 500. */
  readonly depth?: number
  /** Which venues exist; default all. */
  readonly venues?: readonly VenueName[]
  /** Default none. */
  readonly faults?: Faults
  /**
   * Makes every funding period this long, so that settlements can be seen; default the real 8, 4 or 1
   * hours.
   */
  readonly fundingEveryMs?: number
  /** Takes one line of JSON for everything that is true; see `Truth`. */
  readonly truth?: (line: string) => void
}

/** Counters since the start. */
export interface ExchangeStats {
  readonly connections: number
  readonly published: number
  readonly delivered: number
  readonly trades: number
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
}

/** Connection attempts that Binance spot takes in five minutes. */
const attemptLimit = { windowMs: 300_000, weight: 300 } as const

/**
 * A simulated exchange without sockets, clock or chance of its own: it acts when it is called, at the time
 * it is told.
 *
 * `connect`, `receive` and `leave` are what a client does to a socket, `rest` is a REST call, and `advance`
 * lets time pass. All of them but `rest` may make deliveries, which `take` hands over in order; `advance`
 * takes them itself. Time moves in slots of 10 ms, and how it is cut into calls of `advance` changes
 * nothing.
 */
export class Exchange {
  readonly #options: ExchangeOptions
  readonly #faults: Faults
  readonly #random: Random
  readonly #nature: Nature
  readonly #connections = new Map<string, Connection>()
  readonly #board: Board
  readonly #attempts = new Weight(attemptLimit)
  readonly #faultCounts = new Map<FaultKind, number>()
  readonly #world: World
  readonly #desk: RestDesk
  #outbox: Delivery[] = []
  #nowMs: number
  #opened = 0
  #published = 0
  #delivered = 0
  #trades = 0

  constructor(options: ExchangeOptions) {
    this.#options = options
    this.#faults = options.faults ?? parseFaults('none')
    this.#random = new Random(`kt/${options.seed}`)
    this.#nowMs = Math.floor(options.startMs / slotMs) * slotMs
    this.#nature = new Nature(options, this.#random, this.#nowMs)
    this.#board = new Board((market, channel, first) => {
      options.truth?.(bookLine(market, channel.name, first.last, this.#nowMs))
    })
    this.#world = this.#makeWorld()
    this.#desk = new RestDesk(this.#world, {
      faults: this.#faults, random: this.#random.fork('rest'), log: (truth) => this.#log(truth),
    })
  }

  /** The end of the last slot, milliseconds UTC. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** The symbols that trade at a venue. */
  symbols(venue: VenueName): readonly string[] {
    return this.#nature.markets(venue).filter((m) => m.status === 'trading').map((m) => m.listing.symbol)
  }

  /**
   * Opens a connection at a path such as `/stream?streams=btcusdt@trade`. Returns the HTTP status: 101 when
   * it is open, 404 for a path that the venue does not serve, 429 for too many attempts. `id` is the
   * caller's name for it; a `RangeError` when another open connection has it.
   */
  connect(id: string, venue: VenueName, path: string): 101 | 404 | 429 {
    if (this.#connections.has(id)) throw new RangeError(`connection ${id} is open already`)
    const binance = venue.startsWith('binance')
    const parts = binance ? binancePath(path, venue === 'binance.usdm') : bybitPath(path, venue)
    if (parts === undefined || !this.#nature.serves(venue)) return 404
    if (venue === 'binance.spot' && !this.#attempts.charge(1, this.#nowMs).allowed) return 429
    this.#opened += 1
    const connection = new Connection({
      id, venue, route: parts.route, combined: parts.combined, faults: this.#faults, openedMs: this.#nowMs,
      random: this.#random.fork(`connection/${this.#opened}`), outbox: this.#outbox,
      log: (truth) => this.#log(truth),
    })
    this.#connections.set(id, connection)
    const time = this.#nowMs
    this.#log({ kind: 'session', venue, symbol: '', time, connection: id, status: 'open', why: path })
    if (binance) subscribeBinance(connection, parts.names, this.#world)
    return 101
  }

  /** Takes a text message of a client. */
  receive(id: string, text: string): void {
    const connection = this.#connections.get(id)
    if (connection === undefined) return
    connection.heard(this.#nowMs)
    if (connection.venue.startsWith('binance')) binanceRequest(connection, text, this.#world)
    else bybitRequest(connection, text, this.#world)
    this.#forgetEnded()
  }

  /** Takes a pong of a client. */
  pong(id: string): void {
    this.#connections.get(id)?.heard(this.#nowMs)
  }

  /** Notes that the client's end is gone. */
  leave(id: string): void {
    const connection = this.#connections.get(id)
    if (connection === undefined) return
    connection.leave('client', this.#nowMs)
    this.#forgetEnded()
  }

  /** Answers a GET, at the present simulated time. `path` includes the query. */
  rest(venue: VenueName, path: string): RestAnswer {
    return this.#desk.answer(venue, path)
  }

  /** Lets time pass up to `toMs` and returns what must be delivered. */
  advance(toMs: number): readonly Delivery[] {
    while (this.#nowMs + slotMs <= toMs) {
      this.#nowMs += slotMs
      this.#slot(this.#nowMs)
    }
    return this.take()
  }

  /** Takes over the deliveries made since the last call. */
  take(): readonly Delivery[] {
    if (this.#outbox.length === 0) return []
    const deliveries = this.#outbox.slice()
    this.#outbox.length = 0
    this.#delivered += deliveries.length
    return deliveries
  }

  /** Lists the next pair of the reserve at every venue; undefined when there is none left. */
  list(): string | undefined {
    const listed = this.#nature.list(this.#nowMs)
    for (const { listing } of listed) this.#logListing(listing.venue, listing.symbol, 'listed')
    return listed[0]?.listing.pair.base
  }

  /** Stops a symbol for good; false when it does not trade. */
  delist(venue: VenueName, symbol: string): boolean {
    const market = this.#nature.market(venue, symbol)
    if (market === undefined) return false
    market.close(this.#nowMs)
    this.#logListing(venue, symbol, 'delisted')
    return true
  }

  stats(): ExchangeStats {
    return {
      connections: this.#connections.size, published: this.#published, delivered: this.#delivered,
      trades: this.#trades, faults: Object.fromEntries(this.#faultCounts),
    }
  }

  #slot(nowMs: number): void {
    if (nowMs % 1000 === 0) this.#eachSecond(nowMs)
    const { truth } = this.#options
    this.#nature.step(nowMs, (market, settlement) => truth?.(fundingLine(market, settlement)))
    for (const market of this.#nature.all) {
      if (market.status === 'closed') continue
      const happened = market.fills.length > 0 || market.changed
      if (happened) this.#record(market, nowMs)
      for (const channel of this.#board.of(market)) {
        if (happened) channel.absorb(nowMs)
        const phaseMs = channel.cadenceMs < 1000 ? market.phaseMs : 0
        if ((nowMs + phaseMs) % channel.cadenceMs === 0) this.#publish(market, channel, nowMs)
      }
    }
    for (const connection of this.#connections.values()) connection.step(nowMs)
    this.#forgetEnded()
  }

  #record(market: Market, nowMs: number): void {
    this.#trades += market.fills.length
    const { truth } = this.#options
    if (truth === undefined) return
    for (const fill of market.fills) truth(tradeLine(market, fill))
    if (market.changed && market.listing.venue.startsWith('binance')) {
      truth(bookLine(market, 'book', String(market.lastUpdate), nowMs))
    }
  }

  #publish(market: Market, channel: Channel, nowMs: number): void {
    for (const publication of channel.publish(nowMs)) {
      this.#published += 1
      if (publication.kind === 'book' && publication.venue.startsWith('bybit')) {
        this.#options.truth?.(bookLine(market, channel.name, publication.last, nowMs))
      }
      for (const connection of channel.subscribers) connection.offer(publication, nowMs)
    }
  }

  #eachSecond(nowMs: number): void {
    if (this.#random.chance(this.#faults.list)) this.list()
    if (this.#random.chance(this.#faults.delist)) {
      const venue = venueNames[this.#random.below(venueNames.length)] ?? 'binance.spot'
      const symbols = this.symbols(venue)
      const symbol = symbols[this.#random.below(Math.max(1, symbols.length))]
      if (symbol !== undefined && symbols.length > 3) this.delist(venue, symbol)
    }
    if (nowMs % 3000 === 0) this.#desk.remember(this.#nature.all)
  }

  #makeWorld(): World {
    const nature = this.#nature
    const now = (): number => this.#nowMs
    return {
      get nowMs() { return now() },
      random: this.#random.fork('world'),
      market: (venue, symbol) => nature.market(venue, symbol),
      markets: (venue) => nature.markets(venue),
      attach: (connection, name, market, open) => {
        this.#board.attach(connection, name, this.#nowMs, market, open)
      },
      detach: (connection, name) => this.#board.detach(connection, name),
      send: (connection, publication) => connection.offer(publication, this.#nowMs),
    }
  }

  #forgetEnded(): void {
    let ended = false
    for (const [id, connection] of this.#connections) {
      if (!connection.ended) continue
      this.#connections.delete(id)
      ended = true
    }
    if (ended) this.#board.sweep()
  }

  #logListing(venue: VenueName, symbol: string, status: 'listed' | 'delisted'): void {
    this.#log({ kind: 'listing', venue, symbol, time: this.#nowMs, status })
  }

  #log(truth: Truth): void {
    if (truth.kind === 'fault') {
      this.#faultCounts.set(truth.fault, (this.#faultCounts.get(truth.fault) ?? 0) + 1)
    }
    this.#options.truth?.(JSON.stringify(truth))
  }
}
