import { rounded } from './decimal.ts'
import type { Random } from './random.ts'

/** One funding settlement: what was paid, when, at which mark price. */
export interface Settlement {
  readonly rate: string
  /** Milliseconds UTC: the end of the period. */
  readonly timeMs: number
  readonly mark: string
}

const sampleMs = 1000

/**
 * The funding of one perpetual.
 *
 * The rate is the venues' own formula, premium + clamp(interest - premium, -0.05 %, 0.05 %), clamped to the
 * cap, over the mean premium of the period. At its end the rate is settled and the next period begins.
 */
export class Funding {
  readonly hours: number
  readonly periodMs: number
  /** Cap and floor of the rate. */
  readonly cap: number
  /** When the running period ends, milliseconds UTC. */
  nextMs: number
  /** The rate that would be settled now. */
  rate = '0.00010000'
  mark = 0
  readonly settled: Settlement[] = []
  #premium = 0
  #samples = 60

  constructor(hours: number, periodMs: number, cap: number, startMs: number) {
    this.hours = hours
    this.periodMs = periodMs
    this.cap = cap
    this.nextMs = (Math.floor(startMs / periodMs) + 1) * periodMs
  }

  /**
   * Past settlements, so that history can be asked for from the first moment. Each is drawn from its time, so
   * that two starts of one world remember the same.
   */
  remember(count: number, mark: number, random: Random): void {
    for (let i = count; i >= 1; i--) {
      const timeMs = this.nextMs - i * this.periodMs
      const past = random.fork(String(timeMs))
      const price = mark * (1 + past.normal() * 0.01)
      this.settled.push({ rate: this.#rated(past.normal() * 0.0004), timeMs, mark: rounded(price, 8) })
    }
  }

  /** Takes a sample, once a second. Returns the settlement when a period ended. */
  sample(nowMs: number, index: number, mid: number): Settlement | undefined {
    const settled = nowMs > this.nextMs ? this.#settle() : undefined
    this.mark = this.mark === 0 ? mid : this.mark + (mid - this.mark) * 0.1
    const premium = (mid - index) / index
    this.#samples += 1
    this.#premium += (premium - this.#premium) / this.#samples
    this.rate = this.#rated(this.#premium)
    return settled
  }

  #settle(): Settlement {
    const settlement = { rate: this.rate, timeMs: this.nextMs, mark: rounded(this.mark, 8) }
    this.settled.push(settlement)
    if (this.settled.length > 1000) this.settled.shift()
    this.nextMs += this.periodMs
    this.#samples = Math.min(60, Math.ceil(this.periodMs / sampleMs / 4))
    return settlement
  }

  #rated(premium: number): string {
    const interest = 0.0001 * (this.hours / 8)
    const rate = premium + clamp(interest - premium, 0.0005)
    return rounded(clamp(rate, this.cap), 8)
  }
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value))
}
