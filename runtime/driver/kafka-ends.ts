import type { Log } from '../../graph/port.ts'
import { partitionKey } from '../log.ts'
import { leave } from './kafka-library.ts'
import type { KafkaConsumer } from './kafka-library.ts'
import type { KafkaAccess } from './kafka-access.ts'
import { lastOffsets } from './kafka-tail.ts'
import type { KafkaTopics, Reach } from './kafka-topics.ts'

type Ends = Awaited<ReturnType<Log['ends']>>

/**
 * Where partitions end. Every sink asks now and then, so that those who ask at the same time are answered
 * together, and only partitions that have moved are read.
 */
export class KafkaEnds {
  readonly #topics: KafkaTopics
  readonly #prefix: string
  readonly #access: KafkaAccess
  readonly #open: () => Promise<KafkaConsumer>
  /** What partitions reached when their last record was looked for, and where it was. */
  readonly #known = new Map<string, Reach & { readonly last: number | undefined }>()
  #consumer: Promise<KafkaConsumer> | undefined
  #running: Promise<Ends> | undefined
  #waiting: Promise<Ends> | undefined

  constructor(access: KafkaAccess, topics: KafkaTopics, prefix: string, open: () => Promise<KafkaConsumer>) {
    this.#access = access
    this.#topics = topics
    this.#prefix = prefix
    this.#open = open
  }

  /** Sees what was acknowledged before: an answer that is on its way may not have it. */
  read(): Promise<Ends> {
    if (this.#running === undefined) return this.#begin()
    const begin = (): Promise<Ends> => {
      this.#waiting = undefined
      return this.#begin()
    }
    this.#waiting ??= this.#running.then(begin, begin)
    return this.#waiting
  }

  async close(): Promise<void> {
    await this.#waiting?.catch(() => undefined)
    await this.#running?.catch(() => undefined)
    await this.#drop()
  }

  #begin(): Promise<Ends> {
    const running = this.#read().finally(() => {
      if (this.#running === running) this.#running = undefined
    })
    this.#running = running
    return running
  }

  async #read(): Promise<Ends> {
    const reached = await this.#topics.reach(await this.#topics.all())
    const moved = reached.filter((one) => one.next > 0 && !this.#same(one))
    if (moved.length > 0) await this.#look(moved)
    return reached
      .map(({ topic, partition, first }) => {
        const last = this.#known.get(partitionKey(topic, partition))?.last
        return { topic, partition, first, next: (last ?? first - 1) + 1, rows: -1, bytes: -1 }
      })
      .filter(({ next }) => next > 0)
  }

  #same({ topic, partition, first, next }: Reach): boolean {
    const known = this.#known.get(partitionKey(topic, partition))
    return known?.first === first && known.next === next
  }

  async #look(moved: readonly Reach[]): Promise<void> {
    this.#consumer ??= this.#open()
    try {
      const of = { consumer: await this.#consumer, access: this.#access, prefix: this.#prefix }
      const lasts = await lastOffsets(of, moved)
      for (const [i, one] of moved.entries())
        this.#known.set(partitionKey(one.topic, one.partition), { ...one, last: lasts[i] })
    } catch (error) {
      await this.#drop()
      throw error
    }
  }

  async #drop(): Promise<void> {
    const consumer = await this.#consumer?.catch(() => undefined)
    this.#consumer = undefined
    if (consumer !== undefined) await leave(consumer)
  }
}
