/** Powers of ten that a double holds exactly; typed, as a frozen list would hold objects. */
export const POWERS = Float64Array.from({ length: 23 }, (_, at) => Number(`1e${at}`))

/**
 * The closing quote of a text that begins at `at`; -1 when it is not plain ASCII, or has an escape. The bytes
 * must end in a zero.
 */
export const textEnd = (bytes: Uint8Array, at: number): number => {
  for (let i = at; ; i++) {
    const byte = bytes[i]!
    if (byte === 0x22) return i
    if (byte < 0x20 || byte === 0x5c || byte > 0x7e) return -1
  }
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
