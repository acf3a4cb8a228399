/**
 * Checks UTF-8 as its bytes come, in pieces that may end within a character: no overlong forms, no halves of
 * surrogate pairs, nothing above U+10FFFF. See https://www.rfc-editor.org/rfc/rfc3629#section-4
 */
export class Utf8Check {
  /** How many bytes of the present character are still to come. */
  #rest = 0
  /** Bounds of the next of them: only the first one's differ from those of any continuation byte. */
  #low = 0x80
  #high = 0xbf

  /** False as soon as a byte cannot belong to UTF-8, whatever would come after it. */
  take(bytes: Uint8Array, from: number, to: number): boolean {
    let at = from
    while (at < to) {
      const byte = bytes[at]!
      at += 1
      if (this.#rest > 0) {
        if (byte < this.#low || byte > this.#high) return false
        this.#rest -= 1
        this.#low = 0x80
        this.#high = 0xbf
      } else if (byte > 0x7f && !this.#begin(byte)) return false
    }
    return true
  }

  /** True when the last character was complete. The next piece begins a new text. */
  end(): boolean {
    const complete = this.#rest === 0
    this.#rest = 0
    this.#low = 0x80
    this.#high = 0xbf
    return complete
  }

  #begin(byte: number): boolean {
    if (byte < 0xc2 || byte > 0xf4) return false
    this.#rest = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
    if (byte === 0xe0) this.#low = 0xa0
    else if (byte === 0xed) this.#high = 0x9f
    else if (byte === 0xf0) this.#low = 0x90
    else if (byte === 0xf4) this.#high = 0x8f
    return true
  }
}
