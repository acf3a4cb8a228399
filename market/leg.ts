import { perAsset } from './basis.ts'
import type { Prices } from './basis.ts'
import type { Funding, Quote } from './event.ts'
import { concerns } from './session.ts'
import type { Control, Instrument } from './system.ts'

/**
 * One market in a comparison, as plain data: its best prices, what they are worth, and when it last showed
 * life.
 */
export interface Leg {
  readonly instrument: string
  /** Its source, status and multiplier; null until its listing came. */
  listing: Pick<Instrument, 'source' | 'status' | 'multiplier'> | null
  quote: Pick<Quote, 'trust' | 'why' | 'bid' | 'ask' | 'last' | 'time'> | null
  funding: Pick<Funding, 'apr' | 'fundingTime'> | null
  /** The last proof of life of its channel, by our clock. */
  alive: number
  /** What happened to its session since, if anything. */
  trouble: '' | 'silent' | 'session down' | 'restarted'
}

export const newLeg = (instrument: string): Leg => ({
  instrument,
  listing: null,
  quote: null,
  funding: null,
  alive: 0,
  trouble: '',
})

/** A live quote shows life, and proves that the session is well. */
export const quoted = (leg: Leg, { trust, why, bid, ask, last, time, received }: Quote): void => {
  leg.quote = { trust, why, bid, ask, last, time }
  if (trust !== 'live') return
  leg.alive = Math.max(leg.alive, received)
  leg.trouble = ''
}

/**
 * A session event. What a heartbeat shows is that no news is no news: a silent market that lives is not
 * stale.
 */
export const told = (leg: Leg, row: Control, channels: readonly string[]): boolean => {
  if (
    row.kind === 'tick' ||
    !concerns(row, { instrument: leg.instrument, source: leg.listing?.source ?? '' }, channels)
  )
    return false
  if (row.kind === 'start') leg.trouble = 'restarted'
  else if (row.kind === 'down') leg.trouble = 'session down'
  else if (row.kind === 'stale' && leg.trouble === '') leg.trouble = 'silent'
  else if (row.kind === 'live' || row.kind === 'alive') {
    leg.alive = Math.max(leg.alive, row.received)
    if (leg.trouble === 'silent' && row.kind === 'live') leg.trouble = ''
  }
  return true
}

export const ageMs = (leg: Leg, now: number): number => Math.max(0, (now - leg.alive) / 1_000)

/** Why a leg may not be acted on; empty when it may. */
export const problemOf = (leg: Leg, now: number, staleAfterMs: number): string => {
  const { listing, quote, trouble } = leg
  if (listing === null) return 'no instrument row'
  if (listing.status !== 'trading') return listing.status
  if (quote === null) return 'no quote'
  if (quote.trust !== 'live') return quote.trust === 'stale' ? quote.why : quote.trust
  if (trouble !== '') return trouble
  if (ageMs(leg, now) > staleAfterMs) return 'stale'
  return quote.bid === null || quote.ask === null ? 'one-sided' : ''
}

/** Its prices for one base asset; only for a leg without a problem. */
export const pricesOf = ({ quote, listing }: Leg): Prices => perAsset(quote!.bid!, quote!.ask!, listing!)

/**
 * The funding of its running period, a fraction a year: 0 for spot, null when it is not known, or is of a
 * period that is over.
 */
export const aprOf = (leg: Leg, spot: boolean, now: number): number | null => {
  if (spot) return 0
  return leg.funding === null || now > leg.funding.fundingTime + ROLL_WITHIN ? null : leg.funding.apr
}

/** One minute: by then a venue has said the first rate of the next period. */
const ROLL_WITHIN = 60_000_000
