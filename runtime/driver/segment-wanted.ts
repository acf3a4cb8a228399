import type { Partition, Placed, ReadFrom } from '../../graph/port.ts'
import { DAMAGED, partitionKey } from '../log.ts'
import { alignedBytes } from './segment-folder.ts'
import { padded, recordsAt, stepAt } from './segment-frame.ts'
import type { Chunk, StepView } from './segment-frame.ts'
import type { TableText } from './segment-name.ts'

/** A partition that is read, and the offset that has to come next. */
export interface Want extends Partition {
  offset: number
}

/** What must come next of a partition, and what comes instead. */
export interface Lost {
  readonly want: Want
  readonly next: number
}

interface NamedLane extends Partition {
  readonly schema: string
  readonly want: Want | undefined
}

/** Where a wanted record lies in its chunk. One is used again and again. */
interface Slot {
  lane: NamedLane
  rows: number
  offset: number
  from: number
  to: number
}

const SLAB_BYTES = 64 << 10
/** Of a long hole this many at a time. */
const MISSED_MAX = 1024
const NOTHING = new Uint8Array(0)
const NO_STEP: StepView = { step: -1, time: 0, shard: 0, epoch: 0, inputs: 0, records: 0 }

/**
 * The partitions that a reader wants, and what a step has of them. Names that the numbers of a segment stand
 * for are learned on the way.
 */
export class Wanted {
  /** Bytes of the records that the step has of them, or of those that are missing. */
  bytes = 0
  /** All names that there are for this segment are known. */
  named = false
  readonly #wants = new Map<string, Want>()
  readonly #lanes: NamedLane[] = []
  readonly #places: Partition[] = []
  readonly #shards: string[] = []
  readonly #slots: Slot[] = []
  #count = 0
  #step = NO_STEP
  /** Of the chunk that the step lies in. */
  #bytes: Uint8Array = NOTHING
  /** Where records are that are kept: small, so that one that is kept long keeps little else. */
  #slab: Uint8Array = NOTHING
  #used = 0

  constructor(from: readonly ReadFrom[]) {
    for (const { topic, partition, offset } of from)
      this.#wants.set(partitionKey(topic, partition), { topic, partition, offset })
  }

  define({ places, lanes, shards }: TableText): void {
    for (const [id, topic, partition] of places) this.#places[id] = { topic, partition }
    for (const [id, place, schema] of lanes) {
      const { topic, partition } = this.#places[place]!
      this.#lanes[id] = { topic, partition, schema, want: this.#want({ topic, partition }) }
    }
    for (const [id, name] of shards) this.#shards[id] = name
  }

  /** What is wanted of the place with this number. */
  wantAt(place: number): Want | undefined {
    const known = this.#places[place]
    return known === undefined ? undefined : this.#want(known)
  }

  /** The segment that begins like this begins behind what is wanted. */
  ahead(head: TableText): Lost | undefined {
    for (const [, topic, partition, next] of head.places) {
      const want = this.#want({ topic, partition })
      if (want !== undefined && next > want.offset) return { want, next }
    }
    return undefined
  }

  /**
   * Take in the step at `at`, and go on behind it. Of a step that cannot be taken whole nothing is: records
   * before it are missing, or a number has no name.
   */
  take(chunk: Chunk, at: number): 'taken' | 'nameless' | Lost {
    let failure: 'nameless' | Lost | undefined
    this.#count = 0
    this.bytes = 0
    this.#step = stepAt(chunk, at)
    this.#bytes = chunk.bytes
    recordsAt(chunk, at, this.#step, (id, rows, offset, from, to) => {
      const lane = this.#lanes[id]
      const want = lane?.want
      if (lane === undefined && !this.named) failure ??= 'nameless'
      if (lane === undefined || want === undefined || offset < want.offset) return
      if (offset > want.offset) {
        failure ??= { want, next: offset }
        return
      }
      want.offset++
      this.bytes += to - from
      this.#slot(lane, rows, offset, from, to)
    })
    if (failure === undefined) return 'taken'
    for (let i = this.#count; i-- > 0;) this.#slots[i]!.lane.want!.offset = this.#slots[i]!.offset
    this.#count = 0
    return failure
  }

  /**
   * Put damaged records where some are missing, as many as one step may have, and go on behind them; the
   * first has the bytes.
   */
  miss({ want, next }: Lost, bytes: Uint8Array): void {
    const { topic, partition, offset } = want
    const lane = { topic, partition, schema: DAMAGED, want }
    const end = Math.min(next, offset + MISSED_MAX)
    this.#count = 0
    this.bytes = bytes.length
    this.#bytes = bytes
    this.#step = { ...NO_STEP, step: offset, time: this.#step.time, epoch: -1, shard: -1 }
    for (; want.offset < end; want.offset++)
      this.#slot(lane, 0, want.offset, 0, want.offset === offset ? bytes.length : 0)
  }

  /** Add copies of the records of the step that was taken. Returns how many. */
  into(found: Placed[]): number {
    const { epoch, step, time } = this.#step
    const shard = this.#shards[this.#step.shard] ?? ''
    for (let i = 0; i < this.#count;) {
      const end = this.#runFrom(i)
      const { from: begin } = this.#slots[i]!
      const at = this.#kept(begin, this.#slots[end - 1]!.to) - begin
      const { buffer } = this.#slab
      for (; i < end; i++) {
        const { lane, rows, offset, from, to } = this.#slots[i]!
        const { topic, partition, schema } = lane
        const bytes = new Uint8Array(buffer, at + from, to - from)
        found.push({ topic, partition, schema, rows, bytes, offset, shard, epoch, step, time })
      }
    }
    return this.#count
  }

  /** Where the records end that lie one behind the other from this one on, and in one slab. */
  #runFrom(first: number): number {
    const most = this.#slots[first]!.from + SLAB_BYTES
    let end = first + 1
    for (; end < this.#count; end++) {
      const { from, to } = this.#slots[end]!
      if (to > most || from !== padded(this.#slots[end - 1]!.to)) break
    }
    return end
  }

  /** Copy bytes of the chunk to where they stay; returns where that is in the slab. */
  #kept(from: number, to: number): number {
    const length = to - from
    if (this.#used + length > this.#slab.length) {
      this.#slab = alignedBytes(Math.max(SLAB_BYTES, length))
      this.#used = 0
    }
    const at = this.#used
    this.#slab.set(this.#bytes.subarray(from, to), at)
    this.#used = padded(at + length)
    return at
  }

  /** Show the records of the step that was taken, all as the same object. Returns how many. */
  show(record: Shown, see: (record: Placed) => void): number {
    record.shard = this.#shards[this.#step.shard] ?? ''
    record.epoch = this.#step.epoch
    record.step = this.#step.step
    record.time = this.#step.time
    const { buffer, byteOffset } = this.#bytes
    const count = this.#count
    for (let i = 0; i < count; i++) {
      const { lane, rows, offset, from, to } = this.#slots[i]!
      record.topic = lane.topic
      record.partition = lane.partition
      record.schema = lane.schema
      record.rows = rows
      record.offset = offset
      record.bytes = new Uint8Array(buffer, byteOffset + from, to - from)
      see(record)
    }
    return count
  }

  #want({ topic, partition }: Partition): Want | undefined {
    return this.#wants.get(partitionKey(topic, partition))
  }

  #slot(lane: NamedLane, rows: number, offset: number, from: number, to: number): void {
    const slot = this.#slots[this.#count++]
    if (slot === undefined) {
      this.#slots.push({ lane, rows, offset, from, to })
      return
    }
    slot.lane = lane
    slot.rows = rows
    slot.offset = offset
    slot.from = from
    slot.to = to
  }
}

/** A record that is shown: the next one takes its place. */
export class Shown implements Placed {
  topic = ''
  partition = 0
  schema = ''
  rows = 0
  bytes: Uint8Array = new Uint8Array(0)
  offset = 0
  shard = ''
  epoch = 0
  step = 0
  time = 0
}
