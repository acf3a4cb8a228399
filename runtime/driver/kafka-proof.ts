import { HostError } from '../../graph/error.ts'

/** That topics are those that were first used: asked again once a second, while they are used. */
export class Proof {
  readonly #check: () => Promise<void>
  /** As of when they were. */
  #at = -Infinity
  #askedAt = -Infinity
  #asking: Promise<void> | undefined
  #lost: HostError | undefined

  /** `check` rejects with KT3035, and with KT3031 while nobody says. */
  constructor(check: () => Promise<void>) {
    this.#check = check
  }

  /** Throws KT3035 once that is known, and waits for nothing. */
  glance(): void {
    if (this.#lost !== undefined) throw this.#lost
    if (performance.now() - this.#askedAt >= ASK_MS) this.#ask().catch(() => undefined)
  }

  /** Asks on while something is done that never ends where they are gone, unless what it calls ends it. */
  async during<T>(work: (check: () => void) => Promise<T>): Promise<T> {
    const timer = setInterval(() => this.#ask().catch(() => undefined), ASK_MS)
    try {
      return await work(() => this.glance())
    } finally {
      clearInterval(timer)
    }
  }

  /** Rejects with KT3035 once that is known, however long the work takes. */
  async beside<T>(work: Promise<T>): Promise<T> {
    const lost = Promise.withResolvers<never>()
    const ask = (): void => void this.#ask().catch(() => this.#lost && lost.reject(this.#lost))
    const timer = setInterval(ask, ASK_MS)
    try {
      return await Promise.race([work, lost.promise])
    } finally {
      clearInterval(timer)
    }
  }

  /** They were so a second ago at most. Rejects as `check` does. */
  async fresh(): Promise<true> {
    if (this.#lost !== undefined) throw this.#lost
    if (performance.now() - this.#at >= ASK_MS) await this.#ask()
    return true
  }

  #ask(): Promise<void> {
    this.#asking ??= this.#asked()
    return this.#asking
  }

  async #asked(): Promise<void> {
    const now = performance.now()
    this.#askedAt = now
    try {
      await this.#check()
      this.#at = now
    } catch (error) {
      this.#at = -Infinity
      if (error instanceof HostError && error.retry === 'never') this.#lost = error
      throw error
    } finally {
      this.#asking = undefined
    }
  }
}

const ASK_MS = 1000
