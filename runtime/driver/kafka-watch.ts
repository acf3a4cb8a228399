import type { Partition, ReadFrom } from '../../graph/port.ts'
import { DAMAGED, partitionKey, passed } from '../log.ts'
import type { KafkaAccess } from './kafka-access.ts'
import { ABSENT, leaderOf, nextBatch } from './kafka-batches.ts'
import type { Damaged } from './kafka-batches.ts'
import type { Gathering } from './kafka-gathering.ts'
import type { Found } from './kafka-record.ts'
import { vanished } from './kafka-topic-ids.ts'
import type { KafkaTopics } from './kafka-topics.ts'

/**
 * Looks after the partitions of a reader from which nothing comes. The client loses errors that come together
 * with records, goes past some and is silent after others: so how far the reader has come is compared with
 * what the brokers keep.
 */
export class Watch {
  readonly #access: KafkaAccess
  readonly #prefix: string
  readonly #topics: KafkaTopics
  readonly #gathering: Gathering
  #at = performance.now() + WATCH_MS
  #alarmed = false
  /** Where a partition was, and since when. */
  readonly #still = new Map<string, { readonly offset: number; readonly since: number }>()
  /** Since when a partition ends before what was read of it. */
  readonly #short = new Map<string, number>()

  constructor(access: KafkaAccess, prefix: string, topics: KafkaTopics, gathering: Gathering) {
    this.#access = access
    this.#prefix = prefix
    this.#topics = topics
    this.#gathering = gathering
  }

  /** The client says that something is wrong, and nothing comes of it from some partition any more. */
  alarm(): void {
    this.#alarmed = true
    this.#at = Math.min(this.#at, performance.now() + ALARM_MS)
  }

  isDue(): boolean {
    return performance.now() >= this.#at
  }

  /**
   * When it is due. True: the client has to begin anew where the reader is. Rejects with KT3002 for what is
   * gone, with KT3035 where the topic is.
   */
  async look(): Promise<boolean> {
    const now = performance.now()
    this.#at = now + WATCH_MS
    const wanted = this.#gathering.wanted()
    const firsts = await this.#topics.first(wanted).catch(() => undefined)
    if (firsts === undefined) return this.#present(wanted)
    const lost = wanted.findIndex(({ offset }, i) => offset < firsts[i]!)
    if (lost >= 0) throw passed(wanted[lost]!, wanted[lost]!.offset, firsts[lost]!)
    const alarmed = this.#alarmed
    this.#alarmed = false
    const still = wanted.filter((one) => this.#isStill(one, now) || alarmed)
    const nexts = still.length === 0 ? [] : await this.#topics.next(still).catch(() => undefined)
    if (nexts === undefined) return alarmed
    let begin = alarmed
    for (const [i, one] of still.entries()) {
      this.#checkShort(one, nexts[i]!, now)
      if (nexts[i]! > one.offset) begin = (await this.#isReadable(one, nexts[i]!)) || begin
    }
    return begin
  }

  /** A partition that has just been looked after is left alone for as long again. */
  #isStill(one: ReadFrom, now: number): boolean {
    const key = partitionKey(one.topic, one.partition)
    const known = this.#still.get(key)
    const still = known?.offset === one.offset && now - known.since > STILL_MS
    if (still || known?.offset !== one.offset) this.#still.set(key, { offset: one.offset, since: now })
    return still
  }

  async #present(wanted: readonly Partition[]): Promise<boolean> {
    for (const topic of new Set(wanted.map((one) => this.#prefix + one.topic))) {
      const leader = await leaderOf(this.#access, { topic, partition: 0 }).catch(() => AWAY)
      if (leader === AWAY) return false
      if (leader === ABSENT) throw vanished(topic, topic, 'There is no such topic any more: it was deleted.')
    }
    return false
  }

  /** A new leader may not know at once how far the partition goes. */
  #checkShort({ topic, partition, offset }: ReadFrom, next: number, now: number): void {
    const key = partitionKey(topic, partition)
    const since = this.#short.get(key) ?? now
    if (next >= offset) this.#short.delete(key)
    else if (now - since < SHORT_MS) this.#short.set(key, since)
    else {
      const name = this.#prefix + topic
      const why = `It was read up to ${offset}, and ends at ${next} now.`
      throw vanished(name, `${name}/${partition}`, `${why} ${EITHER}`)
    }
  }

  /** There is more, and it does not come. Of a damaged batch the records are put among the others. */
  async #isReadable(one: ReadFrom, end: number): Promise<boolean> {
    const named = { ...one, topic: this.#prefix + one.topic }
    const batch = await nextBatch(this.#access, named, end).catch(() => undefined)
    if (typeof batch !== 'object') return batch === 'whole'
    for (let { first: offset } = batch; offset <= batch.last; offset++)
      this.#gathering.add(foundOf({ ...one, offset }, batch))
    return true
  }
}

const AWAY = 'away'

/** One for each record: whoever has loaded it knows it by its offset. */
const foundOf = ({ topic, partition, offset }: ReadFrom, { first, timeMs, bytes }: Damaged): Found => ({
  placed: {
    ...{ topic, partition, offset, schema: DAMAGED, rows: 0, bytes: offset === first ? bytes : NONE },
    ...{ shard: '', epoch: -1, step: offset, time: timeMs * 1000 },
  },
  counts: new Map(),
})

const NONE = new Uint8Array(0)

const EITHER = 'It was deleted, and perhaps made anew, or its brokers have lost what they had acknowledged.'

const WATCH_MS = 1000
const ALARM_MS = 100
/** From a partition that does not move for so long nothing may come, though there is something. */
const STILL_MS = 10_000
const SHORT_MS = 5000
