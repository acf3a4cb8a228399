/**
 * The text of `units` counted in 10^-decimals: `fixed(812, 8)` is `0.00000812`.
 *
 * All prices and sizes of the simulation are integers until they are written, so no text ever shows a
 * rounding error.
 */
export function fixed(units: number | bigint, decimals: number): string {
  if (decimals === 0) return String(units)
  const sign = units < 0 ? '-' : ''
  const digits = String(units < 0 ? -units : units).padStart(decimals + 1, '0')
  const cut = digits.length - decimals
  return `${sign}${digits.slice(0, cut)}.${digits.slice(cut)}`
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
