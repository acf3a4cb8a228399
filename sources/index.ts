import { spot as binanceSpot } from './binance/spot.ts'
import { usdm } from './binance/usdm.ts'
import { linear } from './bybit/linear.ts'
import { spot as bybitSpot } from './bybit/spot.ts'

/** Binance: spot, and USD-margined perpetuals. */
export const binance = Object.freeze({ spot: binanceSpot, usdm })

/** Bybit: USDT and USDC perpetuals, and spot. */
export const bybit = Object.freeze({ linear, spot: bybitSpot })

/** Every market that kt knows. */
export const markets = Object.freeze([binanceSpot, usdm, linear, bybitSpot])
