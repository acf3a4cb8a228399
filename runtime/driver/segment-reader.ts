import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { LogReader, Placed, ReadFrom } from '../../graph/port.ts'
import { closed, passed } from '../log.ts'
import { whenThere } from './disk.ts'
import { Cursor, followPast } from './segment-cursor.ts'
import type { Durable } from './segment-durable.ts'
import { headOf, segmentFile, segmentsOf } from './segment-folder.ts'
import { STEP, TABLE, kindAt, tableAt } from './segment-frame.ts'
import { indexOf } from './segment-index.ts'
import type { Chunk } from './segment-frame.ts'
import type { TableText } from './segment-name.ts'
import { Table } from './segment-table.ts'
import { Shown, Wanted } from './segment-wanted.ts'
import type { Lost, Want } from './segment-wanted.ts'

const CHUNK_BYTES_MIN = 64 << 10
const CHUNK_BYTES_MAX = 256 << 10
/** Of bytes that cannot be read a record keeps the first of them. */
const LETTER_BYTES_MAX = 1 << 20

/** Where the records of one read go: those of the step that was taken; returns how many it has. */
type Put = (wanted: Wanted) => number

/** Bytes that cannot be read, and were passed over. */
export interface PassedOver {
  readonly file: string
  readonly at: number
  readonly length: number
}

/**
 * Reads durable steps out of the segments, in this process or another. Offsets are dense, so a hole of any
 * cause is seen: where records are missing, damaged ones (`DAMAGED`) stand in their places, and the reader
 * goes on behind them. Damage that hit only other partitions is passed.
 */
export class SegmentReader implements LogReader {
  readonly #folder: string
  readonly #durable: Durable
  readonly #wanted: Wanted
  readonly #passed: (over: PassedOver) => void
  readonly #shown = new Shown()
  #segment = 0
  #cursor: Cursor | undefined
  /** Of the segment's file, once it is finished. */
  #size: number | undefined
  /** What was passed over last, until a record has it: a hole that comes after it is its doing. */
  #damage: Uint8Array = NOTHING
  #failure: Error | undefined
  #closed = false
  #reading: Promise<void> | undefined

  constructor(
    folder: string,
    durable: Durable,
    from: readonly ReadFrom[],
    passed: (over: PassedOver) => void,
  ) {
    this.#folder = folder
    this.#durable = durable
    this.#wanted = new Wanted(from)
    this.#passed = passed
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
      const state = this.#take(cursor, at)
      if (state === 'nothing') continue
      if (state === 'nameless') {
        if (await this.#look(cursor, at)) continue
        break
      }
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
      if (sealed) this.#wanted.define((await indexOf(this.#folder, this.#segment)).table)
      await this.#pass(cursor, end)
    }
    if (state !== 'end') return true
    if (!sealed) return false
    await this.#leave()
    return true
  }

  async #pass(cursor: Cursor, end: number): Promise<void> {
    const at = cursor.position
    const begin = cursor.chunk.bytes.slice(0, LETTER_BYTES_MAX)
    await cursor.skip(end)
    const length = cursor.position - at
    this.#damage = begin.subarray(0, length)
    this.#passed({ file: segmentFile(this.#folder, this.#segment), at, length })
  }

  /**
   * The names that the step at `at` has numbers of lay in a damaged frame: a table behind it says them again.
   * False: there is none yet.
   */
  async #look(cursor: Cursor, at: number): Promise<boolean> {
    cursor.again(at)
    if (this.#durable.segment > this.#segment) {
      this.#wanted.define((await indexOf(this.#folder, this.#segment)).table)
      this.#wanted.named = true
      return true
    }
    const table = new Table()
    table.doubt.all()
    await followPast(new Cursor(cursor.handle, cursor.position), this.#durable.length, table)
    if (table.doubt.why() !== undefined) return false
    this.#wanted.define(table.text())
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
    this.#wanted.named = false
    this.#cursor = new Cursor(handle, 0)
    const head = await headOf(this.#folder, next)
    if (head !== undefined && (first || skipped)) this.#check(head.text)
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

  /** Retention has not passed what is wanted. */
  #check(head: TableText): void {
    const lost = this.#wanted.ahead(head)
    if (lost !== undefined) this.#failure = passed(lost.want, lost.want.offset, lost.next)
  }

  /** Take one frame in, or damaged records for what is missing before it; then it comes again. */
  #take(cursor: Cursor, at: number): 'records' | 'nothing' | 'nameless' {
    const { chunk } = cursor
    const kind = kindAt(chunk, at)
    const state = kind === TABLE ? this.#define(tableAt(chunk, at) as TableText) : this.#step(chunk, at, kind)
    if (typeof state === 'string') return state
    cursor.again(at)
    this.#wanted.miss(state, this.#damage)
    this.#damage = NOTHING
    return 'records'
  }

  #define(text: TableText): 'nothing' | Lost {
    this.#wanted.define(text)
    return this.#wanted.ahead(text) ?? 'nothing'
  }

  #step(chunk: Chunk, at: number, kind: number): 'records' | 'nothing' | 'nameless' | Lost {
    if (kind !== STEP) return 'nothing'
    const state = this.#wanted.take(chunk, at)
    return state === 'taken' ? 'records' : state
  }
}

const NOTHING = new Uint8Array(0)
