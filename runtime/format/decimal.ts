import type { Bytes } from './bytes.ts'

const DIGITS_MAX = 1e15
const PLACES_MAX = 8
const HALF = 1e8
const POWERS = Array.from({ length: 17 }, (_, places) => 10 ** places)
const [ZERO, POINT, MINUS] = [0x30, 0x2e, 0x2d]
const LENGTH_MAX = 20

/**
 * Write a number with the fewest digits that read back as the same double; what JSON has no number for is a
 * text. Decimals of a few places, as prices are, are found by trying.
 */
export const putNumber = (to: Bytes, value: number): void => {
  const size = Math.abs(value)
  for (let places = 0; places <= PLACES_MAX; places++) {
    const whole = Math.round(size * POWERS[places]!)
    if (whole >= DIGITS_MAX) break
    // Of up to fifteen digits no others are the same double.
    if (whole / POWERS[places]! === size)
      return putDecimal(to, value < 0 || Object.is(value, -0), whole, places)
  }
  to.ascii(Number.isFinite(value) ? String(value) : `"${value}"`)
}

/** Write a whole number that a double holds exactly. */
export const putWhole = (to: Bytes, value: number): void =>
  putDecimal(to, value < 0, value < 0 ? -value : value, 0)

/** A whole number of up to sixteen digits, with a point before its last ones. */
const putDecimal = (to: Bytes, negative: boolean, whole: number, places: number): void => {
  to.room(LENGTH_MAX)
  const { bytes } = to
  if (negative) bytes[to.length++] = MINUS
  let length = places + 1
  while (whole >= POWERS[length]!) length++
  let at = to.length + length + (places > 0 ? 1 : 0)
  to.length = at
  // In halves that the processor divides as integers.
  const upper = Math.floor(whole / HALF)
  let rest = whole - upper * HALF
  for (let digit = 0; digit < length; digit++) {
    if (digit === 8) rest = upper
    if (digit === places && places > 0) bytes[--at] = POINT
    const next = (rest / 10) | 0
    bytes[--at] = ZERO + rest - next * 10
    rest = next
  }
}
