import { constants, inflateRawSync } from 'node:zlib'
import { PADDING } from '../socket-frame.ts'
import type { Fault } from '../socket-frame.ts'

/** A message may refer back so far into those before it; bytes. */
const WINDOW = 32_768
/** The end of a block, which a sender leaves away: https://www.rfc-editor.org/rfc/rfc7692#section-7.2.1 */
const TRAILER = Uint8Array.of(0, 0, 0xff, 0xff)
const OUTPUT_BYTES_MIN = 4 * WINDOW

/**
 * Inflates the messages of one connection, each in one synchronous call, so that their order is that of the
 * frames. What came out last is the dictionary of the next call: a zlib stream kept open could only be used
 * asynchronously, message after message through the thread pool.
 */
export class Inflater {
  readonly #bytesMax: number
  /** Messages build upon one another. */
  readonly #takeover: boolean
  #input = new Uint8Array(4096)
  /** The last window's worth of bytes that came out, and room behind it. */
  #output = new Uint8Array(OUTPUT_BYTES_MIN)
  #from = 0
  #to = 0

  constructor(bytesMax: number, takeover: boolean) {
    this.#bytesMax = bytesMax
    this.#takeover = takeover
  }

  /** Where the last message lies: `output` from `from` to `to`, until the next call. */
  get output(): Uint8Array {
    return this.#output
  }

  get from(): number {
    return this.#from
  }

  get to(): number {
    return this.#to
  }

  /** Returns why the connection must fail, or undefined. Never more than the limit comes out of zlib. */
  take(bytes: Uint8Array, from: number, to: number): Fault | undefined {
    const input = this.#framed(bytes, from, to)
    const dictionary = this.#output.subarray(Math.max(0, this.#to - WINDOW), this.#to)
    try {
      const made = inflateRawSync(input, {
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: this.#bytesMax,
        ...(this.#takeover && dictionary.length > 0 ? { dictionary } : {}),
      })
      this.#append(made)
      return undefined
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException
      return code === 'ERR_BUFFER_TOO_LARGE'
        ? { code: 1009, reason: `a message was longer than ${this.#bytesMax} bytes` }
        : { code: 1007, reason: `a message does not inflate: ${message}` }
    }
  }

  #framed(bytes: Uint8Array, from: number, to: number): Uint8Array {
    const length = to - from + TRAILER.length
    if (this.#input.length < length) this.#input = new Uint8Array(2 * length)
    this.#input.set(bytes.subarray(from, to))
    this.#input.set(TRAILER, to - from)
    return this.#input.subarray(0, length)
  }

  #append(made: Uint8Array): void {
    if (this.#to + made.length + PADDING > this.#output.length) this.#slide(made.length)
    this.#from = this.#to
    this.#to += made.length
    this.#output.set(made, this.#from)
  }

  /** Begin again in front, with the window; after an unusually long message, with less memory. */
  #slide(bytes: number): void {
    const from = this.#takeover ? Math.max(0, this.#to - WINDOW) : this.#to
    const size = Math.max(OUTPUT_BYTES_MIN, WINDOW + bytes + PADDING)
    const output = size === this.#output.length ? this.#output : new Uint8Array(size)
    output.set(this.#output.subarray(from, this.#to))
    this.#to -= from
    this.#output = output
  }
}
