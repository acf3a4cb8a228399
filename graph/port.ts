/** Now, and later. Under simulation and replay this is virtual time. */
export interface Clock {
  /** Microseconds since 1970 UTC. */
  readonly now: () => number
  /** Call once, after a while. The returned function cancels. */
  readonly after: (ms: number, call: () => void) => () => void
}

/** Whole numbers from 0 to n - 1, from the seed. */
export interface Random {
  readonly below: (n: number) => number
}

/** A WebSocket, as a source sees it. `message` bytes are valid only during the call. */
export interface SocketEvents {
  readonly open: () => void
  readonly message: (bytes: Uint8Array, received: number) => void
  /**
   * Takes messages instead of `message`, where it is there and the network knows it: a message is a range of
   * what was read, valid during the call, so that nothing is made of it. The 8 bytes behind `to` can be read.
   */
  readonly bytes?: (bytes: Uint8Array, from: number, to: number, received: number) => void
  /** A protocol ping of the server came, and was answered. */
  readonly ping: () => void
  readonly close: (code: number, reason: string) => void
}

export interface Socket {
  readonly send: (text: string) => void
  readonly close: () => void
}

export interface Answer {
  /** 0: there was no answer (refused, reset, timed out); `why` says which. */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly why: string
  readonly received: number
}

/** The network. A refused connection is a `close`, a failed request an answer of status 0: neither throws. */
export interface Net {
  readonly connect: (url: string, events: SocketEvents) => Socket
  readonly get: (url: string, timeoutMs: number) => Promise<Answer>
}

/** Where one topic partition stands. */
export interface Partition {
  readonly topic: string
  readonly partition: number
}

/** One batch of rows of one topic partition, or one event of it in another form, as the log stores it. */
export interface LogRecord extends Partition {
  /** `trade/1`; of an event that is a record by itself with its form: `trade/1+json`, `trade/1+avro`. */
  readonly schema: string
  readonly rows: number
  /** The batch: see `graph/batch.ts`. Of a step that is appended it is valid until `append` returns. */
  readonly bytes: Uint8Array
  /** The text of the event's key, for logs whose records other programs read. Readers are not given it. */
  readonly key?: string
}

/**
 * All that a flush of a shard writes, over all its topics, and how far it had read: durable as one, or not
 * at all.
 */
export interface Step {
  readonly shard: string
  /** Grows with each step of the shard, by one unless `after` says otherwise, and never restarts. */
  readonly step: number
  /** The step of the shard that this one follows, where that is not the number before it. -1: none. */
  readonly after?: number
  /** The received time of the newest event in it, microseconds. */
  readonly time: number
  /** The next offset to read of each topic partition that the shard reads. */
  readonly inputs: readonly (Partition & { readonly next: number })[]
  /** None: the step says only how far the shard has come, and no reader sees it. */
  readonly records: readonly LogRecord[]
}

/**
 * A record with its place. Offsets of a partition are dense in the segment log and may have holes in
 * others.
 */
export interface Placed extends LogRecord {
  readonly offset: number
  readonly shard: string
  readonly epoch: number
  readonly step: number
  readonly time: number
}

/** The writing side of the log for one shard. An older epoch's writer is refused from then on. */
export interface LogWriter {
  readonly epoch: number
  /** The last durable step of this shard, if it ever wrote one. */
  readonly last: { readonly step: number; readonly time: number; readonly inputs: Step['inputs'] } | undefined
  /**
   * Appends are pipelined and become durable in order; the promise settles when this one is, with the offset
   * of each of its records. -1: the log was not told, as an acknowledgement was lost; the record is there.
   */
  readonly append: (step: Step) => Promise<readonly number[]>
  /** Bytes handed over that are not durable yet. */
  readonly pendingBytes: () => number
  readonly close: () => Promise<void>
}

export interface ReadFrom extends Partition {
  /** The first offset to read. */
  readonly offset: number
}

/** The reading side. It sees durable steps only, whole, in the order in which they became durable. */
export interface LogReader {
  /**
   * The next records of the chosen partitions, at most about `bytesMax`; empty when nothing came within
   * `waitMs`.
   * Rejects with KT3002 when retention has passed a position: never a silent skip.
   */
  readonly read: (bytesMax: number, waitMs: number) => Promise<readonly Placed[]>
  /**
   * As `read`, for records that nobody keeps: `see` is called with each, in order, and the record and its
   * bytes are valid during the call only. Returns how many there were. Where a log has no such way, `read`
   * serves.
   */
  readonly scan?: (bytesMax: number, waitMs: number, see: (record: Placed) => void) => Promise<number>
  readonly close: () => Promise<void>
}

export interface Log {
  /** Take the shard's writing side: its epoch is one more than the last. */
  readonly write: (shard: string) => Promise<LogWriter>
  readonly read: (from: readonly ReadFrom[]) => Promise<LogReader>
  /** First and next offset of every partition that exists; rows and bytes are -1 where nobody counts them. */
  readonly ends: () => Promise<
    readonly (Partition & {
      readonly first: number
      readonly next: number
      readonly rows: number
      readonly bytes: number
    })[]
  >
  readonly close: () => Promise<void>
}

/** Named bytes that are written whole or not at all: checkpoints, lake files, Delta commits. */
export interface ObjectStore {
  readonly get: (path: string) => Promise<Uint8Array | undefined>
  /** Replace, durably. */
  readonly put: (path: string, bytes: Uint8Array) => Promise<void>
  /** False when the object exists already: of many who try, one wins. */
  readonly putIfAbsent: (path: string, bytes: Uint8Array) => Promise<boolean>
  /** Paths that begin with `prefix`, in order. */
  readonly list: (prefix: string) => Promise<readonly string[]>
  readonly remove: (path: string) => Promise<void>
}

/** An object that a listing names. */
export interface StoredObject {
  readonly path: string
  readonly size: number
  /** When it was written, by the store's clock, microseconds. */
  readonly modified: number
}

/** A store that also tells sizes and ages, and hands out parts: what looking after a lake needs. */
export interface ObjectArchive extends ObjectStore {
  /** As `list`, with what is known of each. */
  readonly listed: (prefix: string) => Promise<readonly StoredObject[]>
  /**
   * At most `length` bytes from `first` on; a `first` below zero counts from the end. Undefined: there is no
   * such object.
   */
  readonly range: (path: string, first: number, length: number) => Promise<Uint8Array | undefined>
}

/**
 * A frame that could not be mapped, or bytes that the log would not take, with what is needed to try again.
 */
export interface DeadLetter {
  readonly source: string
  readonly channel: string
  readonly connection: number
  readonly epoch: number
  readonly frame: number
  readonly received: number
  readonly symbol: string | undefined
  /** Which mapping said so: a hash of its text. */
  readonly mapping: string
  readonly error: string
  readonly bytes: Uint8Array
}

export interface DeadLetters {
  readonly add: (letter: DeadLetter) => void
}
