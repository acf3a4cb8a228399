/** The markets that the simulated exchange speaks as. */
export const venueNames = ['binance.spot', 'binance.usdm', 'bybit.linear', 'bybit.spot'] as const

/** One of the simulated markets. */
export type VenueName = (typeof venueNames)[number]

/** A pair of the simulated world: what it costs at the start, and how each kind of market quotes it. */
export interface PairSpec {
  readonly base: string
  /** US dollars for one unit of `base` at the start. */
  readonly price: number
  readonly spotTick: string
  readonly spotLot: string
  readonly perpTick: string
  readonly perpLot: string
  readonly fundingHours: 1 | 4 | 8
  /** How many units of `base` one unit of the perpetual stands for. */
  readonly multiplier: number
}

/**
 * A symbol at one market. Ticks and lots are integers; `priceDecimals` and `sizeDecimals` say how they are
 * written.
 */
export interface Listing {
  readonly venue: VenueName
  readonly symbol: string
  readonly pair: PairSpec
  /** The base asset as the venue calls it: `1000PEPE`, `SHIB1000`. */
  readonly base: string
  readonly quote: 'USDT'
  readonly perpetual: boolean
  readonly multiplier: number
  readonly priceDecimals: number
  readonly sizeDecimals: number
  /** One tick counted in 10^-priceDecimals, one lot in 10^-sizeDecimals. */
  readonly tickUnits: number
  readonly lotUnits: number
}

type Row = readonly [string, number, string, string, string, string, (1 | 4 | 8)?, number?]

/** Most traded first. Multipliers are those of the perpetuals: one unit of 1000PEPEUSDT is 1000 PEPE. */
const rows: readonly Row[] = [
  ['BTC', 97243.18, '0.01', '0.00001', '0.10', '0.001', 8],
  ['ETH', 3412.64, '0.01', '0.0001', '0.01', '0.001', 8],
  ['SOL', 187.42, '0.01', '0.001', '0.010', '0.1', 8],
  ['XRP', 2.2871, '0.0001', '0.1', '0.0001', '0.1', 8],
  ['DOGE', 0.24183, '0.00001', '1', '0.00001', '1', 8],
  ['BNB', 842.17, '0.01', '0.001', '0.010', '0.01', 8],
  ['PEPE', 0.00000812, '0.00000001', '1', '0.0000010', '100', 8, 1000],
  ['SUI', 3.4127, '0.0001', '0.1', '0.00010', '10', 4],
  ['ADA', 0.7641, '0.0001', '0.1', '0.0001', '1', 8],
  ['SHIB', 0.00001234, '0.00000001', '1', '0.000001', '10', 8, 1000],
  ['LINK', 17.83, '0.01', '0.01', '0.001', '0.1', 8],
  ['AVAX', 26.41, '0.01', '0.01', '0.001', '0.1', 8],
  ['WLD', 1.284, '0.001', '0.1', '0.0001', '0.1', 4],
  ['TRX', 0.2914, '0.0001', '0.1', '0.00001', '1', 8],
  ['ENA', 0.4127, '0.0001', '0.01', '0.0001', '1', 4],
  ['LTC', 104.37, '0.01', '0.001', '0.01', '0.1', 8],
  ['BCH', 548.2, '0.1', '0.001', '0.10', '0.01', 8],
  ['DOT', 4.318, '0.001', '0.01', '0.001', '0.1', 8],
  ['NEAR', 2.741, '0.001', '0.1', '0.001', '0.1', 8],
  ['WIF', 0.9172, '0.001', '0.01', '0.0001', '0.1', 4],
  ['UNI', 8.214, '0.001', '0.01', '0.001', '0.1', 8],
  ['BONK', 0.00001867, '0.00000001', '1', '0.000001', '100', 4, 1000],
  ['AAVE', 271.8, '0.01', '0.001', '0.01', '0.01', 8],
  ['TON', 3.187, '0.001', '0.01', '0.0001', '0.1', 4],
  ['HBAR', 0.1923, '0.0001', '1', '0.00001', '1', 8],
  ['APT', 5.127, '0.001', '0.01', '0.0001', '0.1', 4],
  ['ARB', 0.4271, '0.0001', '0.1', '0.0001', '0.1', 8],
  ['FIL', 2.613, '0.001', '0.01', '0.001', '0.1', 8],
  ['OP', 0.7418, '0.001', '0.01', '0.0001', '0.1', 8],
  ['TAO', 374.2, '0.1', '0.0001', '0.01', '0.001', 4],
  ['FET', 0.6724, '0.0001', '0.1', '0.0001', '1', 4],
  ['INJ', 13.42, '0.01', '0.01', '0.001', '0.1', 8],
  ['ICP', 5.463, '0.001', '0.01', '0.001', '1', 8],
  ['ETC', 18.94, '0.01', '0.01', '0.001', '0.01', 8],
  ['SEI', 0.2317, '0.0001', '0.1', '0.0001', '1', 4],
  ['XLM', 0.3418, '0.0001', '1', '0.00001', '1', 8],
  ['ONDO', 0.8732, '0.0001', '0.1', '0.0001', '0.1', 4],
  ['ATOM', 4.527, '0.001', '0.01', '0.001', '0.01', 8],
  ['FLOKI', 0.00009174, '0.00000001', '1', '0.00001', '1', 4, 1000],
  ['TIA', 1.743, '0.001', '0.01', '0.0001', '0.1', 4],
  ['CRV', 0.7124, '0.0001', '0.1', '0.001', '0.1', 4],
  ['RENDER', 3.614, '0.001', '0.01', '0.0001', '0.1', 4],
  ['JUP', 0.4917, '0.0001', '0.1', '0.0001', '1', 4],
  ['ORDI', 9.273, '0.001', '0.01', '0.001', '0.01', 4],
  ['ALGO', 0.2173, '0.0001', '1', '0.0001', '0.1', 8],
  ['LDO', 0.9821, '0.0001', '0.01', '0.0001', '0.1', 8],
  ['GALA', 0.01618, '0.00001', '1', '0.00001', '1', 8],
  ['PENDLE', 4.713, '0.001', '0.1', '0.0001', '1', 4],
  ['STX', 0.6842, '0.0001', '0.1', '0.0001', '0.1', 8],
  ['POL', 0.2174, '0.0001', '0.1', '0.0001', '1', 4],
  ['IMX', 0.5273, '0.0001', '0.01', '0.0001', '1', 4],
  ['DYDX', 0.5914, '0.001', '0.01', '0.001', '0.1', 4],
  ['RUNE', 1.214, '0.001', '0.1', '0.001', '1', 4],
  ['GRT', 0.09173, '0.0001', '1', '0.00001', '1', 8],
  ['SAND', 0.2718, '0.0001', '1', '0.00001', '1', 8],
  ['THETA', 0.8127, '0.001', '0.1', '0.0001', '0.1', 8],
  ['VET', 0.02417, '0.0001', '0.1', '0.000010', '1', 8],
  ['MANA', 0.2914, '0.0001', '1', '0.0001', '1', 8],
  ['1INCH', 0.2327, '0.0001', '0.1', '0.0001', '1', 8],
  ['TRB', 31.47, '0.01', '0.001', '0.001', '0.1', 1],
]

/** Names kept back, so that something new can be listed while the exchange runs. */
const reserve: readonly Row[] = [
  ['ZETA', 0.1873, '0.0001', '0.1', '0.0001', '1', 4],
  ['PYTH', 0.1274, '0.0001', '0.1', '0.0001', '1', 4],
  ['STRK', 0.1327, '0.0001', '0.01', '0.0001', '0.1', 4],
  ['W', 0.08217, '0.0001', '0.1', '0.0001', '0.1', 4],
  ['NOT', 0.001874, '0.000001', '1', '0.0000010', '1', 4],
  ['CATI', 0.08713, '0.0001', '0.1', '0.0001', '1', 1],
  ['EIGEN', 1.247, '0.001', '0.01', '0.0001', '0.1', 4],
  ['USUAL', 0.07418, '0.0001', '0.1', '0.0001', '0.1', 1],
]

/**
 * The pairs a world starts with, most traded first; beyond the named ones they are called `KT61`, `KT62`,
 * ...
 */
export function pairSpecs(count: number): readonly PairSpec[] {
  const named = rows.slice(0, count).map(spec)
  for (let i = named.length; i < count; i++) {
    named.push(spec([`KT${i + 1}`, 1 + (i % 97) / 10, '0.0001', '0.1', '0.0001', '0.1', 4]))
  }
  return named
}

/** Pairs that may be listed later. */
export function reservePairs(): readonly PairSpec[] {
  return reserve.map(spec)
}

/** The symbol of a pair at a market, with its grid of prices and sizes. */
export function listing(venue: VenueName, pair: PairSpec): Listing {
  const perpetual = venue === 'binance.usdm' || venue === 'bybit.linear'
  const scaled = perpetual && pair.multiplier > 1
  const suffixed = venue === 'bybit.linear' && pair.base === 'SHIB'
  const factor = scaled ? String(pair.multiplier) : ''
  const base = suffixed ? `${pair.base}${factor}` : `${factor}${pair.base}`
  const tick = perpetual ? pair.perpTick : pair.spotTick
  const lot = perpetual ? pair.perpLot : pair.spotLot
  const priceDecimals = venue === 'binance.spot' ? 8 : decimalsOf(tick)
  const sizeDecimals = venue === 'binance.spot' ? 8 : decimalsOf(lot)
  return {
    venue, symbol: `${base}USDT`, pair, base, quote: 'USDT', perpetual, priceDecimals, sizeDecimals,
    multiplier: scaled ? pair.multiplier : 1,
    tickUnits: Math.round(Number(tick) * 10 ** priceDecimals),
    lotUnits: Math.round(Number(lot) * 10 ** sizeDecimals),
  }
}

function spec(row: Row): PairSpec {
  const [base, price, spotTick, spotLot, perpTick, perpLot, fundingHours = 8, multiplier = 1] = row
  return { base, price, spotTick, spotLot, perpTick, perpLot, fundingHours, multiplier }
}

function decimalsOf(text: string): number {
  const point = text.indexOf('.')
  return point < 0 ? 0 : text.length - point - 1
}
