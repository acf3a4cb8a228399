import { choice, flag, float, name, optional, schema, text } from '../graph/schema.ts'
import type { Event } from '../graph/schema.ts'
import type { Universe } from '../graph/source.ts'
import type { Instrument } from '../market/system.ts'
import { instrumentName } from '../market/instrument.ts'
import { looksMultiplied, multipleOf } from './multiplier.ts'

/** One line of a venue's list of what is traded, as a mapping makes it. */
export interface Listing extends Event<'listing'> {
  readonly symbol: string
  readonly kind: 'spot' | 'perp'
  readonly base: string
  readonly quote: string
  readonly settle: string
  readonly contractSize: number
  readonly inverse: boolean
  readonly tickSize: number
  readonly lotSize: number
  readonly status: 'trading' | 'halted'
}

export const listing = schema<Listing>('listing', 'a line of the list of what is traded', {
  symbol: name('name at the venue'),
  kind: choice('what it is', 'spot', 'perp'),
  base: name('base asset, as the venue writes it'),
  quote: name('asset that prices are in'),
  settle: name('asset that is paid'),
  contractSize: float('units in one contract'),
  inverse: flag('sizes are in quote currency'),
  tickSize: float('step of prices'),
  lotSize: float('step of sizes'),
  status: choice('can it be traded', 'trading', 'halted'),
})

interface Next extends Event<'next'> {
  readonly cursor: string | null
}

/** Where the list goes on. */
export const next = schema<Next>('next', 'where a list goes on', {
  cursor: optional(text('empty when it does not')),
})

export interface Ranking extends Event<'ranking'> {
  readonly symbol: string
  readonly turnover: number
}

/** How much was traded of a symbol in a day. */
export const ranking = schema<Ranking>('ranking', 'turnover of the last day', {
  symbol: name('name at the venue'),
  turnover: float('quote currency'),
})

/** The row of a listing: our name for it, and how its units convert. */
export const instrumentOf = (
  listed: Listing,
  venue: string,
  source: string,
  time: number,
  status: Instrument['status'] = listed.status,
): Instrument => {
  const { asset, multiplier } = multipleOf(venue, listed.base)
  const { symbol, kind, quote, settle, contractSize, inverse, tickSize, lotSize } = listed
  const instrument = instrumentName({ venue, kind, base: asset, quote, settle })
  return {
    venue,
    instrument,
    source,
    symbol,
    kind,
    base: asset,
    quote,
    settle,
    multiplier,
    contractSize,
    inverse,
    tickSize,
    lotSize,
    status,
    time,
    received: time,
  }
}

/** Bases of listings that may stand for many of an asset, and that no person has looked at. */
export const unreviewed = (listings: readonly Listing[], venue: string): readonly string[] => [
  ...new Set(listings.filter(({ base }) => looksMultiplied(venue, base)).map(({ base }) => base)),
]

/**
 * The listings that a graph wants, most active first. Without a ranking the order of the list stands; equal
 * turnovers keep it too, so that every shard chooses the same.
 */
export const select = (
  listings: readonly Listing[],
  venue: string,
  universe: Universe,
  turnover: ReadonlyMap<string, number>,
): readonly Listing[] => {
  const pairs = universe.pairs === undefined ? undefined : new Set(universe.pairs)
  const fits = listings.filter((one) => {
    if (one.status !== 'trading') return false
    if (universe.quote !== undefined && one.quote !== universe.quote) return false
    return pairs === undefined || pairs.has(`${multipleOf(venue, one.base).asset}-${one.quote}`)
  })
  const ranked = fits.map((one, place) => ({ one, place, turnover: turnover.get(one.symbol) ?? 0 }))
  ranked.sort((a, b) => b.turnover - a.turnover || a.place - b.place)
  return ranked.slice(0, universe.top ?? ranked.length).map(({ one }) => one)
}

/** Does the choice depend on how much is traded? */
export const ranked = (universe: Universe): boolean =>
  universe.top !== undefined && universe.pairs === undefined
