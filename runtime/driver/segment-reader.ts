import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { LogReader, Placed, ReadFrom } from '../../graph/port.ts'
import { closed, passed } from '../log.ts'
import { whenThere } from './disk.ts'
import { Cursor } from './segment-cursor.ts'
import type { Durable } from './segment-durable.ts'
import { damaged, headOf, segmentFile, segmentsOf } from './segment-folder.ts'
import { STEP, TABLE, kindAt, tableAt } from './segment-frame.ts'
import { indexOf } from './segment-index.ts'
import type { TableText } from './segment-name.ts'
import { Shown, Wanted } from './segment-wanted.ts'
import type { Lost, Want } from './segment-wanted.ts'

const CHUNK_BYTES_MIN = 64 << 10
const CHUNK_BYTES_MAX = 256 << 10

/** Where the records of one read go: those of the step that was taken; returns how many it has. */
type Put = (wanted: Wanted) => number

/**
 * Reads durable steps out of the segments, in this process or another. Offsets are dense, so a hole of any
 * cause is seen: it is an error, and the reader gives nothing more after it. Damage that hit only other
 * partitions is passed.
 */
export class SegmentReader implements LogReader {
  readonly #folder: string
  readonly #durable: Durable
  readonly #wanted: Wanted
  readonly #shown = new Shown()
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
    this.#wanted = new Wanted(from)
  }

  async read(bytesMax: number, waitMs: number): Promise<readonly Placed[]> {
    const found: Placed[] = []
    const put = (wanted: Wanted): number => wanted.into(found)
    await this.#begin(bytesMax, waitMs, put)
    return found
  }

  scan(bytesMax: number, waitMs: number, see: (record: Placed) => void): Promise<number> {
    const put = (wanted: Wanted): number => wanted.show(this.#shown, see)
    return this.#begin(bytesMax, waitMs, put)
  }

  /** A read that waits comes back empty. */
  async close(): Promise<void> {
    this.#closed = true
    this.#durable.interrupt()
    await this.#reading
    await this.#leave()
  }

  #begin(bytesMax: number, waitMs: number, put: Put): Promise<number> {
    if (this.#closed) return Promise.reject(closed())
    const reading = this.#read(bytesMax, waitMs, put)
    this.#reading = reading.then(
      () => undefined,
      () => undefined,
    )
    return reading
  }

  async #read(bytesMax: number, waitMs: number, put: Put): Promise<number> {
    const until = performance.now() + waitMs
    for (;;) {
      this.#durable.refresh()
      const seen = this.#durable.seen()
      const found = await this.#found(bytesMax, put)
      const left = until - performance.now()
      if (found > 0 || this.#closed) return found
      if (this.#failure !== undefined) throw this.#failure
      if (left <= 0) return found
      await this.#durable.wait(seen, left)
    }
  }

  /** What is there now. An error becomes the reader's end, behind what was found before it. */
  async #found(bytesMax: number, put: Put): Promise<number> {
    const chunkBytes = Math.min(Math.max(bytesMax, CHUNK_BYTES_MIN), CHUNK_BYTES_MAX)
    let [found, bytes] = [0, 0]
    while (this.#failure === undefined && !this.#closed && (found === 0 || bytes < bytesMax)) {
      if (this.#cursor === undefined && !(await this.#enter())) break
      const cursor: Cursor | undefined = this.#cursor
      if (cursor === undefined) continue
      const at = cursor.next()
      if (at < 0) {
        if (await this.#load(cursor, chunkBytes)) continue
        break
      }
      if (!this.#take(cursor, at)) continue
      bytes += this.#wanted.bytes
      found += put(this.#wanted)
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
      if (sealed) this.#wanted.define((await indexOf(this.#folder, this.#segment)).table)
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
      if (head !== undefined && this.#wanted.ahead(head.text) === undefined) return segment
    }
    return segments[0]
  }

  /** Skip what an index says is not wanted. */
  async #jump(handle: FileHandle): Promise<void> {
    const { table, marks } = await indexOf(this.#folder, this.#segment)
    this.#wanted.define(table)
    const from = new Map<Want, number>()
    for (const [place, offset, position] of marks) {
      const want = this.#wanted.wantAt(place)
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
    const lost = this.#wanted.ahead(head)
    if (lost === undefined) return
    const { want, next } = lost
    this.#failure = byRetention ? passed(want, want.offset, next) : this.#hole(lost, 0)
  }

  #hole({ want: { topic, partition, offset }, next }: Lost, at: number): Error {
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

  /** Take one frame in. False: it has no records, or ends the reader. */
  #take({ chunk }: Cursor, at: number): boolean {
    const kind = kindAt(chunk, at)
    if (kind === TABLE) this.#wanted.define(tableAt(chunk, at) as TableText)
    if (kind !== STEP) return false
    const state = this.#wanted.take(chunk, at)
    if (state === 'taken') return true
    const position = chunk.position + at
    this.#failure = state === 'nameless' ? this.#nameless(position) : this.#hole(state, position)
    return false
  }
}
