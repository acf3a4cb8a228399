/** 10^n for the decimals that prices and sizes have. */
const powers: readonly number[] = Array.from({ length: 16 }, (_, n) => 10 ** n)

/**
 * The text of `units` counted in 10^-decimals: `fixed(812, 8)` is `0.00000812`.
 *
 * All prices and sizes of the simulation are integers until they are written, so no text ever shows a
 * rounding error. A third of all simulating is writing numbers, so a number is split by arithmetic: its
 * fraction with a 1 before it has all its zeros as text.
 */
export function fixed(units: number | bigint, decimals: number): string {
  if (decimals === 0) return String(units)
  if (typeof units === 'bigint') return fixedWhole(units, decimals)
  const size = units < 0 ? -units : units
  if (size > Number.MAX_SAFE_INTEGER) return fixedWhole(BigInt(units), decimals)
  const power = powers[decimals] ?? 10 ** decimals
  const fraction = size % power
  const text = `${(size - fraction) / power}.${String(fraction + power).slice(1)}`
  return units < 0 ? `-${text}` : text
}

function fixedWhole(units: bigint, decimals: number): string {
  const digits = String(units < 0n ? -units : units).padStart(decimals + 1, '0')
  const cut = digits.length - decimals
  return `${units < 0n ? '-' : ''}${digits.slice(0, cut)}.${digits.slice(cut)}`
}

/** As `fixed`, without zeros at the end: `trimmed(6514000, 2)` is `65140`. */
export function trimmed(units: number, decimals: number): string {
  const text = fixed(units, decimals)
  if (decimals === 0) return text
  let end = text.length
  while (text.charCodeAt(end - 1) === 48) end--
  if (text.charCodeAt(end - 1) === 46) end--
  return text.slice(0, end)
}

/** The text of a measured value (index price, funding rate) rounded to `decimals`. */
export function rounded(value: number, decimals: number): string {
  return fixed(Math.round(value * 10 ** decimals), decimals)
}
