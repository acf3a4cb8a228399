/** Bytes that grow. Kernels ask for room and write into `bytes` themselves; the view follows the bytes. */
export class Bytes {
  bytes = new Uint8Array(1 << 12)
  view = new DataView(this.bytes.buffer)
  used = 0

  /** Room for so many bytes behind those that are used. */
  room(more: number): void {
    if (this.used + more <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(2 * this.bytes.length, this.used + more))
    grown.set(this.bytes.subarray(0, this.used))
    this.bytes = grown
    this.view = new DataView(grown.buffer)
  }

  put(byte: number): void {
    this.room(1)
    this.bytes[this.used++] = byte
  }

  set(bytes: Uint8Array): void {
    this.room(bytes.length)
    this.bytes.set(bytes, this.used)
    this.used += bytes.length
  }

  int32(value: number): void {
    this.room(4)
    this.view.setInt32(this.used, value, true)
    this.used += 4
  }

  /** ULEB128 of a whole number up to 2^54. */
  varint(value: number): void {
    let rest = value
    while (rest > 0x7f) {
      this.put((rest % 128) | 0x80)
      rest = Math.floor(rest / 128)
    }
    this.put(rest)
  }

  /** A signed whole number up to 2^53, small ones of either sign in few bytes. */
  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value)
  }

  /** Any signed 64-bit integer. */
  zigzag64(value: bigint): void {
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    while (rest > 0x7fn) {
      this.put(Number(rest & 0x7fn) | 0x80)
      rest >>= 7n
    }
    this.put(Number(rest))
  }

  /** A copy of what was written since `begin`. */
  copy(begin = 0): Uint8Array {
    return this.bytes.slice(begin, this.used)
  }
}
