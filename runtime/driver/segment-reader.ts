import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { LogReader, Partition, Placed, ReadFrom } from '../../graph/port.ts'
import { closed, partitionKey, passed } from '../log.ts'
import { whenThere } from './disk.ts'
import { Cursor } from './segment-cursor.ts'
import type { Durable } from './segment-durable.ts'
import { damaged, headOf, segmentFile, segmentsOf } from './segment-folder.ts'
import { STEP, TABLE, kindAt, recordsAt, stepAt, tableAt } from './segment-frame.ts'
import { indexOf } from './segment-index.ts'
import type { TableText } from './segment-name.ts'

const CHUNK_BYTES_MIN = 64 << 10
const CHUNK_BYTES_MAX = 1 << 20

/** A partition that is read, and the offset that has to come next. */
interface Want extends Partition {
  offset: number
}

interface NamedLane extends Partition {
  readonly schema: string
  readonly want: Want | undefined
}

/**
 * Reads durable steps out of the segments, in this process or another. Offsets are dense, so a hole of any
 * cause is seen: it is an error, and the reader gives nothing more after it. Damage that hit only other
 * partitions is passed.
 */
export class SegmentReader implements LogReader {
  readonly #folder: string
  readonly #durable: Durable
  readonly #wants = new Map<string, Want>()
  readonly #lanes: NamedLane[] = []
  readonly #places: Partition[] = []
  readonly #shards: string[] = []
  #segment = 0
  #cursor: Cursor | undefined
  /** Of the segment's file, once it is finished. */
  #size: number | undefined
  /** The damage that was passed last: a hole that comes after it is its doing. */
  #damage: { readonly file: string; readonly at: number } | undefined
  #failure: Error | undefined
  #closed = false
  #reading: Promise<void> | undefined

  constructor(folder: string, durable: Durable, from: readonly ReadFrom[]) {
    this.#folder = folder
    this.#durable = durable
    for (const { topic, partition, offset } of from)
      this.#wants.set(partitionKey(topic, partition), { topic, partition, offset })
  }

  read(bytesMax: number, waitMs: number): Promise<readonly Placed[]> {
    if (this.#closed) return Promise.reject(closed())
    const reading = this.#read(bytesMax, waitMs)
    this.#reading = reading.then(
      () => undefined,
      () => undefined,
    )
    return reading
  }

  /** A read that waits comes back empty. */
  async close(): Promise<void> {
    this.#closed = true
    this.#durable.interrupt()
    await this.#reading
    await this.#leave()
  }

  async #read(bytesMax: number, waitMs: number): Promise<readonly Placed[]> {
    const until = performance.now() + waitMs
    for (;;) {
      this.#durable.refresh()
      const seen = this.#durable.seen()
      const found = await this.#found(bytesMax)
      const left = until - performance.now()
      if (found.length > 0 || this.#closed) return found
      if (this.#failure !== undefined) throw this.#failure
      if (left <= 0) return found
      await this.#durable.wait(seen, left)
    }
  }

  /** What is there now. An error becomes the reader's end, behind what was found before it. */
  async #found(bytesMax: number): Promise<readonly Placed[]> {
    const found: Placed[] = []
    const chunkBytes = Math.min(Math.max(bytesMax, CHUNK_BYTES_MIN), CHUNK_BYTES_MAX)
    let bytes = 0
    while (this.#failure === undefined && !this.#closed && (found.length === 0 || bytes < bytesMax)) {
      if (this.#cursor === undefined && !(await this.#enter())) break
      const cursor: Cursor | undefined = this.#cursor
      if (cursor === undefined) continue
      const at = cursor.next()
      if (at >= 0) bytes += this.#take(cursor, at, found)
      else if (!(await this.#load(cursor, chunkBytes))) break
    }
    return found
  }

  /** False: there is nothing more yet. */
  async #load(cursor: Cursor, chunkBytes: number): Promise<boolean> {
    const sealed = this.#durable.segment > this.#segment
    const end = sealed ? (this.#size ??= (await cursor.handle.stat()).size) : this.#durable.length
    const state = await cursor.load(end, chunkBytes)
    if (state === 'damaged') {
      this.#damage = { file: segmentFile(this.#folder, this.#segment), at: cursor.position }
      if (sealed) this.#define((await indexOf(this.#folder, this.#segment)).table)
      await cursor.skip(end)
    }
    if (state !== 'end') return true
    if (!sealed) return false
    await this.#leave()
    return true
  }

  async #leave(): Promise<void> {
    const cursor = this.#cursor
    this.#cursor = undefined
    await cursor?.handle.close()
  }

  /** Go to the next segment, or find the first. False: the log has none yet. */
  async #enter(): Promise<boolean> {
    const segments = (await segmentsOf(this.#folder)).filter((one) => one <= this.#durable.segment)
    const next =
      this.#segment === 0 ? await this.#start(segments) : segments.find((one) => one > this.#segment)
    if (next === undefined) return false
    const handle = await whenThere(open(segmentFile(this.#folder, next), 'r'))
    if (handle === undefined) return true
    const first = this.#segment === 0
    const skipped = !first && next !== this.#segment + 1
    this.#segment = next
    this.#size = undefined
    this.#cursor = new Cursor(handle, 0)
    const head = await headOf(this.#folder, next)
    if (head !== undefined) this.#check(head.text, first || skipped)
    if (first && next < this.#durable.segment) await this.#jump(handle)
    return true
  }

  /** The last segment that begins at or before all that is wanted; the first one, when none does. */
  async #start(segments: readonly number[]): Promise<number | undefined> {
    for (const segment of segments.toReversed()) {
      const head = await headOf(this.#folder, segment)
      if (head !== undefined && this.#ahead(head.text) === undefined) return segment
    }
    return segments[0]
  }

  /** Skip what an index says is not wanted. */
  async #jump(handle: FileHandle): Promise<void> {
    const { table, marks } = await indexOf(this.#folder, this.#segment)
    this.#define(table)
    const from = new Map<Want, number>()
    for (const [place, offset, position] of marks) {
      const want = this.#wantOf(this.#places[place])
      if (want === undefined) continue
      if (offset <= want.offset || !from.has(want)) from.set(want, position)
    }
    this.#cursor = new Cursor(
      handle,
      from.size === 0 ? (await handle.stat()).size : Math.min(...from.values()),
    )
  }

  /** A segment begins at offsets that are wanted, or before them: else something is lost. */
  #check(head: TableText, byRetention: boolean): void {
    const lost = this.#ahead(head)
    if (lost === undefined) return
    const { want, next } = lost
    this.#failure = byRetention ? passed(want, want.offset, next) : this.#hole(want, next, 0)
  }

  #ahead(head: TableText): { readonly want: Want; readonly next: number } | undefined {
    for (const [, topic, partition, next] of head.places) {
      const want = this.#wants.get(partitionKey(topic, partition))
      if (want !== undefined && next > want.offset) return { want, next }
    }
    return undefined
  }

  #hole({ topic, partition, offset }: Want, next: number, at: number): Error {
    const damage = this.#damage ?? { file: segmentFile(this.#folder, this.#segment), at }
    const why = `Offsets ${offset} to ${next - 1} of topic "${topic}" partition ${partition} lay there.`
    return damaged(damage.file, damage.at, why, { topic, partition, offset, next })
  }

  #nameless(at: number): Error {
    return damaged(
      segmentFile(this.#folder, this.#segment),
      at,
      'The names that its numbers stand for lay in a damaged frame.',
    )
  }

  #wantOf(place: Partition | undefined): Want | undefined {
    return place === undefined ? undefined : this.#wants.get(partitionKey(place.topic, place.partition))
  }

  #define({ places, lanes, shards }: TableText): void {
    for (const [id, topic, partition] of places) this.#places[id] = { topic, partition }
    for (const [id, place, schema] of lanes) {
      const { topic, partition } = this.#places[place]!
      this.#lanes[id] = { topic, partition, schema, want: this.#wants.get(partitionKey(topic, partition)) }
    }
    for (const [id, name] of shards) this.#shards[id] = name
  }

  /** Take one frame in; what is wanted of it goes to `found`. Returns its bytes. */
  #take({ chunk }: Cursor, at: number, found: Placed[]): number {
    const kind = kindAt(chunk, at)
    if (kind === TABLE) this.#define(tableAt(chunk, at) as TableText)
    if (kind !== STEP) return 0
    const view = stepAt(chunk, at)
    const shard = this.#shards[view.shard]!
    const { epoch, step, time } = view
    const before = found.length
    const { buffer, byteOffset } = chunk.bytes
    let size = 0
    recordsAt(chunk, at, view, (id, rows, offset, from, to) => {
      const lane = this.#lanes[id]
      const want = lane?.want
      if (lane === undefined) this.#failure ??= this.#nameless(chunk.position + at)
      if (lane === undefined || want === undefined || offset < want.offset) return
      if (offset > want.offset) {
        this.#failure ??= this.#hole(want, offset, chunk.position + at)
        return
      }
      want.offset++
      size += to - from
      const { topic, partition, schema } = lane
      found.push({
        topic,
        partition,
        schema,
        rows,
        bytes: new Uint8Array(buffer, byteOffset + from, to - from),
        offset,
        shard,
        epoch,
        step,
        time,
      })
    })
    if (this.#failure !== undefined) found.length = before
    return size
  }
}
