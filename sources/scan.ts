const QUOTE = 0x22
const ESCAPE = 0x5c

/**
 * Find the text of a top-level key of a JSON object without parsing it. Returns the bytes between its quotes,
 * or undefined when the key is not there, has another kind of value, or the bytes are no object. A text with
 * an escape is not found: topics have none.
 */
export const textOfKey = (bytes: Uint8Array, key: Uint8Array): Uint8Array | undefined => {
  let at = blank(bytes, 0)
  if (bytes[at] !== 0x7b) return undefined
  at = blank(bytes, at + 1)
  while (bytes[at] === QUOTE) {
    const end = closing(bytes, at)
    if (end < 0) return undefined
    const found = same(bytes, at + 1, end, key)
    at = blank(bytes, end + 1)
    if (bytes[at] !== 0x3a) return undefined
    at = blank(bytes, at + 1)
    if (found) return plain(bytes, at)
    at = blank(bytes, past(bytes, at))
    if (bytes[at] !== 0x2c) return undefined
    at = blank(bytes, at + 1)
  }
  return undefined
}

const plain = (bytes: Uint8Array, at: number): Uint8Array | undefined => {
  if (bytes[at] !== QUOTE) return undefined
  const end = closing(bytes, at)
  if (end < 0) return undefined
  for (let i = at + 1; i < end; i++) if (bytes[i] === ESCAPE) return undefined
  return bytes.subarray(at + 1, end)
}

const blank = (bytes: Uint8Array, from: number): number => {
  let at = from
  while (at < bytes.length && (bytes[at] as number) <= 0x20) at += 1
  return at
}

/** The closing quote of the text that opens at `open`; -1 when there is none. */
const closing = (bytes: Uint8Array, open: number): number => {
  let at = open + 1
  while (at < bytes.length) {
    const byte = bytes[at]
    if (byte === QUOTE) return at
    at += byte === ESCAPE ? 2 : 1
  }
  return -1
}

/** The first byte after the value that begins at `from`. */
const past = (bytes: Uint8Array, from: number): number => {
  let [at, depth] = [from, 0]
  while (at < bytes.length) {
    const byte = bytes[at]
    if (byte === QUOTE) {
      const end = closing(bytes, at)
      if (end < 0) return bytes.length
      at = end
    } else if (byte === 0x7b || byte === 0x5b) depth += 1
    else if (byte === 0x7d || byte === 0x5d || byte === 0x2c) {
      if (depth === 0) return at
      if (byte !== 0x2c) depth -= 1
    }
    at += 1
  }
  return at
}

const same = (bytes: Uint8Array, from: number, to: number, key: Uint8Array): boolean => {
  if (to - from !== key.length) return false
  for (let i = 0; i < key.length; i++) if (bytes[from + i] !== key[i]) return false
  return true
}
