/** A time in which brokers did not take what a shard wrote. */
export interface OutageChange {
  readonly state: 'begun' | 'over'
  readonly shard: string
  /** Why the first try failed. */
  readonly error: unknown
  /** How long it has lasted, milliseconds. */
  readonly lastedMs: number
}

/** Tells of tries that fail, however many, once; and once of the first that does not. */
export class Outage {
  readonly #shard: string
  readonly #report: (change: OutageChange) => void
  #first: { readonly error: unknown; readonly at: number } | undefined

  constructor(shard: string, report: (change: OutageChange) => void) {
    this.#shard = shard
    this.#report = report
  }

  /** It will be tried again. */
  failed(error: unknown): void {
    if (this.#first !== undefined) return
    this.#first = { error, at: performance.now() }
    this.#report({ state: 'begun', shard: this.#shard, error, lastedMs: 0 })
  }

  over(): void {
    if (this.#first === undefined) return
    const { error, at } = this.#first
    this.#first = undefined
    this.#report({ state: 'over', shard: this.#shard, error, lastedMs: performance.now() - at })
  }
}
