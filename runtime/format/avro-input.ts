import { unread } from './unread.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const LOW_BITS = 28

/** The bytes of one event of Avro while they are read. Throws KT3001 where they end early, or cannot be. */
export class AvroInput {
  bytes: Uint8Array = new Uint8Array(0)
  at = 0
  #view = new DataView(this.bytes.buffer)
  readonly #schema: string

  /** `schema`: of whose events. */
  constructor(schema: string) {
    this.#schema = schema
  }

  /** Read these from `at` on. */
  open(bytes: Uint8Array, at: number): void {
    this.bytes = bytes
    this.at = at
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Nothing may be left. */
  close(): void {
    if (this.at !== this.bytes.length) this.refuse('Bytes are left over behind its last field.')
  }

  refuse(why: string): never {
    throw unread(this.#schema, why)
  }

  byte(): number {
    if (this.at >= this.bytes.length) this.refuse('Its bytes end within a field.')
    return this.bytes[this.at++]!
  }

  /** A `long` that a double holds exactly. */
  long(): number {
    let [low, rest, more] = [0, 0, true]
    for (let i = 0; more; i++) {
      if (i === 10) this.refuse('An integer of it has more than ten bytes.')
      const byte = this.byte()
      if (i < 4) low |= (byte & 0x7f) << (7 * i)
      else rest += (byte & 0x7f) * 2 ** (7 * i - LOW_BITS)
      more = byte > 0x7f
    }
    const half = (low >>> 1) + rest * 2 ** (LOW_BITS - 1)
    const value = (low & 1) === 0 ? half : -half - 1
    return Number.isSafeInteger(value) ? value : this.refuse('An integer of it is beyond 2^53.')
  }

  int(): number {
    const value = this.long()
    return value === (value | 0) ? value : this.refuse('An int of it has more than 32 bits.')
  }

  double(): number {
    this.#skip(8)
    return this.#view.getFloat64(this.at - 8, true)
  }

  float(): number {
    this.#skip(4)
    return this.#view.getFloat32(this.at - 4, true)
  }

  flag(): boolean {
    const byte = this.byte()
    return byte > 1 ? this.refuse(`A boolean of it is ${byte}.`) : byte === 1
  }

  /** Go behind a string; returns where it begins. It is UTF-8. */
  text(): number {
    const length = this.long()
    const from = this.at
    this.#skip(length)
    for (let i = from; i < this.at; i++) if (this.bytes[i]! > 0x7f) return this.#checked(from)
    return from
  }

  /** The number of items of the next block of an array, each of at least so many bytes; 0: it has ended. */
  block(itemBytes: number): number {
    const count = this.long()
    // A negative one is followed by the bytes of the block, for those who skip it.
    if (count < 0) this.long()
    if (Math.abs(count) * itemBytes > this.bytes.length - this.at)
      this.refuse('A list of it is longer than its bytes.')
    return Math.abs(count)
  }

  #skip(length: number): void {
    if (length < 0 || length > this.bytes.length - this.at) this.refuse('Its bytes end within a field.')
    this.at += length
  }

  #checked(from: number): number {
    try {
      decoder.decode(this.bytes.subarray(from, this.at))
      return from
    } catch {
      return this.refuse('A string of it is not UTF-8.')
    }
  }
}
