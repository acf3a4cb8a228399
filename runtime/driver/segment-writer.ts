import { open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { Step } from '../../graph/port.ts'
import { closed, full, refusalOf } from '../log.ts'
import { errnoOf, syncFolder } from './disk.ts'
import type { Durable } from './segment-durable.ts'
import { refusedByDisk, segmentFile } from './segment-folder.ts'
import { Frames } from './segment-frame.ts'
import { Marks, writeIndex } from './segment-index.ts'
import type { Tail } from './segment-recovery.ts'
import type { Lane, Shard, TableText } from './segment-name.ts'
import type { Table } from './segment-table.ts'

const FRAMES_BYTES = 1 << 20
/** Tables that say everything are so far apart, and so many times as far as they are long. */
const TABLES_APART_BYTES = 64 << 10
const TABLES_APART = 32
/** Where names were given since. */
const NAMES_APART = 4
const SPARE_BYTES_MAX = 16 << 20

export interface WriterOptions {
  readonly segmentBytes: number
  readonly pendingBytesMax: number
  /** A segment was finished. */
  readonly sealed: () => Promise<void>
}

/** One append on its way. A claim of an epoch has no step. */
interface Appended {
  readonly shard: Shard
  readonly step: Step | undefined
  readonly lanes: readonly Lane[]
  readonly offsets: readonly number[]
}

interface Pending extends Appended {
  readonly resolve: (offsets: readonly number[]) => void
  readonly reject: (error: unknown) => void
}

/** What one write and one fdatasync make durable. */
interface Group {
  readonly segment: number
  readonly position: number
  readonly frames: Frames
  readonly marks: Marks
  readonly pending: Pending[]
}

/**
 * Group commit. While one group is on its way to the disk the next one fills, already encoded, and leaves as
 * soon as the disk is free. When a write is refused, all that was handed over and is not durable is refused
 * with it (later steps must not overtake), the file is cut back to its durable length, and the next append
 * begins from there.
 */
export class SegmentWriter {
  readonly table: Table
  readonly #folder: string
  readonly #durable: Durable
  readonly #options: WriterOptions
  #handle: FileHandle | undefined
  #marks: Marks
  #filling: Group | undefined
  #writing: Group | undefined
  #spare: Frames | undefined
  #running: Promise<void> | undefined
  #sealing: Promise<void> = Promise.resolve()
  #torn = false
  #closed = false
  #pendingBytes = 0
  /** Of the table that said everything last, in its segment. */
  #wholeAt = -Infinity
  #wholeBytes = 0
  /** Names were given behind it. */
  #named = false
  /** Nothing more goes into this segment. */
  #ended: number

  constructor(folder: string, durable: Durable, tail: Tail, options: WriterOptions) {
    this.#folder = folder
    this.#durable = durable
    this.#options = options
    this.table = tail.table
    this.#marks = tail.marks
    this.#handle = tail.handle
    this.#ended = tail.ended ? durable.segment : 0
  }

  /** Settles when the step is durable and every reader may see it, with the offsets of its records. */
  append(shard: Shard, step: Step): Promise<readonly number[]> {
    const refusal = this.#closed ? closed() : refusalOf(shard.name, step, shard.step)
    if (refusal !== undefined) return Promise.reject(refusal)
    const bytes = bytesOf(step)
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > this.#options.pendingBytesMax) {
      return Promise.reject(full(this.#pendingBytes, this.#options.pendingBytesMax))
    }
    const group = (this.#filling ??= this.#begin())
    const { frames } = group
    const known = group.segment === this.#durable.segment ? this.#durable.length : 0
    const { lanes, text } = this.table.naming(step, shard)
    this.#name(group, text, known)
    const position = group.position + frames.length
    const coded = this.table.stage(step, shard, lanes)
    frames.step(step, coded, known)
    lanes.forEach(({ place }, i) => group.marks.note(place.id, coded.offsets[i]!, position))
    this.#pendingBytes += bytes
    return this.#push(group, { shard, step, lanes, offsets: coded.offsets })
  }

  /** The next epoch of a shard, once it is durable. From this call on the older ones are refused. */
  async claim(name: string): Promise<{ readonly shard: Shard; readonly epoch: number }> {
    if (this.#closed) throw closed()
    const group = (this.#filling ??= this.#begin())
    const { shard, text } = this.table.claim(name)
    const { epoch } = shard
    group.frames.table(text, 0)
    await this.#push(group, { shard, step: undefined, lanes: [], offsets: [] })
    return { shard, epoch }
  }

  async close(): Promise<void> {
    this.#closed = true
    while (this.#running !== undefined) await this.#running
    await this.#end().catch(unlessRefused)
    await this.#sealing
    await this.#handle?.close()
    this.#handle = undefined
  }

  #push(group: Group, appended: Appended): Promise<readonly number[]> {
    const promise = new Promise<readonly number[]>((resolve, reject) =>
      group.pending.push({ ...appended, resolve, reject }),
    )
    this.#running ??= this.#run()
    return promise
  }

  /**
   * A group begins where the one before it will end; a segment that is long enough is followed by a new one.
   */
  #begin(): Group {
    const before = this.#writing
    const { segment, position } =
      before === undefined
        ? { segment: this.#durable.segment, position: this.#durable.length }
        : { segment: before.segment, position: before.position + before.frames.length }
    const frames = this.#spare ?? new Frames(FRAMES_BYTES)
    this.#spare = undefined
    frames.clear()
    if (segment > 0 && segment !== this.#ended && position < this.#options.segmentBytes) {
      return { segment, position, frames, marks: before?.marks ?? this.#marks, pending: [] }
    }
    this.#whole(frames, 0, 0)
    return { segment: segment + 1, position: 0, frames, marks: new Marks(), pending: [] }
  }

  /**
   * Names come before the step that uses them; now and then all that is known does, for who cannot read what
   * lies before.
   */
  #name({ position, frames }: Group, text: TableText | undefined, known: number): void {
    const at = position + frames.length
    this.#named ||= text !== undefined
    const apart = (this.#named ? NAMES_APART : TABLES_APART) * this.#wholeBytes
    if (at - this.#wholeAt >= Math.max(TABLES_APART_BYTES, apart)) this.#whole(frames, at, known)
    else if (text !== undefined) frames.table(text, known)
  }

  #whole(frames: Frames, at: number, known: number): void {
    const { length } = frames
    frames.table(this.table.head(), known)
    this.#wholeAt = at
    this.#wholeBytes = frames.length - length
    this.#named = false
  }

  /** The last frame says everything: nothing before it has to be read to go on. */
  async #end(): Promise<void> {
    const { segment, length } = this.#durable
    if (this.#handle === undefined || length === this.#wholeAt + this.#wholeBytes) return
    const frames = new Frames(FRAMES_BYTES)
    this.#whole(frames, length, length)
    await this.#write({ segment, position: length, frames, marks: this.#marks, pending: [] })
  }

  async #run(): Promise<void> {
    // Appends of the same turn leave together.
    await new Promise((resolve) => setImmediate(resolve))
    for (let group = this.#filling; group !== undefined; group = this.#filling) {
      this.#filling = undefined
      this.#writing = group
      try {
        await this.#write(group)
        this.#settle(group)
      } catch (error) {
        await this.#refuse(group, error)
      }
    }
    this.#running = undefined
  }

  async #write(group: Group): Promise<void> {
    if (this.#torn) await this.#repair()
    const { segment, position, frames } = group
    const fresh = segment !== this.#durable.segment
    const before = this.#handle
    const handle = fresh ? await open(segmentFile(this.#folder, segment), 'w+') : before!
    try {
      await writeAll(handle, frames.bytes, frames.length, position)
      await handle.datasync()
      if (fresh) await syncFolder(this.#folder)
      this.#durable.publish(segment, position + frames.length)
    } catch (error) {
      if (fresh) await handle.close()
      throw error
    }
    if (!fresh) return
    this.#handle = handle
    if (before !== undefined) this.#seal(segment - 1, before, this.#marks)
    this.#marks = group.marks
  }

  #settle({ pending, frames }: Group): void {
    this.#writing = undefined
    if (frames.bytes.length <= SPARE_BYTES_MAX) this.#spare = frames
    for (const { step, shard, lanes, offsets, resolve } of pending) {
      if (step !== undefined) {
        this.table.settle(step, shard, lanes)
        this.#pendingBytes -= bytesOf(step)
      }
      resolve(offsets)
    }
  }

  async #refuse(group: Group, error: unknown): Promise<void> {
    const why = errnoOf(error) === undefined ? error : refusedByDisk(this.#folder, error)
    const refused = [...group.pending, ...(this.#filling?.pending ?? [])]
    this.#writing = undefined
    this.#filling = undefined
    this.#pendingBytes = 0
    this.#torn = true
    this.table.forget()
    this.#marks.cut(this.#durable.length)
    this.#wholeAt = -Infinity
    for (const { reject } of refused) reject(why)
    // When this is refused too the file stays torn: it is tried again before the next write, which then says
    // why.
    await this.#repair().catch(() => undefined)
  }

  /** Nothing behind the durable length may stay: the next write begins there. */
  async #repair(): Promise<void> {
    const { segment, length } = this.#durable
    await rm(segmentFile(this.#folder, segment + 1), { force: true })
    await this.#handle?.truncate(length)
    this.#torn = false
  }

  /**
   * What a finished segment needs is done beside the hot path; where the disk refuses it, it is made again by
   * who needs it.
   */
  #seal(segment: number, handle: FileHandle, marks: Marks): void {
    const index = { table: this.table.text(), marks: marks.all() }
    const finish = async (): Promise<void> => {
      await handle.close()
      this.#durable.sync()
      await writeIndex(this.#folder, segment, index)
    }
    this.#sealing = this.#sealing
      .then(finish)
      .catch(unlessRefused)
      .then(this.#options.sealed)
      .catch(unlessRefused)
  }
}

/** What the disk refuses here can be made again. */
const unlessRefused = (error: unknown): void => {
  if (errnoOf(error) === undefined) throw error
}

const bytesOf = (step: Step): number => step.records.reduce((sum, { bytes }) => sum + bytes.length, 0)

const writeAll = async (
  handle: FileHandle,
  bytes: Uint8Array,
  length: number,
  position: number,
): Promise<void> => {
  for (let done = 0; done < length;) {
    const { bytesWritten } = await handle.write(bytes, done, length - done, position + done)
    done += bytesWritten
  }
}
