import { setTimeout as pause } from 'node:timers/promises'
import { HostError } from '../../graph/error.ts'
import type { Partition } from '../../graph/port.ts'
import { CODE, answer, kafkaError } from './kafka-library.ts'
import type { FoundOffset, KafkaAdmin, KafkaClient, KafkaPlace, Settings } from './kafka-library.ts'
import { MESSAGE_BYTES_MAX, SHARDS, SHARD_CONFIG } from '../topics.ts'
import type { TopicSettings } from '../topics.ts'
import { FORBIDDEN, forbidden, rejected, unanswered } from './kafka-access.ts'
import { unless } from './kafka-entry.ts'
import { Proof } from './kafka-proof.ts'
import type { TopicIds } from './kafka-topic-ids.ts'

const TIMEOUT_MS = 10_000
/** A partition is new, has no leader yet, or another one that does not know its end yet, or the same anew. */
const STALE: ReadonlySet<number> = new Set([-190, -188, 3, 5, 6, 74, 76, 78])
const AGAIN_MS = 200
/**
 * A call that was not answered (-185, 7), whose way broke (-195), or that went to no controller (41). For the
 * nine seconds of its session a dead broker is named as alive, so that such a call is made once more.
 */
const UNANSWERED: ReadonlySet<number> = new Set([-185, -195, 7, 41])
const TRIES = 3
const EARLIEST = -2
const LATEST = -1
/** As those see it who read only what was committed. */
const COMMITTED = 1

/** What a partition reaches from and to. `next` is behind what may be a transaction's marker. */
export interface Reach extends Partition {
  readonly first: number
  readonly next: number
}

/** The topics of one log: made when they are first used, and asked for their offsets. */
export class KafkaTopics {
  #admin: KafkaAdmin
  readonly #connect: () => KafkaAdmin
  /** Until what was asked of them has been answered. */
  readonly #outdated = new Set<KafkaAdmin>()
  readonly #prefix: string
  readonly #settings: (topic: string) => TopicSettings
  readonly #brokers: string
  /** Of the topics that are known to exist, how many partitions. */
  readonly #known = new Map<string, number>()
  readonly #making = new Map<string, Promise<void>>()
  readonly #ids: TopicIds | undefined
  readonly #rejection: () => Promise<void>
  readonly #proof = new Proof(() => this.#check(this.#known.keys()))

  /**
   * Without `ids` it is not asked whether topics are those that were used before. `rejection` rejects where
   * the brokers do not let us in, of which the client library says only that nobody answers.
   */
  constructor(
    client: KafkaClient,
    connection: Settings,
    prefix: string,
    settings: (topic: string) => TopicSettings,
    ids?: TopicIds,
    rejection = (): Promise<void> => Promise.resolve(),
  ) {
    this.#connect = () => client.AdminClient.create(connection)
    this.#admin = this.#connect()
    this.#brokers = String(connection['bootstrap.servers'])
    this.#prefix = prefix
    this.#settings = settings
    this.#ids = ids
    this.#rejection = rejection
  }

  /** Before each write: made, and not seen to be other topics since. Rejects as `ensure` does. */
  async ready(places: readonly Partition[]): Promise<void> {
    const known = places.every(({ topic, partition }) => (this.#known.get(topic) ?? 0) > partition)
    if (!known) await this.ensure(places)
    this.#proof.glance()
  }

  /** While a write is on its way: what it calls as `check` throws as `ready` does. */
  during<T>(work: (check: () => void) => Promise<T>): Promise<T> {
    return this.#proof.during(work)
  }

  /** Make what does not exist yet. Rejects with KT3035 when what was used before is gone, or another. */
  async ensure(places: readonly Partition[]): Promise<void> {
    const wanted = new Map<string, number>()
    for (const { topic, partition } of places) {
      if ((this.#known.get(topic) ?? 0) > partition) continue
      wanted.set(topic, Math.max(wanted.get(topic) ?? 0, partition + 1))
    }
    await Promise.all(Array.from(wanted, ([topic, partitions]) => this.#make(topic, partitions)))
  }

  /**
   * That none of these was deleted, or made anew, since it was first used. Rejects with KT3035, and with
   * KT3031 while nobody says.
   */
  check(places: readonly Partition[]): Promise<void> {
    return this.#check(new Set(places.map(({ topic }) => topic)))
  }

  /** Those of these that were used before are there still. Rejects as `check` does; nothing is made. */
  async expect(topics: readonly string[]): Promise<void> {
    await this.#ids?.expect(topics.map((topic) => this.#prefix + topic))
  }

  async #check(topics: Iterable<string>): Promise<void> {
    await this.#ids?.check(Array.from(topics, (topic) => this.#prefix + topic))
  }

  /** Every partition of this log that exists. */
  async all(): Promise<readonly Partition[]> {
    const names = (
      await this.#ask<readonly string[]>((back) => this.#admin.listTopics({ timeout: TIMEOUT_MS }, back))
    ).filter(
      (name) => name.startsWith(this.#prefix) && name !== this.#prefix + SHARDS && !name.startsWith('__'),
    )
    if (names.length === 0) return []
    const topics = await this.#ask<
      readonly { readonly name: string; readonly partitions: readonly unknown[] }[]
    >((back) => this.#admin.describeTopics(names, { timeout: TIMEOUT_MS }, back))
    const sorted = topics.toSorted((a, b) => (a.name < b.name ? -1 : 1))
    return sorted.flatMap(({ name, partitions }) =>
      partitions.map((_, partition) => ({ topic: name.slice(this.#prefix.length), partition })),
    )
  }

  /** First and next offsets, transactions that are still open included. */
  async reach(places: readonly Partition[]): Promise<readonly Reach[]> {
    if (places.length === 0) return []
    const [firsts, nexts] = await Promise.all([this.first(places), this.next(places)])
    return places.map((place, i) => ({ ...place, first: firsts[i]!, next: nexts[i]! }))
  }

  next(places: readonly Partition[]): Promise<readonly number[]> {
    return this.#offsets(places, LATEST)
  }

  first(places: readonly Partition[]): Promise<readonly number[]> {
    return this.#offsets(places, EARLIEST)
  }

  /** Up to where nothing is open: a transaction that has not ended begins there, or the partition ends. */
  settled(places: readonly Partition[]): Promise<readonly number[]> {
    return this.#offsets(places, LATEST, COMMITTED)
  }

  async #offsets(places: readonly Partition[], timestamp: number, isolation = 0): Promise<readonly number[]> {
    const asked = places.map(({ topic, partition }) => ({
      topic: this.#prefix + topic,
      partition,
      offset: { timestamp },
    }))
    const found = await this.#found(asked, isolation)
    const offsets = new Map(found.map((one) => [`${one.topic}/${one.partition}`, one.offset]))
    const ends = asked.map(({ topic, partition }) => offsets.get(`${topic}/${partition}`) ?? -1)
    if (ends.every((end) => end >= 0)) return ends
    throw unanswered(this.#brokers, 'The end of a partition is not known there.')
  }

  /**
   * A partition that has no leader yet, or another one, is left out, or has its error beside the offsets of
   * the others: taken for an empty one, rows would come twice.
   */
  async #found(
    asked: Parameters<KafkaAdmin['listOffsets']>[0],
    isolationLevel: number,
  ): Promise<readonly FoundOffset[]> {
    const options = { timeout: TIMEOUT_MS, isolationLevel }
    for (const until = performance.now() + TIMEOUT_MS; ; await pause(AGAIN_MS)) {
      const found = await this.#ask<readonly FoundOffset[]>((back) =>
        this.#admin.listOffsets(asked, options, back),
      )
      const failed = found.find(({ error }) => error !== undefined && error !== null && error.code !== 0)
      if (failed === undefined && found.length === asked.length) return found
      const late = performance.now() > until
      if (late && failed === undefined) throw unanswered(this.#brokers, 'Some partitions were left out.')
      if (failed !== undefined && (late || !STALE.has(kafkaError(failed.error).code)))
        throw refused(this.#brokers, failed.error)
      this.#renew()
    }
  }

  /** Let go of all records before these offsets. */
  async drop(places: readonly KafkaPlace[]): Promise<void> {
    const named = places.map((place) => ({ ...place, topic: this.#prefix + place.topic }))
    await this.#ask((back) => this.#admin.deleteRecords(named, { timeout: TIMEOUT_MS }, back))
  }

  close(): void {
    for (const admin of [this.#admin, ...this.#outdated]) admin.disconnect()
    this.#outdated.clear()
  }

  /** It keeps what it knows of leaders for minutes, also when they say that it is out of date. */
  #renew(): void {
    const before = this.#admin
    this.#admin = this.#connect()
    this.#outdated.add(before)
    setTimeout(() => {
      if (this.#outdated.delete(before)) before.disconnect()
    }, 2 * TIMEOUT_MS).unref()
  }

  #make(topic: string, partitions: number): Promise<void> {
    const made = (this.#making.get(topic) ?? Promise.resolve()).then(() => this.#made(topic, partitions))
    this.#making.set(
      topic,
      made.catch(() => undefined),
    )
    return made
  }

  async #made(topic: string, wanted: number): Promise<void> {
    if ((this.#known.get(topic) ?? 0) >= wanted) return
    const { partitions = 1, replicas = -1, config = {} } = this.#settings(topic)
    const total = Math.max(partitions, wanted)
    const name = this.#prefix + topic
    const own = topic === SHARDS ? SHARD_CONFIG : {}
    let there = total
    await this.#ids?.expect([name])
    try {
      await this.#insist<void>((back) =>
        this.#admin.createTopic(
          {
            topic: name,
            num_partitions: total,
            replication_factor: replicas,
            config: { 'max.message.bytes': String(MESSAGE_BYTES_MAX), ...own, ...config },
          },
          TIMEOUT_MS,
          back,
        ),
      )
    } catch (error) {
      if (error instanceof HostError || kafkaError(error).code !== CODE.exists)
        throw refused(this.#brokers, error)
      there = await this.#grown(name, wanted)
    }
    await this.#ids?.keep(name)
    this.#known.set(topic, there)
  }

  /** How many partitions it has, once it has as many as are wanted. */
  async #grown(name: string, wanted: number): Promise<number> {
    const [topic] = await this.#ask<readonly { readonly partitions: readonly unknown[] }[]>((back) =>
      this.#admin.describeTopics([name], { timeout: TIMEOUT_MS }, back),
    )
    const there = topic?.partitions.length ?? 0
    if (there >= wanted) return there
    await this.#insist<void>((back) => this.#admin.createPartitions(name, wanted, TIMEOUT_MS, back)).catch(
      (error: unknown) => {
        if (error instanceof HostError || kafkaError(error).code !== CODE.enough)
          throw refused(this.#brokers, error)
      },
    )
    return wanted
  }

  #ask<T>(call: Parameters<typeof answer<T>>[0]): Promise<T> {
    return this.#insist<T>(call).catch((error: unknown) => {
      throw refused(this.#brokers, error)
    })
  }

  /** What was made without an answer is there already, or gone, the next time: callers take both. */
  async #insist<T>(call: Parameters<typeof answer<T>>[0]): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await unless(answer<T>(call), this.#rejection)
      } catch (error) {
        if (error instanceof HostError || tries === TRIES || !UNANSWERED.has(kafkaError(error).code))
          throw error
        this.#renew()
      }
    }
  }
}

/** KT3031, or KT3032 and KT3033 where that is the reason: the brokers do not answer, or say no. */
export const refused = (
  brokers: string,
  error: unknown,
  retry: HostError['retry'] = { afterMs: 1000 },
): HostError => {
  if (error instanceof HostError) return error
  const { message, code } = kafkaError(error)
  const why = `${message} (${code})`
  if (code === CODE.authentication || code === CODE.tls) return rejected(brokers, why)
  if (FORBIDDEN.has(code)) return forbidden(brokers, 'do what kt asked for', why)
  return new HostError('KT3031', 'the Kafka brokers refused a call or did not answer it', {
    where: brokers,
    why,
    fix: 'Look whether the brokers run and can be reached from here, and what their logs say.',
    facts: { brokers, kafka: code },
    retry,
  })
}
