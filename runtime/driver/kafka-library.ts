/** Given along with a message, and back with where it was placed. */
export interface Delivery {
  readonly placed: (offset: number) => void
}

/** What became of a message. The offset is below zero when the library was not told. */
export interface DeliveryReport extends KafkaPlace {
  readonly opaque?: Delivery
}

/** The part of the client library that kt uses: its low-level API, which is librdkafka's. */
export interface KafkaClient {
  readonly Producer: new (settings: Settings) => KafkaProducer
  readonly KafkaConsumer: new (settings: Settings, topicSettings: Settings) => KafkaConsumer
  readonly AdminClient: { readonly create: (settings: Settings) => KafkaAdmin }
}

export type Settings = Readonly<Record<string, string | number | boolean>>

/** What librdkafka says of a failure: its codes are below zero, the broker's above. */
export interface KafkaError {
  readonly message: string
  readonly code: number
  readonly isFatal?: boolean
  readonly isRetriable?: boolean
  readonly isTxnRequiresAbort?: boolean
}

export interface KafkaPlace {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export interface KafkaMessage extends KafkaPlace {
  readonly value: Buffer | null
  readonly key?: Buffer | string | null
  readonly headers?: readonly Readonly<Record<string, string | Buffer>>[]
}

type Back<T> = (error: KafkaError | null | undefined, value: T) => void

interface Connection {
  readonly connect: (options: object, back: Back<unknown>) => void
  /** `event.error`, `partition.eof`; `delivery-report` with an error and a report, where `dr_cb` is set. */
  readonly on: (event: string, listener: (value: never, report: never) => void) => void
  readonly off: (event: string, listener: (value: never) => void) => void
  readonly disconnect: (back: () => void) => void
  readonly _disconnect: (back: () => void) => void
}

export interface KafkaProducer extends Connection {
  readonly setPollInBackground: (on: boolean) => void
  readonly initTransactions: (timeoutMs: number, back: Back<void>) => void
  readonly beginTransaction: (back: Back<void>) => void
  readonly commitTransaction: (timeoutMs: number, back: Back<void>) => void
  readonly abortTransaction: (timeoutMs: number, back: Back<void>) => void
  /** Copies the value. Throws when the queue is full. */
  readonly produce: (
    topic: string,
    partition: number,
    value: Buffer | null,
    key: string | null,
    time: number | undefined,
    opaque: Delivery | undefined,
    headers: readonly Readonly<Record<string, string>>[],
  ) => void
}

export interface KafkaConsumer extends Connection {
  readonly assign: (places: readonly KafkaPlace[]) => void
  readonly consume: (most: number, back: Back<readonly KafkaMessage[]>) => void
  readonly setDefaultConsumeTimeout: (ms: number) => void
  /** Private, and needed: without it the time-out counts for every message anew. */
  readonly setDefaultIsTimeoutOnlyForFirstMessage: (on: boolean) => void
}

export interface FoundOffset extends KafkaPlace {
  readonly error?: KafkaError | null
}

export interface KafkaAdmin {
  readonly disconnect: () => void
  readonly createTopic: (topic: object, timeoutMs: number, back: Back<void>) => void
  readonly createPartitions: (topic: string, total: number, timeoutMs: number, back: Back<void>) => void
  readonly listTopics: (options: object, back: Back<readonly string[]>) => void
  readonly describeTopics: (
    topics: readonly string[],
    options: object,
    back: Back<readonly { readonly name: string; readonly partitions: readonly unknown[] }[]>,
  ) => void
  readonly listOffsets: (
    places: readonly {
      readonly topic: string
      readonly partition: number
      readonly offset: { readonly timestamp: number }
    }[],
    options: object,
    back: Back<readonly FoundOffset[]>,
  ) => void
  readonly deleteRecords: (places: readonly KafkaPlace[], options: object, back: Back<unknown>) => void
}

/** A call that answers by calling back, as a promise. */
export const answer = <T>(call: (back: Back<T>) => void): Promise<T> =>
  new Promise((resolve, reject) =>
    call((error, value) =>
      error === null || error === undefined ? resolve(value) : reject(error as unknown),
    ),
  )

/** Let go of a consumer. */
export const leave = (consumer: KafkaConsumer): Promise<void> =>
  new Promise((resolve) => consumer.disconnect(() => resolve()))

/** What a rejection of the library says. */
export const kafkaError = (error: unknown): KafkaError => {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number')
    return error as KafkaError
  throw error
}

/** Codes of librdkafka and of the broker that kt knows. */
export const CODE = {
  fenced: -144,
  authentication: -169,
  tls: -181,
  exists: 36,
  /** It has as many partitions. */
  enough: 37,
  queueFull: -184,
} as const

/**
 * Nothing more comes of a partition after one of these, until it is assigned again: there is no such offset
 * (-140, 1), or what lies there cannot be unpacked (-199, -198, -170, 2).
 */
export const ALARMING: ReadonlySet<number> = new Set([-140, -170, -198, -199, 1, 2])

/** Why a connection is not let in: the library tells it aside, and then that it took too long. */
export const reasonOf = (client: KafkaProducer | KafkaConsumer): (() => KafkaError | undefined) => {
  let seen: KafkaError | undefined
  client.on('event.error', (error: KafkaError) => {
    const said = ENTRY.find(([, words]) => words.test(error.message))
    if (said !== undefined) seen ??= { message: error.message, code: said[0] }
  })
  return () => seen
}
/** An event has these in its words alone. */
const ENTRY = [
  [CODE.authentication, /authentication|SASL/i],
  [CODE.tls, /ssl|certificate/i],
] as const
