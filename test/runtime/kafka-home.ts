import type { LogReader, LogWriter, Partition, Placed, ReadFrom } from '../../graph/port.ts'
import { kafkaLog } from '../../runtime/driver/kafka-log.ts'
import type { KafkaLog, KafkaOptions } from '../../runtime/driver/kafka-log.ts'
import type { IdStore } from '../../runtime/driver/kafka-topic-ids.ts'
import { partitionKey } from '../../runtime/log.ts'
import type { Dropped, KeptLog, Limits } from '../../runtime/log.ts'
import type { Home } from './log-home.ts'
import { drain } from './steps.ts'

interface Ranked {
  readonly offset: number
  readonly rows: number
  readonly bytes: number
}

/**
 * Kafka's offsets have holes, where the markers of transactions lie, and the conformance suite counts
 * records from 0 on: this log says the rank of a record where Kafka says its offset. It also lets go of
 * records as the other drivers do themselves, and counts the rows that Kafka does not.
 */
class RankedLog implements KeptLog {
  readonly #log: KafkaLog
  readonly #ranks: Map<string, Ranked[]>
  readonly #holds: Map<string, readonly ReadFrom[]>

  constructor(log: KafkaLog, ranks: Map<string, Ranked[]>, holds: Map<string, readonly ReadFrom[]>) {
    this.#log = log
    this.#ranks = ranks
    this.#holds = holds
  }

  write(shard: string): Promise<LogWriter> {
    return this.#log.write(shard)
  }

  async read(from: readonly ReadFrom[]): Promise<LogReader> {
    for (const one of from) if (one.offset > 0) await this.#learn(one)
    const raw = from.map((one) => ({ ...one, offset: this.#offsetOf(one) }))
    const reader = await this.#log.read(raw)
    return {
      read: async (bytesMax, waitMs) =>
        (await reader.read(bytesMax, waitMs)).map((one) => ({ ...one, offset: this.#rank(one) })),
      close: () => reader.close(),
    }
  }

  async ends(): ReturnType<KeptLog['ends']> {
    const ends = await this.#log.ends()
    for (const end of ends) await this.#learn(end)
    return ends.map(({ topic, partition, first, next }) => {
      const ranks = this.#of({ topic, partition })
      const [from, to] = [ranks.filter((one) => one.offset < first), ranks.filter((one) => one.offset < next)]
      const kept = to.slice(from.length)
      const rows = kept.reduce((sum, one) => sum + one.rows, 0)
      const bytes = kept.reduce((sum, one) => sum + one.bytes, 0)
      return { topic, partition, first: from.length, next: to.length, rows, bytes }
    })
  }

  async hold(reader: string, positions: readonly ReadFrom[] | undefined): Promise<void> {
    if (positions === undefined) this.#holds.delete(reader)
    else this.#holds.set(reader, positions)
  }

  async retain({ bytes, pastReaders }: Limits): Promise<Dropped> {
    let gone = 0
    let heldBy: string | undefined
    for (const end of await this.ends()) {
      const ranks = this.#of(end)
      let kept = end.bytes
      let rank = end.first
      for (; kept > bytes && heldBy === undefined && rank < end.next - 1; rank++) {
        heldBy = pastReaders === true ? undefined : this.#holder(end, rank)
        if (heldBy !== undefined) break
        kept -= ranks[rank]!.bytes
        gone += ranks[rank]!.bytes
      }
      const { topic, partition } = end
      if (rank > end.first) await this.#log.topics.drop([{ topic, partition, offset: ranks[rank]!.offset }])
    }
    return { bytes: gone, heldBy }
  }

  close(): Promise<void> {
    return this.#log.close()
  }

  #holder({ topic, partition }: Partition, rank: number): string | undefined {
    const holds = ([, positions]: readonly [string, readonly ReadFrom[]]): boolean =>
      positions.some((one) => one.topic === topic && one.partition === partition && one.offset <= rank)
    return [...this.#holds].find(holds)?.[0]
  }

  #of({ topic, partition }: Partition): Ranked[] {
    const key = partitionKey(topic, partition)
    const ranks = this.#ranks.get(key) ?? []
    this.#ranks.set(key, ranks)
    return ranks
  }

  #offsetOf(from: ReadFrom): number {
    const ranks = this.#of(from)
    return ranks[from.offset]?.offset ?? (ranks.at(-1)?.offset ?? -1) + 1
  }

  #rank(placed: Placed): number {
    const ranks = this.#of(placed)
    const known = ranks.findIndex((one) => one.offset === placed.offset)
    if (known >= 0) return known
    return ranks.push({ offset: placed.offset, rows: placed.rows, bytes: placed.bytes.length }) - 1
  }

  /** What an append said of a record, as a rank: by what a reader finds there. */
  async rankOf(one: ReadFrom): Promise<number> {
    const rank = (): number => this.#of(one).findIndex(({ offset }) => offset === one.offset)
    if (rank() < 0) await this.#learn(one)
    return rank()
  }

  /** Read what has come since the last time. */
  async #learn({ topic, partition }: Partition): Promise<void> {
    const offset = (this.#of({ topic, partition }).at(-1)?.offset ?? -1) + 1
    const reader = await this.#log.read([{ topic, partition, offset }])
    for (const one of await drain(reader)) this.#rank(one)
    await reader.close()
  }
}

let homes = 0

/** Transactions as soon as there is a step, and little read ahead: the suite looks at what is next. */
const quick = (brokers: string, prefix: string): KafkaOptions => ({
  brokers,
  prefix,
  shardPartitions: 1,
  commitEveryMs: 0,
  reading: { 'fetch.message.max.bytes': 1, 'queued.max.messages.kbytes': 100 },
})

/** A log of its own on the brokers, by the names of its topics. */
export const kafkaHome = async (brokers: string): Promise<Home> => {
  const prefix = `home${++homes}.`
  const ranks = new Map<string, Ranked[]>()
  const holds = new Map<string, readonly ReadFrom[]>()
  return {
    open: async () => new RankedLog(await kafkaLog(quick(brokers, prefix)), ranks, holds),
    crash: (log) => log.close(),
    told: (log, one) => (log as RankedLog).rankOf(one),
    remove: async () => undefined,
  }
}

/** As a data folder remembers. */
export const memory = (): IdStore & { readonly kept: Map<string, Uint8Array> } => {
  const kept = new Map<string, Uint8Array>()
  return {
    kept,
    get: (path) => Promise.resolve(kept.get(path)),
    put: (path, bytes) => Promise.resolve(void kept.set(path, bytes)),
    putIfAbsent: (path, bytes) => Promise.resolve(!kept.has(path) && kept.set(path, bytes) === kept),
  }
}
