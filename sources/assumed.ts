import type { Listing } from './listing.ts'

/**
 * Pairs of symbols that recordings without a list may hold. Their steps are not known, which a step of 0
 * says.
 */
const PAIRS: Readonly<Record<string, readonly [base: string, quote: string]>> = {
  BTCUSDT: ['BTC', 'USDT'],
  ETHUSDT: ['ETH', 'USDT'],
  SOLUSDT: ['SOL', 'USDT'],
  BNBUSDT: ['BNB', 'USDT'],
  XRPUSDT: ['XRP', 'USDT'],
  DOGEUSDT: ['DOGE', 'USDT'],
  ETHBTC: ['ETH', 'BTC'],
}

/** What an instrument of this symbol is taken for, where a recording has no list of them. */
export const assumed = (symbol: string, kind: Listing['kind']): Listing | undefined => {
  const [base, quote] = PAIRS[symbol] ?? []
  if (base === undefined || quote === undefined) return undefined
  return {
    symbol,
    kind,
    base,
    quote,
    settle: quote,
    contractSize: 1,
    inverse: false,
    tickSize: 0,
    lotSize: 0,
    status: 'trading',
  }
}
