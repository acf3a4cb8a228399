/**
 * What may still be asked of a venue in this window. Windows are aligned to the clock, as the venues count
 * them; a refusal closes it until the venue's own time.
 */
export class Budget {
  readonly #weight: number
  readonly #windowUs: number
  #window = -1
  #used = 0
  #closedUntil = 0

  /** @param weight what may be used in a window of `everyMs`. */
  constructor(weight: number, everyMs: number) {
    this.#weight = Math.max(1, Math.floor(weight))
    this.#windowUs = everyMs * 1000
  }

  /**
   * Milliseconds to wait before this may be asked; 0: now, and it is counted. A weight beyond a whole window
   * takes one.
   */
  take(weight: number, now: number): number {
    if (now < this.#closedUntil) return Math.ceil((this.#closedUntil - now) / 1000)
    const window = Math.floor(now / this.#windowUs)
    if (window !== this.#window) {
      this.#window = window
      this.#used = 0
    }
    if (this.#used > 0 && this.#used + weight > this.#weight) {
      return Math.max(1, Math.ceil(((window + 1) * this.#windowUs - now) / 1000))
    }
    this.#used += weight
    return 0
  }

  /** The venue said how much was used, by all who share this address. */
  said(used: number): void {
    this.#used = Math.max(this.#used, used)
  }

  /** Ask nothing for a while. */
  close(forMs: number, now: number): void {
    this.#closedUntil = Math.max(this.#closedUntil, now + forMs * 1000)
  }

  /** Can a window bear this much? */
  bears(weight: number): boolean {
    return weight <= this.#weight
  }
}
