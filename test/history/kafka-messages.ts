import { answer } from '../../runtime/driver/kafka-library.ts'
import type { KafkaMessage } from '../../runtime/driver/kafka-library.ts'
import { loadClient } from '../../runtime/driver/kafka-client.ts'

/** A record of Kafka as the brokers have it, apart from its offset. */
export interface Message {
  readonly topic: string
  readonly partition: number
  readonly key: string | null
  /** Base64. */
  readonly value: string | null
  readonly headers: readonly Readonly<Record<string, string>>[]
}

const QUIET_MS = 3000

/** All that is committed in some topics, with kt's own eyes shut: what any consumer would get. */
export const messagesOf = async (
  brokers: string,
  topics: readonly { readonly name: string; readonly partitions: number }[],
): Promise<readonly Message[]> => {
  const consumer = new (loadClient().KafkaConsumer)(
    { 'bootstrap.servers': brokers, 'group.id': 'history', 'isolation.level': 'read_committed' },
    { 'auto.offset.reset': 'earliest' },
  )
  await answer<unknown>((back) => consumer.connect({ timeout: 10_000 }, back))
  consumer.setDefaultConsumeTimeout(200)
  const from = topics.flatMap(({ name: topic, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0 })),
  )
  consumer.assign(from)
  const found: KafkaMessage[] = []
  for (let until = Date.now() + QUIET_MS; Date.now() < until;) {
    const some = await answer<readonly KafkaMessage[]>((back) => consumer.consume(1000, back))
    if (some.length > 0) until = Date.now() + QUIET_MS
    found.push(...some)
  }
  await new Promise<void>((resolve) => consumer.disconnect(resolve))
  return found.map(({ topic, partition, key, value, headers = [] }) => ({
    topic,
    partition,
    key: key === null || key === undefined ? null : String(key),
    value: value === null ? null : value.toString('base64'),
    headers: headers.map((header) =>
      Object.fromEntries(Object.entries(header).map(([name, one]) => [name, String(one)])),
    ),
  }))
}

/** Put them where they were, as a copy of a cluster would: by no transaction. */
export const sendAll = async (brokers: string, messages: readonly Message[]): Promise<void> => {
  const producer = new (loadClient().Producer)({ 'bootstrap.servers': brokers, dr_cb: true, 'linger.ms': 5 })
  let arrived = 0
  producer.on('delivery-report', (error: unknown) => void (error === null && arrived++))
  await answer<unknown>((back) => producer.connect({ timeout: 10_000 }, back))
  producer.setPollInBackground(true)
  for (const { topic, partition, key, value, headers } of messages)
    producer.produce(
      topic,
      partition,
      value === null ? null : Buffer.from(value, 'base64'),
      key,
      undefined,
      undefined,
      headers,
    )
  while (arrived < messages.length) await new Promise((resolve) => setTimeout(resolve, 20))
  await new Promise<void>((resolve) => producer.disconnect(resolve))
}
