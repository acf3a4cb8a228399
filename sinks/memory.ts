import { padded } from '../graph/layout.ts'

/** Where the columns of a batch are put. What lies there before is left. */
export interface Memory {
  readonly bytes: (length: number) => Uint8Array<ArrayBuffer>
}

/** For batches that are kept. */
export const fresh: Memory = { bytes: (length) => new Uint8Array(length) }

/** More than this is not held for the next batch, bytes. */
const HELD_MAX = 48 << 20

/** For batches that nobody keeps: each lies where the last one lay. */
export class Arena implements Memory {
  #whole = new Uint8Array(0)
  #used = 0
  #missed = 0

  bytes(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#used
    if (at + length > this.#whole.length) {
      this.#missed += padded(length)
      return new Uint8Array(length)
    }
    this.#used = at + padded(length)
    return this.#whole.subarray(at, at + length)
  }

  /** The last batch is done with. */
  reset(): void {
    const wanted = this.#used + this.#missed
    if (this.#missed > 0 && wanted <= HELD_MAX) this.#whole = new Uint8Array(wanted)
    this.#used = 0
    this.#missed = 0
  }
}
