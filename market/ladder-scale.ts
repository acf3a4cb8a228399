/** Prices as whole numbers: each is some whole number of `step / unit`, the tick. */
export interface Scale {
  /** A whole number of `1 / unit`. */
  readonly step: number
  /** A power of ten. */
  readonly unit: number
}

/**
 * The coarsest scale that has a price and all that the scale before has. The tick of a venue is nowhere
 * asked for: listings come late, ticks change, and a replay has neither. A decimal's double is the whole
 * number divided by its power of ten, rounded once, so `whole / unit` gives its very bits back while both are
 * exact. Undefined: the price has no decimals that a double holds exactly, as what was computed may not.
 */
export const finer = (before: Scale | undefined, price: number): Scale | undefined => {
  const { step, unit } = before ?? { step: 0, unit: 1 }
  for (const wider of UNITS) {
    if (wider < unit) continue
    const whole = Math.abs(Math.round(price * wider))
    if (whole > WHOLE_MAX || step * (wider / unit) > WHOLE_MAX) return undefined
    if (whole / wider !== Math.abs(price)) continue
    const common = divisor(step * (wider / unit), whole)
    return { step: common === 0 ? 1 : common, unit: wider }
  }
  return undefined
}

/** The greatest common divisor of two whole numbers; that of zero and a number is the number. */
const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))

/** The powers of ten that a double holds exactly. */
const UNITS: readonly number[] = Array.from({ length: 23 }, (_, digits) => Number(`1e${digits}`))
/** The product of a price and an inexact rate is less than half a tick wrong up to here: 10^15 has room. */
const WHOLE_MAX = 2 ** 50
