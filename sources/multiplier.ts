/** An asset as it is known everywhere, and how many of it one unit of a listing stands for. */
interface Multiple {
  readonly asset: string
  readonly multiplier: number
}

const thousand = (...assets: readonly string[]): readonly (readonly [string, Multiple])[] =>
  assets.map((asset) => [`1000${asset}`, { asset, multiplier: 1000 }] as const)

/**
 * Listings whose unit is many of an asset, by venue and by the base as the venue writes it. Reviewed by hand:
 * a number in a name may belong to the name (1INCH), so nothing is ever concluded from it.
 */
const table: Readonly<Record<string, ReadonlyMap<string, Multiple>>> = {
  binance: new Map<string, Multiple>([
    ...thousand('SHIB', 'XEC', 'LUNC', 'PEPE', 'FLOKI', 'BONK', 'SATS', 'RATS', 'CAT', 'CHEEMS', 'WHY'),
    ['1000000MOG', { asset: 'MOG', multiplier: 1_000_000 }],
    ['1000000BOB', { asset: 'BOB', multiplier: 1_000_000 }],
    ['1MBABYDOGE', { asset: 'BABYDOGE', multiplier: 1_000_000 }],
  ]),
  bybit: new Map<string, Multiple>([
    ...thousand(
      'BONK',
      'BTT',
      'CAT',
      'FLOKI',
      'LUNC',
      'NEIROCTO',
      'PEPE',
      'RATS',
      'TAG',
      'TOSHI',
      'TURBO',
      'XEC',
    ),
    ['SHIB1000', { asset: 'SHIB', multiplier: 1000 }],
    ['10000SATS', { asset: 'SATS', multiplier: 10_000 }],
    ['10000NEX', { asset: 'NEX', multiplier: 10_000 }],
    ['1000000BABYDOGE', { asset: 'BABYDOGE', multiplier: 1_000_000 }],
    ['1000000MOG', { asset: 'MOG', multiplier: 1_000_000 }],
  ]),
}

/** What one unit of a listing with this base stands for. */
export const multipleOf = (venue: string, base: string): Multiple =>
  table[venue]?.get(base) ?? { asset: base, multiplier: 1 }

/** Does a name that the table does not know look like many of something? Only a person can tell. */
export const looksMultiplied = (venue: string, base: string): boolean =>
  table[venue]?.has(base) !== true &&
  (/^(10{3,6}|1M)[A-Z]{2,}$/.test(base) || /^[A-Z]{2,}10{3,6}$/.test(base))
