import { readSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import {
  STEP,
  TABLE,
  chunkOf,
  kindAt,
  lengthAt,
  recordsAt,
  soundAfter,
  soundAt,
  stepAt,
  tableAt,
} from './segment-frame.ts'
import type { Chunk } from './segment-frame.ts'
import { alignedBytes, readInto } from './segment-folder.ts'
import type { Marks } from './segment-index.ts'
import type { TableText } from './segment-name.ts'
import type { Table } from './segment-table.ts'

/** What the caches of a processor hold: the checksum reads it, and then the reader. */
const CHUNK_BYTES = 256 << 10

/**
 * A read that takes no longer than this, milliseconds, came out of the system's memory, as those of a log
 * mostly do.
 */
const QUICK_MS = 2
/**
 * So many reads behind a quick one are made at once: on another thread each would cost as much again, and
 * leave the bytes in the caches of another processor. Then one gives way to whatever else waits.
 */
const AT_ONCE = 16

/**
 * Walks the frames of a segment, a chunk of the file at a time. All chunks lie in the same memory, one after
 * the other: what is kept of one is copied before the next load.
 */
export class Cursor {
  chunk: Chunk
  readonly handle: FileHandle
  #at = 0
  /** The frame that a load has found to be sound; -1: none. */
  #sound = -1
  #room: Uint8Array = NOTHING
  /** How many of the next reads are made at once. */
  #atOnce = 0

  constructor(handle: FileHandle, position: number) {
    this.handle = handle
    this.chunk = chunkOf(NOTHING, position)
  }

  /** Of the next frame, in the segment. */
  get position(): number {
    return this.chunk.position + this.#at
  }

  /** Where the next frame lies in the chunk; -1: the chunk has no more whole and sound ones. */
  next(): number {
    const at = this.#at
    const length = lengthAt(this.chunk, at)
    if (at !== this.#sound && !soundAt(this.chunk, at, length)) return -1
    this.#at += length
    return at
  }

  /** The frame that was given is given again. */
  again(at: number): void {
    this.#at = at
    this.#sound = at
  }

  /** Load what comes next, up to `end`. `damaged`: the frame there is not what was written. */
  async load(end: number, bytes = CHUNK_BYTES): Promise<'loaded' | 'end' | 'damaged'> {
    const { position } = this
    const there = end - position
    if (there <= 0) return 'end'
    await this.#fill(position, Math.min(there, bytes))
    const length = lengthAt(this.chunk, 0)
    if (length > there) return 'damaged'
    if (length > this.chunk.bytes.length) await this.#fill(position, length)
    if (!soundAt(this.chunk, 0, length)) return 'damaged'
    this.#sound = 0
    return 'loaded'
  }

  /** Go on behind damage: to the next sound frame before `end`, or to the end. */
  async skip(end: number): Promise<void> {
    const from = this.position + 8
    await this.#fill(from, Math.max(0, end - from))
    const found = soundAfter(this.chunk, 0)
    this.#at = found < 0 ? end - from : found
  }

  async #fill(position: number, length: number): Promise<void> {
    const { bytes, position: begin } = this.chunk
    const had = bytes.subarray(Math.min(position - begin, bytes.length)).subarray(0, length)
    if (length > this.#room.length) this.#room = alignedBytes(length)
    const to = this.#room
    to.set(had)
    const got = await this.#read(to.subarray(0, length), had.length, position + had.length)
    this.chunk = chunkOf(to.subarray(0, got), position)
    this.#at = 0
    this.#sound = -1
  }

  async #read(bytes: Uint8Array, at: number, position: number): Promise<number> {
    const begun = performance.now()
    const atOnce = this.#atOnce > 0 && bytes.length <= CHUNK_BYTES
    const now = atOnce ? readSync(this.handle.fd, bytes, at, bytes.length - at, position) : 0
    const got = await readInto(this.handle, bytes, at + now, position + now)
    if (performance.now() - begun > QUICK_MS) this.#atOnce = 0
    else this.#atOnce = atOnce ? this.#atOnce - 1 : AT_ONCE
    return got
  }
}

const NOTHING = new Uint8Array(0)

/** Bytes of a segment that cannot be read. */
export interface Damage {
  readonly at: number
  readonly length: number
}

/** Take the frames up to `end` into a table, and pass over what is damaged. Returns what that was. */
export const followPast = async (
  cursor: Cursor,
  end: number,
  table: Table,
  marks?: Marks,
): Promise<readonly Damage[]> => {
  const passed: Damage[] = []
  for (;;) {
    const at = await follow(cursor, end, table, marks)
    if (at >= end) return passed
    const believed = table.followDamaged(cursor.chunk, 0)
    await cursor.skip(end)
    const length = cursor.position - at
    if (believed !== length) table.doubt.all()
    passed.push({ at, length })
  }
}

/** Take the frames up to `end` into a table. Returns where it stopped: at the end, or at a damaged frame. */
export const follow = async (cursor: Cursor, end: number, table: Table, marks?: Marks): Promise<number> => {
  for (;;) {
    const at = cursor.next()
    if (at < 0) {
      if ((await cursor.load(end)) === 'loaded') continue
      return cursor.position
    }
    const { chunk } = cursor
    const kind = kindAt(chunk, at)
    if (kind === TABLE) table.define(tableAt(chunk, at) as TableText)
    if (kind !== STEP) continue
    table.follow(chunk, at)
    if (marks === undefined) continue
    recordsAt(chunk, at, stepAt(chunk, at), (lane, _, offset) =>
      marks.note(table.lanes[lane]?.place.id, offset, chunk.position + at),
    )
  }
}
