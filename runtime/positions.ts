import type { Partition } from '../graph/port.ts'
import { partitionKey } from './log.ts'

/** The next offset of each of some topic partitions. */
export class Positions {
  readonly #nexts = new Map<string, Partition & { next: number }>()

  set({ topic, partition }: Partition, next: number): void {
    const at = this.#nexts.get(partitionKey(topic, partition))
    if (at === undefined) this.#nexts.set(partitionKey(topic, partition), { topic, partition, next })
    else at.next = next
  }

  /** A record was written there: the next one comes behind it. */
  pass({ topic, partition }: Partition): void {
    const at = this.#nexts.get(partitionKey(topic, partition))
    if (at === undefined) this.set({ topic, partition }, 1)
    else at.next++
  }

  /** All of them, as they are now. */
  all(): readonly (Partition & { readonly next: number })[] {
    return Array.from(this.#nexts.values(), (one) => ({ ...one }))
  }
}
