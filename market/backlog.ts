import type { Levels } from './book.ts'

/** A change of a book that waits for a snapshot. */
export interface Pending extends Levels {
  readonly first: number
  readonly last: number
}

const CHANGES_MAX = 10_000
const LEVELS_MAX = 200_000

/**
 * Changes without a hole between them, oldest first. It is bounded: beyond its bounds it forgets the oldest,
 * so that only a newer snapshot will do. What it holds are copies, for a row is only lent.
 */
export class Backlog {
  #changes: Pending[] = []
  #levels = 0

  /** The first id that it holds. */
  get first(): number | undefined {
    return this.#changes[0]?.first
  }

  get changes(): readonly Pending[] {
    return this.#changes
  }

  add({ bidPrices, bidSizes, askPrices, askSizes }: Levels, first: number, last: number): void {
    this.#put({
      first,
      last,
      bidPrices: Array.from(bidPrices),
      bidSizes: Array.from(bidSizes),
      askPrices: Array.from(askPrices),
      askSizes: Array.from(askSizes),
    })
  }

  clear(): void {
    this.#changes = []
    this.#levels = 0
  }

  save(): readonly Pending[] {
    return [...this.#changes]
  }

  load(saved: readonly Pending[]): void {
    this.clear()
    for (const change of saved) this.#put(change)
  }

  #put(change: Pending): void {
    this.#changes.push(change)
    this.#levels += levelsOf(change)
    while (this.#changes.length > 1 && (this.#changes.length > CHANGES_MAX || this.#levels > LEVELS_MAX)) {
      this.#levels -= levelsOf(this.#changes.shift()!)
    }
  }
}

const levelsOf = (change: Pending): number => change.bidPrices.length + change.askPrices.length
