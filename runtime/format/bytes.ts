/**
 * Bytes that grow while events are written one behind the other. A part that was cut stays as it is until
 * `clear`.
 */
export class Bytes {
  bytes = new Uint8Array(4096)
  length = 0
  #begin = 0

  /** What was cut is not needed any more. */
  clear(): void {
    this.length = 0
    this.#begin = 0
  }

  /** All that was written since the last cut. */
  cut(): Uint8Array {
    const part = this.bytes.subarray(this.#begin, this.length)
    this.#begin = this.length
    return part
  }

  /** Make room for so many bytes more: `bytes` may be others from then on. */
  room(more: number): void {
    if (this.length + more <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(this.length + more, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }

  byte(value: number): void {
    this.room(1)
    this.bytes[this.length++] = value
  }

  /** Copy bytes from there. */
  copy(from: Uint8Array, start = 0, end = from.length): void {
    this.room(end - start)
    const to = this.bytes
    let at = this.length
    for (let i = start; i < end; i++) to[at++] = from[i]!
    this.length = at
  }

  /** A text of ASCII alone. */
  ascii(text: string): void {
    this.room(text.length)
    const to = this.bytes
    let at = this.length
    for (let i = 0; i < text.length; i++) to[at++] = text.charCodeAt(i)
    this.length = at
  }
}
