import { answer, reasonOf } from './kafka-library.ts'
import type { KafkaClient, KafkaConsumer, Settings } from './kafka-library.ts'
import { refused } from './kafka-topics.ts'

/**
 * A consumer of committed records that is told by us what to read, and says where partitions end. Rejects
 * with KT3031 and KT3032.
 */
export const openConsumer = async (
  client: KafkaClient,
  connection: Settings,
  reading: Settings,
): Promise<KafkaConsumer> => {
  const consumer = new client.KafkaConsumer(
    {
      ...connection,
      'group.id': 'kt',
      'isolation.level': 'read_committed',
      'enable.auto.commit': false,
      'enable.auto.offset.store': false,
      'enable.partition.eof': true,
      // Else the client goes past a batch that was damaged, or takes it for what it is not.
      'check.crcs': true,
      'fetch.wait.max.ms': 50,
      'fetch.queue.backoff.ms': 5,
      'fetch.message.max.bytes': 4 << 20,
      'queued.max.messages.kbytes': 32 << 10,
      ...reading,
    },
    { 'auto.offset.reset': 'error' },
  )
  const why = reasonOf(consumer)
  try {
    await answer<unknown>((back) => consumer.connect({ timeout: CONNECT_MS }, back))
  } catch (error) {
    throw refused(String(connection['bootstrap.servers']), why() ?? error)
  }
  consumer.setDefaultConsumeTimeout(0)
  consumer.setDefaultIsTimeoutOnlyForFirstMessage(true)
  return consumer
}

export const CONNECT_MS = 5000
