import { mkdir, open } from 'node:fs/promises'
import { KtError } from '../../graph/error.ts'
import type { Log, LogWriter } from '../../graph/port.ts'
import { closed, overtaken } from '../log.ts'
import type { Dropped, KeptLog, Limits } from '../log.ts'
import { errnoOf } from './disk.ts'
import { Cursor, followPast } from './segment-cursor.ts'
import { Durable } from './segment-durable.ts'
import { headOf, refusedByDisk, segmentFile, segmentsOf } from './segment-folder.ts'
import { lockFolder } from './segment-lock.ts'
import { SegmentReader } from './segment-reader.ts'
import type { PassedOver } from './segment-reader.ts'
import { recover } from './segment-recovery.ts'
import { dropSegments, putHold } from './segment-retention.ts'
import { Table } from './segment-table.ts'
import { SegmentWriter } from './segment-writer.ts'

export interface SegmentOptions {
  /** A segment that has reached this is followed by a new one. */
  readonly segmentBytes?: number
  /** What is kept without being asked: retention runs when a segment is finished. */
  readonly keep?: Limits
  /** Appends beyond this are refused (KT3007) until the disk has caught up. */
  readonly pendingBytesMax?: number
  /** What each run of retention did, for a report. */
  readonly retained?: (dropped: Dropped) => void
  /** What no reader can read, once, for a report: damaged records stand in the places of what was there. */
  readonly passedOver?: (damage: PassedOver) => void
}

const DAY_MS = 24 * 60 * 60 * 1000

/**
 * The log in a folder, for one machine: segments of checksummed frames, a frame a step. The process that
 * first calls `write` (or `retain`) is the writing one, until it closes or dies; any number of processes
 * read. Every promise holds for kill -9 and for loss of power: an acknowledged step was synced, and readers
 * see acknowledged steps only.
 */
export const segmentLog = async (folder: string, options: SegmentOptions = {}): Promise<KeptLog> => {
  await mkdir(folder, { recursive: true })
  return new SegmentLog(folder, {
    segmentBytes: options.segmentBytes ?? 64 << 20,
    keep: options.keep ?? { bytes: 5 * 2 ** 30, ageMs: DAY_MS },
    pendingBytesMax: options.pendingBytesMax ?? 256 << 20,
    retained: options.retained ?? (() => undefined),
    passedOver: options.passedOver ?? (() => undefined),
  })
}

class SegmentLog implements KeptLog {
  readonly #folder: string
  readonly #options: Required<SegmentOptions>
  readonly #durable: Durable
  readonly #readers = new Set<SegmentReader>()
  /** The damage that was told of. */
  readonly #told = new Set<string>()
  #writing: Promise<Writing> | undefined
  #following: Following | undefined
  #follows: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(folder: string, options: Required<SegmentOptions>) {
    this.#folder = folder
    this.#options = options
    this.#durable = new Durable(folder)
  }

  async write(shard: string): Promise<LogWriter> {
    const { writer } = await this.#take()
    const { shard: claimed, epoch } = await writer.claim(shard)
    let pending = 0
    let last: Promise<unknown> = Promise.resolve()
    let open = true
    return {
      epoch,
      last: claimed.last,
      append: (step) => {
        if (!open) return Promise.reject(closed())
        if (claimed.epoch !== epoch) return Promise.reject(overtaken(shard, epoch, claimed.epoch))
        const bytes = step.records.reduce((sum, record) => sum + record.bytes.length, 0)
        const done = (): void => void (pending -= bytes)
        pending += bytes
        const appended = writer.append(claimed, step)
        last = appended.then(done, done)
        return appended
      },
      pendingBytes: () => pending,
      close: async () => {
        open = false
        await last
      },
    }
  }

  async read(from: Parameters<Log['read']>[0]): ReturnType<Log['read']> {
    if (this.#closed) throw closed()
    const reader = new SegmentReader(this.#folder, this.#durable, from, (damage) => this.#passedOver(damage))
    this.#readers.add(reader)
    return {
      read: (bytesMax, waitMs) => reader.read(bytesMax, waitMs),
      scan: (bytesMax, waitMs, see) => reader.scan(bytesMax, waitMs, see),
      close: () => {
        this.#readers.delete(reader)
        return reader.close()
      },
    }
  }

  async ends(): ReturnType<Log['ends']> {
    if (this.#closed) throw closed()
    const table = this.#writing === undefined ? await this.#followed() : (await this.#writing).writer.table
    const [oldest] = await segmentsOf(this.#folder)
    const head = new Table()
    const text = oldest === undefined ? undefined : (await headOf(this.#folder, oldest))?.text
    if (text !== undefined) head.define(text)
    return table.extents().map(({ topic, partition, durable: { next, rows, bytes } }) => {
      const gone = head.known(topic, partition)?.staged ?? { next: 0, rows: 0, bytes: 0 }
      return { topic, partition, first: gone.next, next, rows: rows - gone.rows, bytes: bytes - gone.bytes }
    })
  }

  hold(...[reader, positions]: Parameters<KeptLog['hold']>): Promise<void> {
    return putHold(this.#folder, reader, positions).catch((error: unknown) => {
      throw this.#named(error)
    })
  }

  async retain(limits: Limits): ReturnType<KeptLog['retain']> {
    await this.#take()
    return this.#drop(limits)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all(Array.from(this.#readers, (reader) => reader.close()))
    await this.#follows
    await this.#following?.cursor.handle.close()
    const writing = await this.#writing?.catch(() => undefined)
    await writing?.writer.close()
    this.#durable.close()
    await writing?.unlock()
  }

  /** Become the writing process. */
  #take(): Promise<Writing> {
    if (this.#closed) return Promise.reject(closed())
    this.#writing ??= this.#recovered().catch((error: unknown) => {
      this.#writing = undefined
      throw error
    })
    return this.#writing
  }

  async #recovered(): Promise<Writing> {
    const unlock = await lockFolder(this.#folder).catch((error: unknown) => {
      throw this.#named(error)
    })
    try {
      const { segmentBytes, pendingBytesMax, keep } = this.#options
      const tail = await recover(this.#folder, this.#durable)
      const sealed = async (): Promise<void> => void (await this.#drop(keep))
      return {
        writer: new SegmentWriter(this.#folder, this.#durable, tail, {
          segmentBytes,
          pendingBytesMax,
          sealed,
        }),
        unlock,
      }
    } catch (error) {
      await unlock().catch(() => undefined)
      throw this.#named(error)
    }
  }

  /** What the disk said in its own words gets its code. */
  #named(error: unknown): unknown {
    if (error instanceof KtError || errnoOf(error) === undefined) return error
    return refusedByDisk(this.#folder, error)
  }

  #passedOver(damage: PassedOver): void {
    const place = `${damage.file} ${damage.at}`
    if (this.#told.has(place)) return
    this.#told.add(place)
    this.#options.passedOver(damage)
  }

  async #drop(limits: Limits): Promise<Dropped> {
    const dropped = await dropSegments(this.#folder, this.#durable.segment, limits, Date.now())
    this.#options.retained(dropped)
    return dropped
  }

  /** What a reading process knows of the log. One at a time: all who ask share one cursor. */
  #followed(): Promise<Table> {
    const table = this.#follows.then(() => this.#follow())
    this.#follows = table.catch(() => undefined)
    return table
  }

  /** The table at the durable end, carried on from the last time. */
  async #follow(): Promise<Table> {
    this.#durable.refresh()
    const { segment, length } = this.#durable
    if (segment === 0) return new Table()
    if (this.#following?.segment !== segment) {
      await this.#following?.cursor.handle.close()
      this.#following = {
        segment,
        cursor: new Cursor(await open(segmentFile(this.#folder, segment), 'r'), 0),
        table: new Table(),
      }
    }
    const { cursor, table } = this.#following
    await followPast(cursor, length, table)
    table.arrived()
    return table
  }
}

interface Writing {
  readonly writer: SegmentWriter
  readonly unlock: () => Promise<void>
}

interface Following {
  readonly segment: number
  readonly cursor: Cursor
  readonly table: Table
}
