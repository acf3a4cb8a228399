/** What a REST call may cost at a venue. */
export interface Limit {
  readonly windowMs: number
  readonly weight: number
}

/** The verdict on one call. */
export interface Verdict {
  readonly used: number
  readonly allowed: boolean
  /** True when the client was told to stop and went on: the venue bans it. */
  readonly banned: boolean
  readonly retryAfterSeconds: number
}

/** Refused calls after which a client that goes on is banned. */
const patience = 10
const banMs = 120_000

/** The request weight of one client at one venue, counted in windows aligned to the clock. */
export class Weight {
  readonly #limit: Limit
  #window = -1
  #used = 0
  #refused = 0
  #bannedUntilMs = 0

  constructor(limit: Limit) {
    this.#limit = limit
  }

  /** Charges one call. Refused calls cost weight too. */
  charge(weight: number, nowMs: number): Verdict {
    const { windowMs, weight: limit } = this.#limit
    const window = Math.floor(nowMs / windowMs)
    if (window !== this.#window) {
      this.#window = window
      this.#used = 0
      this.#refused = 0
    }
    this.#used += weight
    if (nowMs < this.#bannedUntilMs) return this.#verdict(false, true, this.#bannedUntilMs - nowMs)
    if (this.#used <= limit) return this.#verdict(true, false, 0)
    this.#refused += 1
    if (this.#refused > patience) this.#bannedUntilMs = nowMs + banMs
    const banned = this.#refused > patience
    return this.#verdict(false, banned, banned ? banMs : (window + 1) * windowMs - nowMs)
  }

  #verdict(allowed: boolean, banned: boolean, waitMs: number): Verdict {
    return { used: this.#used, allowed, banned, retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) }
  }
}
