import { crc32 } from 'node:zlib'
import { KtError } from '../../graph/error.ts'
import type { Log, LogReader, LogWriter, ReadFrom } from '../../graph/port.ts'
import { closed, overtaken } from '../log.ts'
import { connectionOf } from './kafka-access.ts'
import type { KafkaAccess } from './kafka-access.ts'
import { loadClient } from './kafka-client.ts'
import { KafkaBlanks } from './kafka-blanks.ts'
import { CONNECT_MS, openConsumer } from './kafka-consumer.ts'
import { KafkaEnds } from './kafka-ends.ts'
import { entryOf } from './kafka-entry.ts'
import { answer, kafkaError, leave, reasonOf } from './kafka-library.ts'
import type {
  DeliveryReport,
  KafkaClient,
  KafkaConsumer,
  KafkaError,
  KafkaProducer,
  Settings,
} from './kafka-library.ts'
import { MESSAGE_BYTES_MAX, SHARDS, SHARD_PARTITIONS } from '../topics.ts'
import type { TopicSettings } from '../topics.ts'
import type { Standing } from './kafka-record.ts'
import { KafkaReader } from './kafka-reader.ts'
import { TRANSACTION_MS, standingOf } from './kafka-tail.ts'
import { TopicAsking } from './kafka-topic-asking.ts'
import { TopicIds } from './kafka-topic-ids.ts'
import type { IdStore } from './kafka-topic-ids.ts'
import { KafkaTopics, refused } from './kafka-topics.ts'
import { Outage } from './kafka-outage.ts'
import type { OutageChange } from './kafka-outage.ts'
import { commit, disconnect, insist, isFatal, stand } from './kafka-transaction.ts'
import { KafkaWriter } from './kafka-writer.ts'
import type { Taken } from './kafka-writer.ts'

export interface KafkaOptions {
  /** `host:port`, several parted by commas. */
  readonly brokers: string
  /** Stands before the names of all topics and transactional ids: several graphs may share a cluster. */
  readonly prefix?: string
  /** How a topic is created when it does not exist. */
  readonly topic?: (name: string) => TopicSettings
  /**
   * Of the topic of the shards, when it is created. Of two shards in one of them, one that died holds up the
   * start of the other until its transaction has ended.
   */
  readonly shardPartitions?: number
  /** Steps are committed together, about so often. */
  readonly commitEveryMs?: number
  readonly commitBytesMax?: number
  readonly pendingBytesMax?: number
  /**
   * The brokers end a transaction that is open for longer, so that what a writer that died left open holds up
   * readers no longer than this.
   */
  readonly transactionMs?: number
  /** A close waits no longer than this for steps that the brokers do not take: they are refused. */
  readonly closeMs?: number
  /** Whom to trust and who we are, where not everybody is let in. */
  readonly access?: KafkaAccess
  /** Where the ids of topics are remembered, with the positions in them: else until the log is closed. */
  readonly ids?: IdStore | undefined
  /** What the log is opened for: where a topic that was used before is gone, `ends` rejects with KT3035. */
  readonly uses?: readonly string[]
  /** More settings of librdkafka, for readers. */
  readonly reading?: Settings
  /** Told once when the brokers do not take what a shard writes, and once when they do again. */
  readonly outage?: (change: OutageChange) => void
}

/**
 * The log in Kafka, or in what speaks its protocol. A step is part of one transaction over all its topics and
 * over the topic of the shards, which says how far each has come; readers see committed steps only, and
 * whole.
 */
export const kafkaLog = async (options: KafkaOptions): Promise<KafkaLog> =>
  new KafkaLog(loadClient(), options)

export class KafkaLog implements Log {
  readonly #client: KafkaClient
  readonly #connection: Settings
  readonly #options: Required<KafkaOptions>
  readonly #writers = new Map<string, KafkaWriter>()
  readonly #claims = new Map<string, Promise<unknown>>()
  readonly #readers = new Set<KafkaReader>()
  /** Topics are created and asked by it; tests let go of records with it. */
  readonly topics: KafkaTopics
  readonly #asking: TopicAsking
  readonly #blanks: KafkaBlanks
  readonly #ends: KafkaEnds
  /** The topics that were used before are there. */
  #expected = false
  #closed = false

  constructor(client: KafkaClient, options: KafkaOptions) {
    this.#client = client
    this.#options = {
      prefix: '',
      topic: () => ({}),
      shardPartitions: SHARD_PARTITIONS,
      commitEveryMs: 100,
      commitBytesMax: 8 << 20,
      pendingBytesMax: 256 << 20,
      transactionMs: TRANSACTION_MS,
      closeMs: 30_000,
      access: { brokers: options.brokers, tls: false },
      ids: undefined,
      uses: [],
      reading: {},
      outage: () => undefined,
      ...options,
    }
    this.#connection = {
      'bootstrap.servers': options.brokers,
      'reconnect.backoff.ms': 20,
      'reconnect.backoff.max.ms': 500,
      'message.max.bytes': MESSAGE_BYTES_MAX,
      log_level: 0,
      ...connectionOf(this.#options.access),
    }
    const { access, prefix, topic } = this.#options
    this.#asking = new TopicAsking(access)
    const ids = new TopicIds((names) => this.#asking.ids(names), this.#options.ids)
    this.topics = new KafkaTopics(client, this.#connection, prefix, topic, ids, entryOf(access))
    this.#blanks = new KafkaBlanks(prefix, this.#options.ids)
    this.#ends = new KafkaEnds({ access, prefix }, this.topics, this.#blanks, () => this.#consumer())
  }

  /** Claims of one shard in this process come one after the other. */
  write(shard: string): Promise<LogWriter> {
    if (this.#closed) return Promise.reject(closed())
    const claim = (this.#claims.get(shard) ?? Promise.resolve()).then(() => this.#claim(shard))
    this.#claims.set(
      shard,
      claim.catch(() => undefined),
    )
    return claim
  }

  async read(from: readonly ReadFrom[]): Promise<LogReader> {
    if (this.#closed) throw closed()
    const { prefix, access } = this.#options
    await this.topics.ensure(from)
    const at = await this.#blanks.beyond(from)
    const reader = new KafkaReader(await this.#consumer(), this.topics, at, prefix, access)
    this.#readers.add(reader)
    return {
      read: (bytesMax, waitMs) => reader.read(bytesMax, waitMs),
      close: () => {
        this.#readers.delete(reader)
        return reader.close()
      },
    }
  }

  /**
   * `next` is the offset behind the last record: markers of transactions lie behind it and do not count.
   * Kafka does not count rows and bytes of a partition: they are -1.
   */
  async ends(): ReturnType<Log['ends']> {
    if (this.#closed) throw closed()
    if (!this.#expected) await this.topics.expect(this.#options.uses)
    this.#expected = true
    return this.#ends.read()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all(this.#claims.values())
    await this.#ends.close()
    await Promise.all(Array.from(this.#readers, (reader) => reader.close()))
    await Promise.all(Array.from(this.#writers.values(), (writer) => writer.close()))
    this.topics.close()
    this.#asking.close()
  }

  async #claim(shard: string): Promise<LogWriter> {
    const { prefix, shardPartitions, commitEveryMs, commitBytesMax } = this.#options
    const { pendingBytesMax, transactionMs, closeMs } = this.#options
    const before = this.#writers.get(shard)
    if (before !== undefined) await before.overtake(before.epoch + 1)
    this.#writers.delete(shard)
    const place = crc32(shard) % shardPartitions
    await this.topics.ensure([{ topic: SHARDS, partition: shardPartitions - 1 }])
    const outage = new Outage(shard, this.#options.outage)
    const producer = await this.#producer(shard, outage)
    try {
      const standing = await this.#standing({ shard, place })
      const epoch = (standing?.epoch ?? 0) + 1
      const signed = { step: -1, time: 0, inputs: [], ...standing, epoch }
      await this.#sign(producer, { shard, place }, signed, outage)
      const last = standing === undefined || standing.step < 0 ? undefined : standing
      const { topics } = this
      const { brokers } = this.#options
      const again = () => this.#again({ shard, place }, epoch, outage)
      const writing = { brokers, prefix, topics, producer, again, shard, place, epoch, last, commitEveryMs }
      const bounds = { commitBytesMax, pendingBytesMax, transactionMs, closeMs }
      const writer = new KafkaWriter({ ...writing, ...bounds, outage })
      this.#writers.set(shard, writer)
      return writer
    } catch (error) {
      await disconnect(producer)
      throw error
    }
  }

  /**
   * The brokers have fenced a writer that nobody has overtaken: its transaction was open for too long, as
   * they were away. It looks before it takes the shard again, as that would fence whoever has it.
   */
  async #again(place: ShardPlace, epoch: number, outage: Outage): Promise<Taken | undefined> {
    if ((await this.#standing(place))?.epoch !== epoch) return undefined
    const producer = await this.#producer(place.shard, outage)
    const standing = await this.#standing(place)
    if (standing?.epoch === epoch) return { producer, step: standing.step }
    await disconnect(producer)
    return undefined
  }

  /** Write the new epoch down. Another who took the shard in the meantime has fenced us. */
  async #sign(producer: KafkaProducer, place: ShardPlace, standing: Standing, outage: Outage): Promise<void> {
    try {
      await answer<void>((back) => producer.beginTransaction(back))
      stand(producer, this.#options.prefix, place, standing)
      await commit(producer, outage)
      outage.over()
    } catch (error) {
      if (error instanceof KtError) throw error
      if (isFatal(kafkaError(error))) throw overtaken(place.shard, standing.epoch, standing.epoch + 1)
      throw refused(this.#options.brokers, error)
    }
  }

  async #producer(shard: string, outage: Outage): Promise<KafkaProducer> {
    const { prefix, brokers, transactionMs } = this.#options
    const producer = new this.#client.Producer({
      ...this.#connection,
      'transactional.id': `${prefix}kt/${shard}`,
      'transaction.timeout.ms': transactionMs,
      'linger.ms': 2,
      dr_cb: true,
      'compression.codec': 'lz4',
      'queue.buffering.max.messages': 1_000_000,
      'queue.buffering.max.kbytes': 512 << 10,
    })
    const why = reasonOf(producer)
    producer.on('delivery-report', (error: KafkaError | null, { opaque, offset }: DeliveryReport) => {
      // A failed one is said by the end of its transaction too.
      if (error === null) opaque?.placed(offset)
    })
    try {
      await answer<unknown>((back) => producer.connect({ timeout: CONNECT_MS }, back))
      producer.setPollInBackground(true)
      // It ends what the writer before us left open, and fences it.
      await insist(() => answer<void>((back) => producer.initTransactions(TIMEOUT_MS, back)), outage)
      return producer
    } catch (error) {
      await disconnect(producer)
      throw refused(brokers, why() ?? error)
    }
  }

  #consumer(): Promise<KafkaConsumer> {
    return openConsumer(this.#client, this.#connection, this.#options.reading)
  }

  /** The last durable step of a shard, and its epoch. Nobody else can move it: the producer is fenced. */
  async #standing(place: ShardPlace): Promise<Standing | undefined> {
    const { access, prefix } = this.#options
    const consumer = await this.#consumer()
    try {
      return await standingOf({ consumer, access, prefix }, this.topics, place)
    } finally {
      await leave(consumer)
    }
  }
}

interface ShardPlace {
  readonly shard: string
  readonly place: number
}

const TIMEOUT_MS = 10_000
