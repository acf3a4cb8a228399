import { Day } from './day.ts'
import { fixed, trimmed } from './decimal.ts'
import type { Funding } from './funding.ts'
import { Ladder } from './ladder.ts'
import { lastTrade } from './numbering.ts'
import type { Pace } from './pace.ts'
import type { Random } from './random.ts'
import type { Listing } from './universe.ts'

/** One execution. */
export interface Fill {
  /** The venue's trade id: dense numbers at Binance and Bybit spot, a UUID at Bybit linear. */
  readonly id: string
  readonly tick: number
  readonly lots: number
  /** Milliseconds UTC. */
  readonly timeMs: number
  readonly taker: 'buy' | 'sell'
}

/** The fair price of a pair, shared by its markets; venues differ from it by their basis only. */
export interface FairPrice {
  value: number
}

/** What a market needs from the world. */
export interface MarketParts {
  readonly listing: Listing
  readonly fair: FairPrice
  readonly rank: number
  readonly pace: Pace
  readonly random: Random
  /** When it begins to exist; its ids begin at what they would have come to by then. */
  readonly startMs: number
  /** When it was listed, which is earlier for those that the world starts with. */
  readonly listedMs: number
  /** Levels a side. */
  readonly depth: number
  /** The id of the next change of this book. Binance USDM shares one sequence among all its symbols. */
  readonly nextUpdate: () => number
}

/** What a level of the most traded pair is worth, US dollars. */
const medianValue = 12_000
/** The mean size of a market order in median levels, and how many resting orders fill it. */
const meanOrder = 0.7
const fillsPerOrder = 1.4
/** Venues cancel what is left of a market order that is this far from the price. */
const protection = 0.01

/**
 * One symbol at one market: the true book, and orders that arrive at random and change it.
 *
 * `step` moves it through one slot of time; what happened in the slot stands in `fills`, `touchedBids`,
 * `touchedAsks`, `firstUpdate` and `lastUpdate` until the next step. The book never crosses.
 */
export class Market {
  readonly listing: Listing
  readonly rank: number
  readonly bids = new Ladder('bid')
  readonly asks = new Ladder('ask')
  /** Set for perpetuals. */
  funding: Funding | undefined
  status: 'trading' | 'closed' = 'trading'
  readonly listedMs: number
  /** Shifts the cadence of its channels, so that symbols do not all publish in the same slot. */
  readonly phaseMs: number
  closedMs = 0
  /** Id of the last change of the book. */
  lastUpdate: number
  /** Id of the first change in this slot, 0 when there was none. */
  firstUpdate = 0
  fills: Fill[] = []
  readonly touchedBids: number[] = []
  readonly touchedAsks: number[] = []
  /** The last executions, oldest first, ids without holes. */
  readonly tape: Fill[] = []
  /** The last 24 hours. */
  readonly day: Day
  /** Lots held by both sides (even, because each contract has two). */
  openInterestLots: number
  /** Relative distance of this market from the fair price. */
  basis: number
  #bias: number
  #tradeSequence: number
  #nextTradeMs: number
  #nextChangeMs: number
  readonly #parts: MarketParts
  readonly #random: Random
  readonly #ids: Random
  readonly #tick: number
  readonly #medianLots: number

  constructor(parts: MarketParts) {
    const { listing, random } = parts
    this.#parts = parts
    this.#random = random
    this.listing = listing
    this.rank = parts.rank
    this.listedMs = parts.listedMs
    this.phaseMs = random.below(10) * 10
    this.#bias = listing.perpetual ? random.normal() * 0.0003 + 0.0002 : random.normal() * 0.00002
    this.basis = this.#bias
    this.#tick = listing.tickUnits / 10 ** listing.priceDecimals
    const lot = listing.lotUnits / 10 ** listing.sizeDecimals
    const value = listing.pair.price * listing.multiplier * lot
    this.#medianLots = Math.max(1, medianValue / (1 + parts.rank * 0.2) / value)
    this.openInterestLots = 2 * Math.round(this.#medianLots * 20000)
    this.#tradeSequence = lastTrade(listing.venue, parts.pace, parts.startMs) + random.below(100_000_000)
    // The same seed draws the same world at every start, but no venue gives a trade the id of another.
    this.#ids = random.fork(`trade ids from ${parts.startMs}`)
    this.#nextTradeMs = parts.startMs + random.wait(parts.pace.trades)
    this.#nextChangeMs = parts.startMs + random.wait(parts.pace.changes)
    this.lastUpdate = parts.nextUpdate()
    this.day = this.#yesterday()
    this.#fill()
  }

  /** The price that this market quotes around, in its own units. */
  get mid(): number {
    return this.#parts.fair.value * this.listing.multiplier * (1 + this.basis)
  }

  /** Id of the last execution, where they are numbers. */
  get lastTrade(): number {
    return this.#tradeSequence
  }

  /** The index price in the symbol's units. */
  get index(): number {
    return this.#parts.fair.value * this.listing.multiplier
  }

  /** Whether the book changed in this slot. */
  get changed(): boolean {
    return this.firstUpdate !== 0
  }

  /** Moves the basis; called every 100 ms. */
  drift(): void {
    this.basis += (this.#bias - this.basis) * 0.02 + this.#random.normal() * 0.000008
  }

  /** Lets everything happen that happens up to `nowMs`. */
  step(nowMs: number): void {
    if (this.fills.length > 0) this.fills = []
    if (this.firstUpdate !== 0) {
      this.firstUpdate = 0
      this.touchedBids.length = 0
      this.touchedAsks.length = 0
    }
    if (this.status !== 'trading') return
    const { pace } = this.#parts
    while (this.#nextTradeMs <= nowMs) {
      this.#trade(Math.floor(this.#nextTradeMs))
      this.#nextTradeMs += this.#random.wait(pace.trades)
    }
    while (this.#nextChangeMs <= nowMs) {
      this.#requote()
      this.#nextChangeMs += this.#random.wait(pace.changes)
    }
  }

  /** Stops trading for good. */
  close(nowMs: number): void {
    this.status = 'closed'
    this.closedMs = nowMs
  }

  /** A price in the venue's text. */
  priceText(tick: number): string {
    const { tickUnits, priceDecimals, venue } = this.listing
    return (venue === 'bybit.spot' ? trimmed : fixed)(tick * tickUnits, priceDecimals)
  }

  /** A size in the venue's text. Bybit writes a removed level as `0`, Binance with all its decimals. */
  sizeText(lots: number): string {
    const { lotUnits, sizeDecimals, venue } = this.listing
    if (lots === 0 && venue.startsWith('bybit')) return '0'
    return (venue === 'bybit.spot' ? trimmed : fixed)(lots * lotUnits, sizeDecimals)
  }

  /** A day at the mean pace for a symbol that traded before the world began, an empty one for a new one. */
  #yesterday(): Day {
    const { pace, listedMs, startMs, fair } = this.#parts
    const orders = listedMs < startMs ? pace.trades * 86_400_000 : 0
    const lastTick = Math.max(1, Math.floor(this.mid / this.#tick))
    const openTick = Math.max(1, Math.round(lastTick * (1 + this.#random.normal() * 0.02)))
    const dearer = fair.value / this.listing.pair.price
    const lots = Math.round((orders * Math.max(1, this.#medianLots * meanOrder)) / dearer)
    const trades = Math.round(orders * fillsPerOrder)
    return new Day(this.listing, { openTick, lastTick, lots, trades }, startMs)
  }

  #fill(): void {
    const middle = this.mid / this.#tick
    let bid = Math.max(1, Math.floor(middle - 0.25))
    let ask = bid + 1
    for (let i = 0; i < this.#parts.depth; i++) {
      if (bid >= 1) this.bids.set(bid, this.#size())
      this.asks.set(ask, this.#size())
      const gap = Math.min(40, 1 + i / 20)
      bid -= 1 + this.#random.geometric(gap)
      ask += 1 + this.#random.geometric(gap)
    }
  }

  #size(): number {
    return Math.max(1, Math.round(this.#medianLots * Math.exp(this.#random.normal() * 1.1)))
  }

  #put(ladder: Ladder, tick: number, lots: number): void {
    if (tick < 1 || !ladder.set(tick, lots)) return
    this.lastUpdate = this.#parts.nextUpdate()
    if (this.firstUpdate === 0) this.firstUpdate = this.lastUpdate
    if (ladder === this.bids) this.touchedBids.push(tick)
    else this.touchedAsks.push(tick)
  }

  /** A market order takes from the best levels of one side, as far as the venue lets it. */
  #trade(timeMs: number): void {
    const buys = this.#random.chance(0.5)
    const ladder = buys ? this.asks : this.bids
    const middle = this.mid / this.#tick
    let left = Math.max(1, Math.round(this.#medianLots * 0.25 * Math.exp(this.#random.normal() * 1.5)))
    for (let i = 0; i < 4 && left > 0 && ladder.size > 5; i++) {
      const tick = ladder.best
      if (tick === undefined || Math.abs(tick - middle) > Math.max(3, middle * protection)) break
      const lots = Math.min(left, ladder.at(tick))
      this.#put(ladder, tick, ladder.at(tick) - lots)
      left -= lots
      const fill: Fill = { id: this.#tradeId(), tick, lots, timeMs, taker: buys ? 'buy' : 'sell' }
      this.fills.push(fill)
      this.tape.push(fill)
      this.day.add(tick, lots, timeMs)
      const closed = Math.min(lots, Math.floor(this.openInterestLots / 4))
      this.openInterestLots += this.#random.chance(0.5) ? 2 * lots : -2 * closed
    }
    if (this.tape.length > 12000) this.tape.splice(0, 2000)
  }

  #tradeId(): string {
    this.#tradeSequence += 1
    const { venue } = this.listing
    if (venue === 'bybit.linear') return uuid(this.#ids)
    const id = String(this.#tradeSequence)
    return venue === 'bybit.spot' ? `229${id.padStart(16, '0')}` : id
  }

  /**
   * Market makers follow the fair price: what would cross it is withdrawn, and a few levels are placed or
   * withdrawn.
   */
  #requote(): void {
    const { bids, asks } = this
    const middle = this.mid / this.#tick
    const bid = Math.max(1, Math.floor(middle - 0.25))
    const ask = bid + 1
    for (let i = 0; i < 12 && asks.best !== undefined && asks.best <= bid; i++) this.#put(asks, asks.best, 0)
    for (let i = 0; i < 12 && bids.best !== undefined && bids.best >= ask; i++) this.#put(bids, bids.best, 0)
    this.#place(bids, bid)
    this.#place(asks, ask)
    const changes = 1 + this.#random.geometric(1.5)
    for (let i = 0; i < changes; i++) {
      const ladder = this.#random.chance(0.5) ? bids : asks
      if (this.#random.chance(0.4)) this.#withdraw(ladder)
      else if (ladder === bids) this.#place(bids, bid - this.#random.geometric(10))
      else this.#place(asks, ask + this.#random.geometric(10))
    }
    this.#trim(bids, -1)
    this.#trim(asks, 1)
  }

  #place(ladder: Ladder, tick: number): void {
    const opposite = (ladder === this.bids ? this.asks : this.bids).best
    const crossing = opposite !== undefined && (ladder === this.bids ? tick >= opposite : tick <= opposite)
    if (!crossing) this.#put(ladder, tick, this.#size())
  }

  #withdraw(ladder: Ladder): void {
    const tick = ladder.ranked(1 + this.#random.geometric(6))
    if (tick !== undefined && ladder.size > 20) this.#put(ladder, tick, 0)
  }

  /** Keeps the number of levels near `depth`: levels far away come and go as they do when a price moves. */
  #trim(ladder: Ladder, outward: 1 | -1): void {
    const { worst } = ladder
    if (worst === undefined) return
    if (ladder.size > this.#parts.depth) this.#put(ladder, worst, 0)
    else if (ladder.size < this.#parts.depth * 0.9) {
      this.#put(ladder, worst + outward * (1 + this.#random.geometric(3)), this.#size())
    }
  }
}

function uuid(random: Random): string {
  const hex = (): string => random.bits().toString(16).padStart(8, '0')
  const [a, b, c, d] = [hex(), hex(), hex(), hex()]
  return `${a}-${b.slice(0, 4)}-5${b.slice(5)}-${'89ab'[random.below(4)]}${c.slice(1, 4)}-${c.slice(4)}${d}`
}
