import { sameBytes } from '../graph/byte-map.ts'

const QUOTE = 0x22
const ESCAPE = 0x5c

/**
 * Finds the text of a top-level key of a JSON object without parsing it. It remembers where, so that nothing
 * is made of a message that only has to be known by its topic.
 */
export class KeyFinder {
  /** Where the text stood that was found last. */
  from = 0
  to = 0
  readonly #key: Uint8Array
  /** How nearly all messages begin. */
  readonly #lead: Uint8Array

  constructor(key: string) {
    this.#key = new TextEncoder().encode(key)
    this.#lead = new TextEncoder().encode(`{"${key}":"`)
  }

  /**
   * False when the key is not there, has another kind of value, or the bytes are no object. A text with an
   * escape is not found: topics have none.
   */
  find(bytes: Uint8Array, from = 0, to = bytes.length): boolean {
    const found = this.#find(bytes, from)
    // What was read behind the message is the next one.
    return found && this.to < to
  }

  #find(bytes: Uint8Array, from: number): boolean {
    const { length } = this.#lead
    if (sameBytes(bytes, from, from + length, this.#lead)) return this.#plain(bytes, from + length - 1)
    let at = blank(bytes, from)
    if (bytes[at] !== 0x7b) return false
    at = blank(bytes, at + 1)
    while (bytes[at] === QUOTE) {
      const end = closing(bytes, at)
      if (end < 0) return false
      const found = sameBytes(bytes, at + 1, end, this.#key)
      at = blank(bytes, end + 1)
      if (bytes[at] !== 0x3a) return false
      at = blank(bytes, at + 1)
      if (found) return this.#plain(bytes, at)
      at = blank(bytes, past(bytes, at))
      if (bytes[at] !== 0x2c) return false
      at = blank(bytes, at + 1)
    }
    return false
  }

  #plain(bytes: Uint8Array, at: number): boolean {
    const end = bytes[at] === QUOTE ? closing(bytes, at) : -1
    for (let i = at + 1; i < end; i++) if (bytes[i] === ESCAPE) return false
    this.from = at + 1
    this.to = end
    return end >= 0
  }
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
