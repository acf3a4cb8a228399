import { binanceRest } from './binance-rest.ts'
import { bybitRest } from './bybit-rest.ts'
import type { FaultKind, Faults } from './fault.ts'
import type { Market } from './market.ts'
import type { Random } from './random.ts'
import type { Truth } from './truth.ts'
import { type VenueName, venueNames } from './universe.ts'
import { Weight } from './weight.ts'
import type { OldBook, RestReply, World } from './world.ts'

/** The answer to a REST call. `delayMs` is Infinity when the venue never answers. */
export interface RestAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly delayMs: number
}

interface DeskParts {
  readonly faults: Faults
  readonly random: Random
  readonly log: (truth: Truth) => void
}

const limits = {
  'binance.spot': { windowMs: 60_000, weight: 6000 },
  'binance.usdm': { windowMs: 60_000, weight: 2400 },
  'bybit.linear': { windowMs: 5000, weight: 600 },
  'bybit.spot': { windowMs: 5000, weight: 600 },
} as const

const kinds = ['rest418', 'rest429', 'rest451', 'rest500', 'restTimeout', 'restStale'] as const

const banned = refusal(-1003, 'Way too much request weight used; IP banned.')
const limited = refusal(-1003, 'Too much request weight used.')

/** The REST side of all venues: the weight that calls cost, the refusals, and the faults. */
export class RestDesk {
  readonly #world: World
  readonly #parts: DeskParts
  readonly #weights = new Map(venueNames.map((venue) => [venue, new Weight(limits[venue])]))
  readonly #oldBooks = new Map<Market, OldBook>()

  constructor(world: World, parts: DeskParts) {
    this.#world = world
    this.#parts = parts
  }

  /** Keeps the books as they are, to be handed out later by the fault `restStale`. */
  remember(markets: readonly Market[]): void {
    if (this.#parts.faults.restStale === 0) return
    for (const market of markets) {
      if (!market.listing.venue.startsWith('binance')) continue
      const { lastUpdate, bids, asks } = market
      const timeMs = this.#world.nowMs
      this.#oldBooks.set(market, { lastUpdate, timeMs, bids: bids.top(5000), asks: asks.top(5000) })
    }
  }

  /** Answers a GET. `path` includes the query. */
  answer(venue: VenueName, path: string): RestAnswer {
    const fault = this.#fault(venue, path)
    if (fault !== undefined && fault !== 'restStale') return faulty(fault)
    const { status, body, weight } = this.#reply(venue, path, fault === 'restStale')
    const verdict = this.#weights.get(venue)?.charge(weight, this.#world.nowMs)
    const binance = venue.startsWith('binance')
    const used: Record<string, string> = binance ? { 'X-MBX-USED-WEIGHT-1M': String(verdict?.used ?? 0) } : {}
    if (verdict?.allowed !== false) return answer(status, body, used)
    if (!binance) return answer(403, '{"retCode":10006,"retMsg":"access too frequent"}', used)
    const wait = { ...used, 'Retry-After': String(verdict.retryAfterSeconds) }
    return verdict.banned ? answer(418, banned, wait) : answer(429, limited, wait)
  }

  #reply(venue: VenueName, path: string, stale: boolean): RestReply {
    const url = new URL(path, 'http://sim')
    if (venue.startsWith('bybit')) return bybitRest(url.pathname, url.searchParams, this.#world)
    return binanceRest(venue === 'binance.usdm', url.pathname, url.searchParams, this.#world,
      (market) => (stale ? this.#oldBooks.get(market) : undefined))
  }

  #fault(venue: VenueName, path: string): FaultKind | undefined {
    const { faults, random, log } = this.#parts
    const fault = kinds.find((kind) => random.chance(faults[kind]))
    if (fault === undefined) return undefined
    const symbol = new URL(path, 'http://sim').searchParams.get('symbol') ?? ''
    if (fault === 'restStale') {
      const market = this.#world.market(venue, symbol)
      if (!path.includes('/depth') || market === undefined || !this.#oldBooks.has(market)) return undefined
    }
    const where = { venue, symbol, time: this.#world.nowMs, connection: 'rest', channel: '' }
    log({ kind: 'fault', fault, ...where, first: '', last: '', note: path })
    return fault
  }
}

function faulty(fault: Exclude<FaultKind, 'restStale'>): RestAnswer {
  switch (fault) {
    case 'rest418': return answer(418, banned, { 'Retry-After': '2' })
    case 'rest429': return answer(429, limited, { 'Retry-After': '1' })
    case 'rest451': return answer(451, refusal(0, 'Service unavailable from a restricted location.'), {})
    case 'restTimeout': return { ...answer(504, '', {}), delayMs: Infinity }
    default: return answer(500, refusal(-1000, 'An unknown error occurred while processing the request.'), {})
  }
}

function answer(status: number, body: string, headers: Readonly<Record<string, string>>): RestAnswer {
  const json = { 'Content-Type': 'application/json;charset=UTF-8' }
  return { status, body, headers: { ...json, ...headers }, delayMs: 0 }
}

function refusal(code: number, msg: string): string {
  return `{"code":${code},"msg":"${msg}"}`
}
