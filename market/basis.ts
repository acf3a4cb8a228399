import type { Instrument } from './system.ts'

/** The best prices of one market for one base asset, in the quote currency. */
export interface Prices {
  readonly bid: number
  readonly ask: number
}

/**
 * The venue's prices as prices of one base asset: 1000PEPE at 0.0123 is PEPE at 0.0000123. Sizes need no
 * place here, and the price of an inverse contract is in the quote currency as well.
 */
export const perAsset = (
  bid: number,
  ask: number,
  { multiplier }: Pick<Instrument, 'multiplier'>,
): Prices => ({
  bid: bid / multiplier,
  ask: ask / multiplier,
})

/** How far two markets are apart. */
export interface Spread {
  readonly perpMid: number
  readonly referenceMid: number
  /** 10000 x (perpMid / referenceMid - 1). */
  readonly bps: number
  /**
   * What is left when the dear one is sold at its bid and the cheap one bought at its ask; negative when
   * nothing is.
   */
  readonly netBps: number
}

export const spreadOf = (perp: Prices, reference: Prices): Spread => {
  const perpMid = (perp.bid + perp.ask) / 2
  const referenceMid = (reference.bid + reference.ask) / 2
  const [dear, cheap] = perpMid >= referenceMid ? [perp, reference] : [reference, perp]
  return {
    perpMid,
    referenceMid,
    bps: 10_000 * (perpMid / referenceMid - 1),
    netBps: 10_000 * (dear.bid / cheap.ask - 1),
  }
}
