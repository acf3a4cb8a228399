import { Funding, type Settlement } from './funding.ts'
import { type FairPrice, Market } from './market.ts'
import { lastUpdate } from './numbering.ts'
import { type Pace, paces } from './pace.ts'
import type { Random } from './random.ts'
import { listing, type PairSpec, pairSpecs, reservePairs, type VenueName, venueNames } from './universe.ts'

/** What decides how the world looks. */
export interface NatureOptions {
  readonly pairs?: number
  readonly rate?: number
  readonly depth?: number
  readonly venues?: readonly VenueName[]
  readonly fundingEveryMs?: number
}

/** Bybit lists fewer pairs on spot than the others. */
const bybitSpotPairs = 20
const hourMs = 3_600_000
const dayMs = 24 * hourMs
const pastSettlements = 12
/** A new listing is traded like a pair of this rank. */
const newRank = 10
const newPace: Pace = { trades: 0.0015, changes: 0.003 }

interface Times {
  readonly startMs: number
  readonly listedMs: number
}

/** When a pair was listed that the world starts with: the same at every start, and from 2020-01-01 on. */
function listedMs(rank: number): number {
  return 1_577_836_800_000 + (rank % 200) * 10 * dayMs
}

/** A pair wanted at a venue. */
interface Want {
  readonly venue: VenueName
  readonly pair: PairSpec
  readonly rank: number
}

/** The true world behind all venues: fair prices that wander, and the markets that follow them. */
export class Nature {
  /** Every market there ever was, in order of listing. */
  readonly all: Market[] = []
  readonly #options: NatureOptions
  readonly #random: Random
  readonly #byVenue = new Map<VenueName, Market[]>()
  readonly #bySymbol = new Map<string, Market>()
  readonly #fair: { readonly price: FairPrice; readonly random: Random; readonly volatility: number }[] = []
  readonly #reserve: PairSpec[]
  #futuresUpdate: number

  constructor(options: NatureOptions, random: Random, nowMs: number) {
    this.#options = options
    this.#random = random.fork('nature')
    this.#reserve = [...reservePairs()]
    for (const venue of options.venues ?? venueNames) this.#byVenue.set(venue, [])
    const wanted = pairSpecs(options.pairs ?? 60).flatMap((pair, rank) => this.#listings(pair, rank))
    const pace = paces(wanted, options.rate ?? 5000)
    const futures = pace.filter((_, i) => wanted[i]?.venue === 'binance.usdm')
    this.#futuresUpdate = lastUpdate('binance.usdm', futures, nowMs) + this.#random.below(1_000_000_000)
    const fair = new Map<PairSpec, FairPrice>()
    wanted.forEach((want, i) => {
      const price = fair.get(want.pair) ?? this.#wander(want.pair)
      fair.set(want.pair, price)
      const times = { startMs: nowMs, listedMs: Math.min(listedMs(want.rank), nowMs - dayMs) }
      this.#open(want, price, pace[i] ?? { trades: 0, changes: 0 }, times)
    })
  }

  serves(venue: VenueName): boolean {
    return this.#byVenue.has(venue)
  }

  /** A symbol that trades. */
  market(venue: VenueName, symbol: string): Market | undefined {
    const market = this.#bySymbol.get(`${venue}/${symbol}`)
    return market?.status === 'trading' ? market : undefined
  }

  markets(venue: VenueName): readonly Market[] {
    return this.#byVenue.get(venue) ?? []
  }

  /** Moves everything through one slot; tells of each funding settlement. */
  step(nowMs: number, settled: (market: Market, settlement: Settlement) => void): void {
    const drifts = nowMs % 100 === 0
    if (drifts) {
      for (const { price, random, volatility } of this.#fair) price.value *= 1 + random.normal() * volatility
    }
    const samples = nowMs % 1000 === 0
    for (const market of this.all) {
      if (drifts) market.drift()
      market.step(nowMs)
      if (!samples || market.funding === undefined || market.status !== 'trading') continue
      const settlement = market.funding.sample(nowMs, market.index, market.mid)
      if (settlement !== undefined) settled(market, settlement)
    }
  }

  /** Lists the next pair of the reserve at every venue. */
  list(nowMs: number): readonly Market[] {
    const pair = this.#reserve.shift()
    if (pair === undefined) return []
    const price = this.#wander(pair)
    const times = { startMs: nowMs, listedMs: nowMs }
    return this.#listings(pair, newRank).map((want) => this.#open(want, price, newPace, times))
  }

  #listings(pair: PairSpec, rank: number): readonly Want[] {
    return [...this.#byVenue.keys()].filter((venue) => venue !== 'bybit.spot' || rank < bybitSpotPairs)
      .map((venue) => ({ venue, pair, rank }))
  }

  #wander(pair: PairSpec): FairPrice {
    const random = this.#random.fork(`fair/${pair.base}`)
    const price = { value: pair.price * (1 + random.normal() * 0.01) }
    this.#fair.push({ price, random, volatility: 0.00003 + random.unit() * 0.00004 })
    return price
  }

  #open({ venue, pair, rank }: Want, fair: FairPrice, pace: Pace, times: Times): Market {
    const listed = listing(venue, pair)
    const random = this.#random.fork(`${venue}/${listed.symbol}`)
    const market = new Market({
      listing: listed, fair, rank, pace, random, ...times, depth: this.#options.depth ?? 500,
      nextUpdate: this.#sequence(venue, pace, random.fork('update'), times.startMs),
    })
    if (listed.perpetual) market.funding = this.#funding(market, pair, times.startMs)
    this.all.push(market)
    this.#byVenue.get(venue)?.push(market)
    this.#bySymbol.set(`${venue}/${listed.symbol}`, market)
    return market
  }

  #funding(market: Market, pair: PairSpec, nowMs: number): Funding {
    const periodMs = this.#options.fundingEveryMs ?? pair.fundingHours * hourMs
    const cap = market.listing.venue === 'bybit.linear' ? 0.005 : 0.02
    const funding = new Funding(pair.fundingHours, periodMs, cap, nowMs)
    funding.remember(pastSettlements, market.mid, this.#random.fork(`funding/${market.listing.symbol}`))
    funding.sample(nowMs, market.index, market.mid)
    return funding
  }

  /** Spot counts each book by one; the futures share one sequence; Bybit's `seq` grows by more than one. */
  #sequence(venue: VenueName, pace: Pace, random: Random, startMs: number): () => number {
    if (venue === 'binance.usdm') return () => (this.#futuresUpdate += 1 + random.below(20))
    let last = lastUpdate(venue, [pace], startMs) + random.below(1_000_000_000)
    return venue === 'binance.spot' ? () => (last += 1) : () => (last += 1 + random.below(30))
  }
}
