import { unanswered } from './kafka-access.ts'
import { answer } from './kafka-library.ts'
import type { KafkaConsumer, KafkaMessage, KafkaPlace } from './kafka-library.ts'
import { SHARDS } from '../topics.ts'
import type { Standing } from './kafka-record.ts'
import type { KafkaTopics, Reach } from './kafka-topics.ts'

/**
 * The offset of the last record of each partition. Behind it lie markers of transactions, and records of
 * those that were aborted: so it is looked for from the end backwards, in steps that grow. Undefined: there
 * is none.
 */
export const lastOffsets = async (
  consumer: KafkaConsumer,
  prefix: string,
  places: readonly Reach[],
): Promise<readonly (number | undefined)[]> => {
  const lasts = new Map<Reach, number>()
  let left = places.filter(({ first, next }) => next > first)
  for (let back = 4; left.length > 0; back *= 16) {
    const from = left.map((one) => ({ ...one, offset: Math.max(one.first, one.next - back) }))
    const named = new Map(left.map((one) => [`${prefix}${one.topic}/${one.partition}`, one]))
    await readToEnd(consumer, prefix, from, 'settled', ({ topic, partition, offset }) => {
      const place = named.get(`${topic}/${partition}`)
      if (place !== undefined && offset < place.next) lasts.set(place, offset)
    })
    left = left.filter((one) => !lasts.has(one) && one.next - back > one.first)
  }
  return places.map((one) => lasts.get(one))
}

/** The newest word of a shard on where it stands. */
export const standingOf = async (
  consumer: KafkaConsumer,
  topics: KafkaTopics,
  prefix: string,
  { shard, place: partition }: { readonly shard: string; readonly place: number },
): Promise<Standing | undefined> => {
  const place = { topic: SHARDS, partition }
  // Its own transactions have ended, but the brokers may not have said so in the partition yet.
  const [open = 0] = await topics.next([place])
  const [first = 0] = await topics.first([place])
  let standing: Standing | undefined
  if (open <= first) return undefined
  await readToEnd(
    consumer,
    prefix,
    [{ ...place, first, next: open, offset: first }],
    'end',
    ({ key, value }) => {
      if (String(key) === shard && value !== null) standing = JSON.parse(value.toString()) as Standing
    },
  )
  return standing
}

interface From extends Reach {
  readonly offset: number
}

/**
 * Read committed records until every partition has been read up to where it ended: `end`; or, where a
 * transaction that has not ended is in between, up to there: `settled`. Throws KT3031 when that takes too
 * long: what was read then is not all there is.
 */
const readToEnd = async (
  consumer: KafkaConsumer,
  prefix: string,
  from: readonly From[],
  until: 'end' | 'settled',
  take: (message: KafkaMessage) => void,
): Promise<void> => {
  const left = new Map(from.map((one) => [`${prefix}${one.topic}/${one.partition}`, one.next]))
  const settled = new Set<string>()
  const ended = (place: KafkaPlace): void => {
    settled.add(`${place.topic}/${place.partition}`)
    reached(place)
  }
  const reached = ({ topic, partition, offset }: KafkaPlace): void => {
    if (offset >= (left.get(`${topic}/${partition}`) ?? Infinity)) left.delete(`${topic}/${partition}`)
  }
  consumer.on('partition.eof', ended)
  consumer.assign(from.map(({ topic, partition, offset }) => ({ topic: prefix + topic, partition, offset })))
  const begun = performance.now()
  const late = (ms: number): boolean => performance.now() - begun > ms
  while (left.size > 0 && !late(LATE_MS)) {
    if (until === 'settled' && late(SETTLE_MS) && [...left.keys()].every((key) => settled.has(key))) break
    const messages = await answer<readonly KafkaMessage[]>((back) => consumer.consume(AT_ONCE, back)).catch(
      () => [],
    )
    for (const message of messages) {
      take(message)
      reached({ ...message, offset: message.offset + 1 })
    }
    if (messages.length === 0) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  consumer.assign([])
  consumer.off('partition.eof', ended)
  const lacking = [...left.keys()].filter((key) => until === 'end' || !settled.has(key))
  if (lacking.length > 0) throw unanswered(lacking.join(', '), 'They could not be read to their end.')
}

const AT_ONCE = 1000
const PAUSE_MS = 2
/** A transaction that has not ended by then is not waited for. */
const SETTLE_MS = 2000
/** A transaction in between has ended by then. */
const LATE_MS = 40_000
/** The brokers end a transaction whose writer has died after this at the latest. */
export const TRANSACTION_MS = 30_000
