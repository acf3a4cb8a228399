import { HostError } from '../../graph/error.ts'
import { unanswered } from './kafka-access.ts'
import type { KafkaAccess } from './kafka-access.ts'
import { ABSENT, leaderOf, nextBatch } from './kafka-batches.ts'
import { ALARMING, answer, kafkaError } from './kafka-library.ts'
import type { KafkaConsumer, KafkaMessage, KafkaPlace } from './kafka-library.ts'
import { SHARDS } from '../topics.ts'
import type { Standing } from './kafka-record.ts'
import type { KafkaTopics, Reach } from './kafka-topics.ts'
import { TURN_MS, pause } from './kafka-transaction.ts'

/** Who reads, and what stands before the names of topics. */
export interface TailOf {
  readonly consumer: KafkaConsumer
  readonly access: KafkaAccess
  readonly prefix: string
}

/**
 * The offset of the last record of each partition. Behind it lie markers of transactions, and records of
 * those that were aborted: so it is looked for from the end backwards, in steps that grow. Undefined: there
 * is none.
 */
export const lastOffsets = async (
  { consumer, access, prefix }: TailOf,
  places: readonly Reach[],
): Promise<readonly (number | undefined)[]> => {
  const lasts = new Map<Reach, number>()
  let left = places.filter(({ first, next }) => next > first)
  for (let back = 4; left.length > 0; back *= 16) {
    const from = left.map((one) => ({ ...one, offset: Math.max(one.first, one.next - back) }))
    const named = new Map(left.map((one) => [`${prefix}${one.topic}/${one.partition}`, one]))
    const gone = await readToEnd({ consumer, access, prefix }, from, 'settled', (message) => {
      const { topic, partition, offset } = message
      const place = named.get(`${topic}/${partition}`)
      if (place !== undefined && offset < place.next) lasts.set(place, offset)
    })
    left = left.filter(
      (one) => !lasts.has(one) && one.next - back > one.first && !gone.has(prefix + one.topic),
    )
  }
  return places.map((one) => lasts.get(one))
}

/** The newest word of a shard on where it stands. */
export const standingOf = async (
  of: TailOf,
  topics: KafkaTopics,
  { shard, place: partition }: { readonly shard: string; readonly place: number },
): Promise<Standing | undefined> => {
  const place = { topic: SHARDS, partition }
  // Its own transactions have ended, but the brokers may not have said so in the partition yet.
  const [open = 0] = await topics.next([place])
  const [first = 0] = await topics.first([place])
  let standing: Standing | undefined
  if (open <= first) return undefined
  await readToEnd(of, [{ ...place, first, next: open, offset: first }], 'end', ({ key, value }) => {
    if (String(key) === shard && value !== null) standing = JSON.parse(value.toString()) as Standing
  })
  return standing
}

interface From extends Reach {
  readonly offset: number
}

/**
 * Read committed records until every partition has been read up to where it ended: `end`; or, where a
 * transaction that has not ended is in between, up to there: `settled`. Gives back topics that were deleted.
 * Throws KT3031 when it takes too long: what was read then is not all there is; KT3003 when it is damaged.
 */
const readToEnd = async (
  { consumer, access, prefix }: TailOf,
  from: readonly From[],
  until: 'end' | 'settled',
  take: (message: KafkaMessage) => void,
): Promise<ReadonlySet<string>> => {
  const gone = new Set<string>()
  const left = new Map<string, Left>()
  for (const one of from)
    left.set(`${prefix}${one.topic}/${one.partition}`, { ...one, topic: prefix + one.topic })
  const settled = new Set<string>()
  const reached = ({ topic, partition, offset }: KafkaPlace): void => {
    const one = left.get(`${topic}/${partition}`)
    if (one !== undefined) one.offset = Math.max(one.offset, offset)
    if (one !== undefined && offset >= one.next) left.delete(`${topic}/${partition}`)
  }
  const ended = (place: KafkaPlace): void => {
    settled.add(`${place.topic}/${place.partition}`)
    reached(place)
  }
  const taken = (message: KafkaMessage): void => {
    take(message)
    reached({ ...message, offset: message.offset + 1 })
  }
  consumer.on('partition.eof', ended)
  consumer.assign([...left.values()])
  const begun = performance.now()
  const late = (ms: number): boolean => performance.now() - begun > ms
  try {
    let cameAt = begun
    let asked = false
    while (left.size > 0 && !late(LATE_MS)) {
      if (until === 'settled' && late(SETTLE_MS) && [...left.keys()].every((key) => settled.has(key))) break
      const messages = await consumed(consumer)
      for (const message of messages ?? []) taken(message)
      if (messages !== undefined && messages.length > 0) cameAt = performance.now()
      else await pause(TURN_MS)
      // Who reads of a topic that was deleted hears of it elsewhere; the others need not wait for it.
      if (until === 'settled' && !asked && performance.now() - cameAt > SETTLE_MS) {
        asked = true
        for (const { topic, partition } of await absentIn(access, [...left.values()])) {
          left.delete(`${topic}/${partition}`)
          gone.add(topic)
        }
      }
      // The client says nothing of a partition any more after some errors, and loses some errors.
      if (messages !== undefined && performance.now() - cameAt < STILL_MS) continue
      await pause(ALARM_MS)
      cameAt = performance.now()
      for (const damaged of await damagedIn(access, [...left.values()])) {
        if (until === 'end') throw spoilt(damaged)
        taken(damaged)
      }
      consumer.assign([...left.values()])
    }
  } finally {
    consumer.assign([])
    consumer.off('partition.eof', ended)
  }
  const lacking = [...left.keys()].filter((key) => until === 'end' || !settled.has(key))
  if (lacking.length > 0) throw unanswered(lacking.join(', '), 'They could not be read to their end.')
  return gone
}

/** How far a partition has been read, and up to where it has to be; its topic with the prefix. */
interface Left extends Reach {
  offset: number
}

/** Undefined: nothing more comes of some partition until it is assigned again. */
const consumed = async (consumer: KafkaConsumer): Promise<readonly KafkaMessage[] | undefined> => {
  try {
    return await answer<readonly KafkaMessage[]>((back) => consumer.consume(AT_ONCE, back))
  } catch (error) {
    return ALARMING.has(kafkaError(error).code) ? undefined : []
  }
}

const damagedIn = async (access: KafkaAccess, left: readonly Left[]): Promise<readonly KafkaMessage[]> => {
  const found: KafkaMessage[] = []
  for (const { topic, partition, offset, next } of left) {
    const batch = await nextBatch(access, { topic, partition, offset }, next).catch(() => undefined)
    if (typeof batch === 'object') found.push({ topic, partition, offset: batch.last, value: null })
  }
  return found
}

/** Those of topics that were deleted: nothing comes of them any more. */
const absentIn = async (access: KafkaAccess, left: readonly Left[]): Promise<readonly Left[]> => {
  const found: Left[] = []
  for (const one of left) if ((await leaderOf(access, one).catch(() => undefined)) === ABSENT) found.push(one)
  return found
}

const spoilt = ({ topic, partition, offset }: KafkaMessage): HostError =>
  new HostError('KT3003', `records of "${topic}" are damaged`, {
    where: `${topic}/${partition} up to ${offset}`,
    why: 'The brokers gave back other bytes than they were given: where a shard stands is not known.',
    fix: 'Have another replica lead the partition, or bring its files back from a copy.',
    retry: 'never',
  })

const AT_ONCE = 1000
const ALARM_MS = 100
/** From a partition that does not move for so long nothing may come, though there is something. */
const STILL_MS = 10_000
/** A transaction that has not ended by then is not waited for. */
const SETTLE_MS = 2000
/** A transaction in between has ended by then. */
const LATE_MS = 40_000
/** The brokers end a transaction whose writer has died after this at the latest. */
export const TRANSACTION_MS = 30_000
