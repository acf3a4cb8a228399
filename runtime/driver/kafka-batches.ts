import type { Partition, ReadFrom } from '../../graph/port.ts'
import type { KafkaAccess } from './kafka-access.ts'
import { METADATA, Writing, openWire } from './kafka-wire.ts'
import type { Reading } from './kafka-wire.ts'

/** A batch of records that is not what was written to the brokers. */
export interface Damaged {
  /** The offset of its first record that is still to be read. */
  readonly first: number
  /** The offset of its last record. */
  readonly last: number
  /** Its newest record, by the brokers' clock, milliseconds. */
  readonly timeMs: number
  readonly bytes: Uint8Array
}

/**
 * Who leads a partition, as `host:port`; undefined: nobody does now. `absent`: there is no such topic.
 * `topic` is with its prefix, here and below.
 */
export const leaderOf = async (
  access: KafkaAccess,
  { topic, partition }: Partition,
): Promise<string | undefined> => {
  const wire = await openWire(access)
  try {
    const body = new Writing()
    const answer = await wire.ask(METADATA, 4, body.list([topic], (name) => void body.text(name)).int(1, 0))
    answer.int(4)
    const hosts = new Map(
      answer.list(() => {
        const [id, host, port] = [answer.int(4), answer.text(), answer.int(4)]
        answer.text()
        return [id, `${host}:${port}`] as const
      }),
    )
    answer.text()
    answer.int(4)
    const [found] = answer.list(() => {
      const error = answer.int(2)
      answer.text()
      answer.int(1)
      return { error, leaders: new Map(answer.list(() => leaderIn(answer))) }
    })
    if (found?.error === UNKNOWN_TOPIC) return ABSENT
    return hosts.get(found?.leaders.get(partition) ?? -1)
  } finally {
    wire.close()
  }
}

export const ABSENT = 'absent'
const UNKNOWN_TOPIC = 3

const leaderIn = (answer: Reading): readonly [number, number] => {
  answer.int(2)
  const one = [answer.int(4), answer.int(4)] as const
  answer.list(() => answer.int(4))
  answer.list(() => answer.int(4))
  return one
}

/**
 * The next batch to read from an offset on: a damaged one, which the client library goes past without a word,
 * or at which it falls silent; a whole one; or undefined: none, or nobody says. `end`: where the partition
 * ends.
 */
export const nextBatch = async (
  access: KafkaAccess,
  place: ReadFrom,
  end: number,
): Promise<Damaged | 'whole' | undefined> => {
  const leader = await leaderOf(access, place)
  if (leader === undefined || leader === ABSENT) return undefined
  const { batches, aborted } = await fetched({ ...access, brokers: leader }, place)
  const left = new Set<number>()
  for (const [i, { base, last, control, producer, whole, timeMs, bytes }] of batches.entries()) {
    for (const one of aborted) if (one.first <= base) left.add(one.producer)
    const next = batches[i + 1]?.base ?? Math.min(end, Math.max(last, place.offset) + 1)
    // What is to be read of it comes next; markers and aborted records are passed over.
    if (next > place.offset && !whole)
      return { first: Math.max(base, place.offset), last: next - 1, timeMs, bytes }
    if (control) left.delete(producer)
    else if (next > place.offset && !left.has(producer)) return 'whole'
  }
  return undefined
}

interface Batch extends Omit<Damaged, 'first'> {
  /** The offset of its first record, and whose records they are: -1, nobody's who may abort them. */
  readonly base: number
  readonly producer: number
  /** It is the marker at the end of a transaction. */
  readonly control: boolean
  /** It has the checksum that it was written with. */
  readonly whole: boolean
}

interface Fetched {
  readonly batches: readonly Batch[]
  /** Transactions that were aborted: by whom, and from where on. */
  readonly aborted: readonly { readonly producer: number; readonly first: number }[]
}

/** What a leader keeps of a partition from the batch on in which an offset is, some MiB of it. */
const fetched = async (access: KafkaAccess, { topic, partition, offset }: ReadFrom): Promise<Fetched> => {
  const wire = await openWire(access)
  try {
    const body = new Writing().int(4, -1).int(4, 0).int(4, 1).int(4, BYTES_MAX).int(1, COMMITTED)
    const part = (): void => void body.int(4, partition).long(offset).int(4, BYTES_MAX)
    const answer = await wire.ask(
      FETCH,
      4,
      body.list([topic], (name) => void body.text(name).list([0], part)),
    )
    answer.int(4)
    const found = answer.list(() => {
      answer.text()
      return answer.list((): Fetched => {
        answer.int(4)
        answer.int(2)
        answer.long()
        answer.long()
        const aborted = answer.list(() => ({ producer: answer.long(), first: answer.long() }))
        return { aborted, batches: batchesIn(answer.blob()) }
      })
    })
    return found[0]?.[0] ?? { batches: [], aborted: [] }
  } finally {
    wire.close()
  }
}

const FETCH = 1
const COMMITTED = 1
const BYTES_MAX = 1 << 20

/**
 * Batches one behind the other; the last one may be cut off.
 *
 * @see https://kafka.apache.org/documentation/#recordbatch
 */
const batchesIn = (bytes: Buffer): readonly Batch[] => {
  const batches: Batch[] = []
  for (let at = 0; at + HEAD_BYTES <= bytes.length;) {
    const end = at + LENGTH_END + bytes.readInt32BE(at + LENGTH_AT)
    if (end > bytes.length || end < at + HEAD_BYTES) break
    const base = Number(bytes.readBigInt64BE(at))
    batches.push({
      base,
      last: base + bytes.readInt32BE(at + LAST_AT),
      timeMs: Number(bytes.readBigInt64BE(at + TIME_AT)),
      producer: Number(bytes.readBigInt64BE(at + PRODUCER_AT)),
      control: (bytes.readInt16BE(at + ATTRIBUTES_AT) & CONTROL) !== 0,
      whole: bytes.readUInt32BE(at + CRC_AT) === crc32c(bytes.subarray(at + ATTRIBUTES_AT, end)),
      bytes: new Uint8Array(bytes.subarray(at, end)),
    })
    at = end
  }
  return batches
}

const LENGTH_AT = 8
const LENGTH_END = 12
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const LAST_AT = 23
const TIME_AT = 35
const PRODUCER_AT = 43
const HEAD_BYTES = 61
const CONTROL = 0x20

const CASTAGNOLI = 0x82f63b78
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ CASTAGNOLI
  return crc
})

/** The checksum of Kafka's batches, which is not that of `node:zlib`. */
const crc32c = (bytes: Uint8Array): number => {
  let crc = ~0
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8)
  return ~crc >>> 0
}
