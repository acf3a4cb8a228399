import type { ReadFrom } from '../../graph/port.ts'
import { partitionKey } from '../log.ts'
import type { IdStore } from './kafka-topic-ids.ts'
import type { Reach } from './kafka-topics.ts'

/** The offsets from the first on and before the second hold no records. */
type Blank = readonly [from: number, to: number]

/**
 * What lies behind the last record of a partition: the marker of its transaction, at least. A position
 * stands behind a record, so that when retention lets go of the record and of the marker, the partition
 * begins beyond the position of a reader that has missed nothing. So it is remembered, with the positions,
 * that there was nothing to miss.
 */
export class KafkaBlanks {
  readonly #prefix: string
  readonly #store: IdStore | undefined
  /** By partition, what was known when it began there. */
  readonly #known = new Map<string, { readonly first: number; readonly blank: Blank | undefined }>()
  /** By partition, what was written down. */
  readonly #kept = new Map<string, number>()

  /** Without a store nothing is remembered. */
  constructor(prefix: string, store: IdStore | undefined) {
    this.#prefix = prefix
    this.#store = store
  }

  /** Where a partition begins and ends for readers: it may begin at a position that missed nothing. */
  async seen({ topic, partition, first }: Reach, next: number): Promise<readonly [number, number]> {
    const key = partitionKey(topic, partition)
    if (first > 0 && this.#known.get(key)?.first !== first)
      this.#known.set(key, { first, blank: (await this.#stored(topic)).get(partition) })
    const blank = this.#known.get(key)?.blank
    if (blank === undefined || first <= blank[0] || first > blank[1]) return [first, next]
    return [blank[0], next === first ? blank[0] : next]
  }

  /** Positions, moved on over what holds no records. */
  async beyond(from: readonly ReadFrom[]): Promise<readonly ReadFrom[]> {
    const moved: ReadFrom[] = []
    for (const one of from) {
      const [first, to] = (await this.#stored(one.topic)).get(one.partition) ?? [0, 0]
      moved.push(one.offset >= first && one.offset < to ? { ...one, offset: to } : one)
    }
    return moved
  }

  /** Those of which the end has not been written down. */
  without<P extends Reach>(reached: readonly P[]): readonly P[] {
    if (this.#store === undefined) return []
    return reached.filter(
      ({ topic, partition, next }) => this.#kept.get(partitionKey(topic, partition)) !== next,
    )
  }

  /** Write down that nothing lies behind the last record of these partitions, up to where they end. */
  async keep(ended: readonly (Reach & { readonly last: number })[]): Promise<void> {
    for (const [topic, its] of Map.groupBy(ended, (one) => one.topic)) {
      const blanks = new Map(await this.#stored(topic))
      for (const { partition, last, next } of its)
        if (next > (blanks.get(partition)?.[1] ?? 0)) blanks.set(partition, [last + 1, next])
      const text = JSON.stringify([...blanks])
      await this.#store?.put(this.#path(topic), new TextEncoder().encode(text))
      for (const { partition, next } of its) this.#kept.set(partitionKey(topic, partition), next)
    }
  }

  async #stored(topic: string): Promise<ReadonlyMap<number, Blank>> {
    const bytes = await this.#store?.get(this.#path(topic))
    return new Map(
      bytes === undefined ? [] : (JSON.parse(new TextDecoder().decode(bytes)) as [number, Blank][]),
    )
  }

  #path(topic: string): string {
    return `kafka-ends/${this.#prefix}${topic}`
  }
}
