import type { Answer } from '../graph/port.ts'
import type { SourceHost } from '../graph/source.ts'
import { remedy, waitMs } from './backoff.ts'
import { Budget } from './budget.ts'
import type { MarketRules } from './venue.ts'

/** An answer that can be used, or how long to leave the venue in peace. */
type Result = { readonly answer: Answer } | { readonly waitMs: number; readonly gone: boolean }

/**
 * The REST side of one market: every request waits for the weight budget, and a refusal closes it for a
 * while.
 */
export class Rest {
  readonly budget: Budget
  readonly #market: MarketRules
  readonly #host: SourceHost
  readonly #base: string
  #closed = false

  constructor(market: MarketRules, host: SourceHost, base: string) {
    const { weight, everyMs, share } = market.rest.budget
    this.budget = new Budget(weight * share, everyMs)
    this.#market = market
    this.#host = host
    this.#base = base
  }

  get closed(): boolean {
    return this.#closed
  }

  close(): void {
    this.#closed = true
  }

  /** Ask once. The caller has taken the weight from the budget. */
  async ask(path: string, tries: number): Promise<Result> {
    const { net, clock, random, note } = this.#host
    const answer = await net.get(`${this.#base}${path}`, this.#market.rest.timeoutMs)
    const used = Number(answer.headers['x-mbx-used-weight-1m'] ?? 0)
    if (used > 0) this.budget.said(used * 0.9)
    if (answer.status >= 200 && answer.status < 300) return { answer }
    const refusal = { status: answer.status, retryAfterS: Number(answer.headers['retry-after'] ?? 0) }
    const afterMs = waitMs(tries, refusal, random)
    if ([403, 418, 429, 451].includes(answer.status)) this.budget.close(afterMs, clock.now())
    const fix = remedy(refusal, tries)
    const gone = answer.status === 400 || answer.status === 404
    const passing = tries === 0 && (answer.status === 0 || answer.status >= 500)
    note(this.#closed || gone ? 'debug' : passing ? 'info' : 'warn', 'request was refused', {
      source: this.#market.name,
      path,
      status: answer.status,
      why: answer.why,
      retryAfterMs: afterMs,
      ...(fix === '' ? {} : { fix }),
    })
    return { waitMs: afterMs, gone }
  }

  /**
   * Ask until there is an answer. Undefined when the source was closed, or when the venue has no such thing.
   */
  async until(path: string, weight: number): Promise<Answer | undefined> {
    for (let tries = 0; !this.#closed; tries++) {
      await this.budgeted(weight)
      if (this.#closed) return undefined
      const result = await this.ask(path, tries)
      if ('answer' in result) return result.answer
      if (result.gone) return undefined
      await this.sleep(result.waitMs)
    }
    return undefined
  }

  /** Wait until the budget bears this. */
  async budgeted(weight: number): Promise<void> {
    for (;;) {
      const wait = this.#closed ? 0 : this.budget.take(weight, this.#host.clock.now())
      if (wait === 0) return
      await this.sleep(wait)
    }
  }

  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => void this.#host.clock.after(ms, resolve))
  }
}
