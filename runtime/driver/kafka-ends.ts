import type { Log } from '../../graph/port.ts'
import { partitionKey } from '../log.ts'
import type { KafkaBlanks } from './kafka-blanks.ts'
import { unless } from './kafka-entry.ts'
import { leave } from './kafka-library.ts'
import type { KafkaConsumer } from './kafka-library.ts'
import type { KafkaAccess } from './kafka-access.ts'
import { lastOffsets } from './kafka-tail.ts'
import type { KafkaTopics, Reach } from './kafka-topics.ts'
import { pause } from './kafka-transaction.ts'

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
  readonly #blanks: KafkaBlanks
  /** What partitions reached when their last record was looked for, and where it was. */
  readonly #known = new Map<string, Reach & { readonly last: number | undefined }>()
  #consumer: Promise<KafkaConsumer> | undefined
  /** What partitions reached the last time, and when that was written down. */
  #last: readonly Reach[] = []
  #keptAt = performance.now()
  #running: Promise<Ends> | undefined
  #waiting: Promise<Ends> | undefined

  constructor(
    { access, prefix }: { readonly access: KafkaAccess; readonly prefix: string },
    topics: KafkaTopics,
    blanks: KafkaBlanks,
    open: () => Promise<KafkaConsumer>,
  ) {
    this.#access = access
    this.#topics = topics
    this.#prefix = prefix
    this.#blanks = blanks
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
    await Promise.race([this.#keep(this.#last), pause(CLOSE_MS)])
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
    const reached = await this.#reach()
    const moved = reached.filter((one) => one.next > 0 && !this.#same(one))
    if (moved.length > 0) await this.#look(moved)
    this.#last = reached
    const now = performance.now()
    if (now - this.#keptAt >= KEEP_MS) await this.#keep(reached.filter((one) => !moved.includes(one)))
    const ends = reached.map(async (one) => {
      const { topic, partition } = one
      const last = this.#known.get(partitionKey(topic, partition))?.last ?? one.first - 1
      const [first, next] = await this.#blanks.seen(one, last + 1)
      return { topic, partition, first, next, rows: -1, bytes: -1 }
    })
    return (await Promise.all(ends)).filter(({ next }) => next > 0)
  }

  /** What lies behind the last records is remembered, where no transaction is open that could add to them. */
  async #keep(reached: readonly Reach[]): Promise<void> {
    this.#keptAt = performance.now()
    const ended = this.#blanks.without(reached).flatMap(({ topic, partition }) => {
      const { last, ...one } = this.#known.get(partitionKey(topic, partition)) ?? { last: undefined }
      return last === undefined ? [] : [{ ...(one as Reach), last }]
    })
    if (ended.length === 0) return
    try {
      const settled = await this.#topics.settled(ended)
      await this.#blanks.keep(ended.filter(({ next }, i) => settled[i] === next))
    } catch {
      // Brokers that are away, or a disk that is full: the next time will do.
    }
  }

  /** One that is deleted meanwhile is not waited for. */
  async #reach(): Promise<readonly Reach[]> {
    for (;;) {
      const places = await this.#topics.all()
      const fewer = new Error('there are fewer partitions now')
      const look = async (): Promise<void> => {
        if ((await this.#topics.all()).length < places.length) throw fewer
      }
      try {
        return await unless(this.#topics.reach(places), look)
      } catch (error) {
        if (error !== fewer) throw error
      }
    }
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

const KEEP_MS = 10_000
/** A close does not wait for brokers that are away. */
const CLOSE_MS = 2000
