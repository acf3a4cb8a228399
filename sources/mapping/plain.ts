/** Powers of ten that a double holds exactly; typed, as a frozen list would hold objects. */
export const POWERS = Float64Array.from({ length: 23 }, (_, at) => Number(`1e${at}`))

/** Where `readDecimal` says how many digits stand before and after the point. */
const BEFORE = 0
const AFTER = 1

/**
 * The end of a decimal that begins at `at`, or -1 when there is none that a double holds to its last digit:
 * it is the double nearest to the text, as up to fifteen digits are divided once by a power of ten that is
 * exact. The value goes to `value[0]`. The bytes must end in a zero.
 *
 * @see https://dl.acm.org/doi/10.1145/93542.93557
 */
export const readDecimal = (
  bytes: Uint8Array,
  at: number,
  value: Float64Array,
  digits: Int32Array,
): number => {
  const from = bytes[at] === 0x2d ? at + 1 : at
  const whole = digitsEnd(bytes, from)
  if (whole === from) return -1
  let sum = added(bytes, from, whole, 0)
  let end = whole
  if (bytes[whole] === 0x2e) {
    end = digitsEnd(bytes, whole + 1)
    if (end === whole + 1 || end - whole > POWERS.length) return -1
    sum = added(bytes, whole + 1, end, sum)
  }
  if (sum >= 1e15) return -1
  const after = Math.max(end - whole - 1, 0)
  digits[BEFORE] = whole - from
  digits[AFTER] = after
  value[0] = (from > at ? -sum : sum) / POWERS[after]!
  return end
}

const added = (bytes: Uint8Array, from: number, to: number, before: number): number => {
  let sum = before
  for (let i = from; i < to; i++) sum = sum * 10 + (bytes[i]! - 0x30)
  return sum
}

const digitsEnd = (bytes: Uint8Array, at: number): number => {
  let i = at
  while (bytes[i]! >= 0x30 && bytes[i]! <= 0x39) i++
  return i
}

/**
 * The end of a JSON number that begins at `at`, or -1.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8259#section-6
 */
export const numberEnd = (bytes: Uint8Array, at: number): number => {
  const from = bytes[at] === 0x2d ? at + 1 : at
  let i = digitsEnd(bytes, from)
  if (i === from || (bytes[from] === 0x30 && i > from + 1)) return -1
  if (bytes[i] === 0x2e) {
    const point = i + 1
    i = digitsEnd(bytes, point)
    if (i === point) return -1
  }
  if (bytes[i] === 0x65 || bytes[i] === 0x45) {
    const sign = bytes[i + 1] === 0x2b || bytes[i + 1] === 0x2d ? i + 2 : i + 1
    i = digitsEnd(bytes, sign)
    if (i === sign) return -1
  }
  return i
}
