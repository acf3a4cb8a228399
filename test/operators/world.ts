import type { BookDelta } from '../../market/event.ts'
import { MIDNIGHT, delta, snapshot, whole } from './rows.ts'
import type { Side } from './rows.ts'

/** What is true of a book at one id. */
export interface Truth {
  readonly id: number
  readonly bids: readonly (readonly [price: number, size: number])[]
  readonly asks: readonly (readonly [price: number, size: number])[]
}

/**
 * A venue's book that lives by itself: every change it sends, and the truth after each. It knows nothing of
 * operators.
 */
export class World {
  readonly truths: Truth[] = []
  readonly at = new Map<number, Truth>()
  readonly changes: BookDelta[] = []
  readonly #random: (n: number) => number
  readonly #bids = new Map<number, number>()
  readonly #asks = new Map<number, number>()
  #middle = 1_000

  constructor(random: (n: number) => number) {
    this.#random = random
    for (let i = 1; i <= 12; i++) {
      this.#bids.set(this.#middle - i, i)
      this.#asks.set(this.#middle + i, i)
    }
    this.truths.push(this.#truth(100))
    this.changes.push(delta(100, 100, {}, {}))
  }

  /** The index of the newest truth. */
  get newest(): number {
    return this.truths.length - 1
  }

  /**
   * Change the book: its change covers all ids since the one before, of which some are of no interest to it.
   */
  step(): BookDelta {
    const before = this.truths.at(-1)!.id
    const id = before + 1 + this.#random(4)
    const bids: Record<string, number> = {}
    const asks: Record<string, number> = {}
    this.#middle += this.#random(5) - 2
    for (const price of this.#bids.keys()) if (price >= this.#middle) bids[price] = 0
    for (const price of this.#asks.keys()) if (price <= this.#middle) asks[price] = 0
    for (let i = this.#random(4); i >= 0; i--) {
      bids[this.#middle - 1 - this.#random(12)] = this.#random(3) === 0 ? 0 : 1 + this.#random(9)
      asks[this.#middle + 1 + this.#random(12)] = this.#random(3) === 0 ? 0 : 1 + this.#random(9)
    }
    put(this.#bids, bids)
    put(this.#asks, asks)
    this.truths.push(this.#truth(id))
    const change = delta(before + 1, id, bids, asks, {
      time: MIDNIGHT + id * 1_000,
      received: MIDNIGHT + id * 1_000,
    })
    this.changes.push(change)
    return change
  }

  /** The venue's answer to a request that reached it when the truth of that index was the newest. */
  answer(index: number, horizon: number): BookDelta {
    const { id, bids, asks } = this.truths[index]!
    const reach = horizon === 0 ? Infinity : horizon
    return snapshot(id, Object.fromEntries(bids.slice(0, reach)), Object.fromEntries(asks.slice(0, reach)), {
      horizon,
    })
  }

  /** The whole book within the stream. */
  whole(): BookDelta {
    const { id, bids, asks } = this.truths.at(-1)!
    return whole(id, Object.fromEntries(bids), Object.fromEntries(asks))
  }

  #truth(id: number): Truth {
    const truth = {
      id,
      bids: [...this.#bids].sort(([a], [b]) => b - a),
      asks: [...this.#asks].sort(([a], [b]) => a - b),
    }
    this.at.set(id, truth)
    return truth
  }
}

const put = (side: Map<number, number>, changes: Side): void => {
  for (const [price, size] of Object.entries(changes)) {
    if (size === 0) side.delete(Number(price))
    else side.set(Number(price), size)
  }
}
