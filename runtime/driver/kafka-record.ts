import type { LogRecord, Partition, Placed, Step } from '../../graph/port.ts'
import { partitionKey } from '../log.ts'
import type { KafkaMessage } from './kafka-library.ts'

/** A record as it was read, and how many records its step has in each partition. */
export interface Found {
  readonly placed: Placed
  readonly counts: ReadonlyMap<string, number>
}

/**
 * The partitions of a step, as the header `kt-with` has them: `trade/0,3*2 quote/0` are one record in
 * partition 0 of trade, two in 3, and one in partition 0 of quote. By it a reader of several partitions knows
 * when it has the step whole.
 */
export const withOf = (records: readonly LogRecord[]): string => {
  const topics = new Map<string, Map<number, number>>()
  for (const { topic, partition } of records) {
    const counts = topics.get(topic) ?? new Map<number, number>()
    topics.set(topic, counts.set(partition, (counts.get(partition) ?? 0) + 1))
  }
  return Array.from(topics, ([topic, counts]) => {
    const places = Array.from(counts, ([partition, n]) => (n === 1 ? partition : `${partition}*${n}`))
    return `${topic}/${places.join(',')}`
  }).join(' ')
}

/** The headers of a record: all that the log knows of it, beside its bytes. */
export const headersOf = (
  { shard, step, time }: Step,
  epoch: number,
  { schema, rows }: LogRecord,
  together: string,
): readonly Readonly<Record<string, string>>[] => [
  { 'kt-schema': schema },
  { 'kt-rows': String(rows) },
  { 'kt-shard': shard },
  { 'kt-epoch': String(epoch) },
  { 'kt-step': String(step) },
  { 'kt-time': String(time) },
  { 'kt-with': together },
]

/** Reads messages back. The partitions of a step repeat from step to step, so that they are read once. */
export class Records {
  readonly #counts = new Map<string, ReadonlyMap<string, number>>()
  readonly #prefix: string

  /** `prefix` stands before the names of all topics, and not in what kt sees. */
  constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** Undefined: it was not written by kt. */
  of({ topic: name, partition, offset, value, headers }: KafkaMessage): Found | undefined {
    const all = Object.assign({}, ...(headers ?? [])) as Readonly<Record<string, string | Buffer>>
    const text = (header: string): string => String(all[header] ?? '')
    if (value === null || all['kt-step'] === undefined) return undefined
    const placed: Placed = {
      topic: name.slice(this.#prefix.length),
      partition,
      schema: text('kt-schema'),
      rows: Number(text('kt-rows')),
      // Batches are read where they lie, which takes a multiple of 8.
      bytes: value.byteOffset % 8 === 0 ? plain(value) : new Uint8Array(value),
      offset,
      shard: text('kt-shard'),
      epoch: Number(text('kt-epoch')),
      step: Number(text('kt-step')),
      time: Number(text('kt-time')),
    }
    return { placed, counts: this.#countsOf(text('kt-with')) }
  }

  #countsOf(together: string): ReadonlyMap<string, number> {
    const known = this.#counts.get(together)
    if (known !== undefined) return known
    if (this.#counts.size >= KNOWN_MAX) this.#counts.clear()
    const counts = new Map<string, number>()
    for (const one of together.split(' ')) {
      const [topic, places] = one.split('/') as [string, string]
      for (const place of places.split(',')) {
        const [partition, n = '1'] = place.split('*') as [string, string?]
        counts.set(partitionKey(topic, Number(partition)), Number(n))
      }
    }
    this.#counts.set(together, counts)
    return counts
  }
}

const KNOWN_MAX = 1000

const plain = ({ buffer, byteOffset, length }: Buffer): Uint8Array =>
  new Uint8Array(buffer, byteOffset, length)

/** Where a shard stands, as the topic of the shards holds it. */
export interface Standing {
  readonly epoch: number
  /** -1: it took the shard, and has written nothing. */
  readonly step: number
  readonly time: number
  readonly inputs: readonly (Partition & { readonly next: number })[]
}
