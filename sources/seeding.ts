import type { SourceHost } from '../graph/source.ts'
import { waitMs } from './backoff.ts'
import { keyOf } from './inlet.ts'
import type { InletLine } from './inlet.ts'
import type { Intake } from './intake.ts'
import type { Rest } from './rest.ts'
import type { SeedRules } from './venue.ts'

interface Ask {
  readonly symbol: string
  readonly channel: string
  readonly rules: SeedRules
  tries: number
  notBefore: number
}

/** Snapshots asked for at once. */
const TOGETHER = 4

/**
 * Books that must begin, in a queue under the weight budget: the most active first, and each again until it
 * fits its stream.
 */
export class Seeding {
  readonly #rest: Rest
  readonly #host: SourceHost
  readonly #intake: Intake
  readonly #waiting = new Map<string, Ask>()
  readonly #line: InletLine = { connection: 0, epoch: 0, frames: 0 }
  #running = 0
  #cancel: () => void = () => {}

  constructor(rest: Rest, host: SourceHost, intake: Intake) {
    this.#rest = rest
    this.#host = host
    this.#intake = intake
  }

  /** A book has a hole, or has just begun to speak. */
  want(symbol: string, channel: string, rules: SeedRules): void {
    const key = `${channel} ${symbol}`
    if (this.#waiting.has(key)) return
    // The stream must be ahead of the snapshot, or the snapshot would leave a hole before it.
    const notBefore = this.#host.clock.now() + 200_000
    this.#waiting.set(key, { symbol, channel, rules, tries: 0, notBefore })
    this.#pump()
  }

  drop(symbol: string, channel: string): void {
    this.#waiting.delete(`${channel} ${symbol}`)
  }

  get waiting(): number {
    return this.#waiting.size
  }

  #pump(): void {
    this.#cancel()
    if (this.#rest.closed) return
    const now = this.#host.clock.now()
    let laterUs = Infinity
    while (this.#running < TOGETHER) {
      const ask = this.#busiest(now)
      if (ask === undefined) break
      const choice = this.#choice(ask.rules)
      const wait = this.#rest.budget.take(choice.weight, now)
      if (wait > 0) {
        laterUs = wait * 1000
        break
      }
      ask.notBefore = Infinity
      this.#running += 1
      void this.#seed(ask, choice.limit)
    }
    // What is due now is looked at when an answer comes or the budget opens; a timer is for what is due
    // later.
    for (const { notBefore } of this.#waiting.values()) {
      if (notBefore > now) laterUs = Math.min(laterUs, notBefore - now)
    }
    if (Number.isFinite(laterUs)) {
      this.#cancel = this.#host.clock.after(Math.ceil(laterUs / 1000), () => this.#pump())
    }
  }

  #busiest(now: number): Ask | undefined {
    let [best, frames]: [Ask | undefined, number] = [undefined, -1]
    for (const ask of this.#waiting.values()) {
      const run = this.#intake.run(keyOf(ask.channel, ask.symbol))
      if (ask.notBefore > now || run.frames <= frames) continue
      best = ask
      frames = run.frames
    }
    return best
  }

  /** The deepest snapshot that all who wait can have within one window. */
  #choice(rules: SeedRules): SeedRules['choices'][number] {
    const fits = rules.choices.find(({ weight }) => this.#rest.budget.bears(weight * this.#waiting.size))
    return fits ?? (rules.choices.at(-1) as SeedRules['choices'][number])
  }

  async #seed(ask: Ask, limit: number): Promise<void> {
    const { symbol, channel } = ask
    const key = `${channel} ${symbol}`
    const result = await this.#rest.ask(ask.rules.path(symbol, limit), ask.tries)
    this.#running -= 1
    if (this.#waiting.get(key) === ask && !this.#rest.closed) {
      const inlet = this.#intake.inlet(channel, symbol, this.#line)
      const fits =
        'answer' in result && this.#intake.seed(inlet, result.answer.body, result.answer.received, limit)
      if (fits) this.#waiting.delete(key)
      else {
        const none = { status: 0, retryAfterS: 0 }
        const afterMs = 'answer' in result ? waitMs(ask.tries, none, this.#host.random) : result.waitMs
        ask.tries += 1
        ask.notBefore = this.#host.clock.now() + afterMs * 1000
      }
    }
    this.#pump()
  }
}
