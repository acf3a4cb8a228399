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

  /** Records lie there now, as the log says it: offsets may have holes, so that nothing is counted. */
  placed(records: readonly Partition[], offsets: readonly number[]): void {
    for (const [i, record] of records.entries()) {
      const offset = offsets[i]!
      if (offset >= 0) this.set(record, offset + 1)
    }
  }

  /** All of them, as they are now. */
  all(): readonly (Partition & { readonly next: number })[] {
    return Array.from(this.#nexts.values(), (one) => ({ ...one }))
  }
}
