import type { Clock, Log, LogReader, LogWriter, Partition, Placed, ReadFrom, Step } from '../graph/port.ts'
import { closed, overtaken, owned, partitionKey, passed, refusalOf } from './log.ts'
import type { Dropped, KeptLog, Limits } from './log.ts'

interface Extent extends Partition {
  first: number
  next: number
  rows: number
  bytes: number
}

interface Shard {
  epoch: number
  /** The step appended last, durable or not; -1: none was. */
  step: number
  last: LogWriter['last']
}

interface Pending {
  readonly shard: Shard
  readonly step: Step
  readonly epoch: number
  readonly resolve: (offsets: readonly number[]) => void
  readonly reject: (error: unknown) => void
}

/** What outlives a process: durable steps, where shards stand, what readers hold. */
export class MemoryStore {
  /** The records of each durable step; those before `dropped` are gone. */
  readonly steps: (readonly Placed[])[] = []
  readonly extents = new Map<string, Extent>()
  readonly shards = new Map<string, Shard>()
  readonly holds = new Map<string, readonly ReadFrom[]>()
  dropped = 0
}

/** How long a step takes to become durable. */
export interface MemoryOptions {
  readonly store?: MemoryStore
  readonly commitMs?: number
  /** Each record is followed by a hole of so many offsets, as behind a transaction of Kafka. */
  readonly holes?: number
}

/**
 * The log, without a disk: the same promises under the same suite, for simulation. With `commitMs` a step
 * becomes durable by the clock; what is not durable at `crash` never happened, and another log on the same
 * store goes on from there.
 */
export class MemoryLog implements KeptLog {
  readonly #clock: Clock
  readonly #store: MemoryStore
  readonly #commitMs: number
  readonly #holes: number
  readonly #waiting = new Set<() => void>()
  #pending: Pending[] = []
  #committing = false
  #closed = false

  constructor(clock: Clock, options: MemoryOptions = {}) {
    this.#clock = clock
    this.#store = options.store ?? new MemoryStore()
    this.#commitMs = options.commitMs ?? 0
    this.#holes = options.holes ?? 0
  }

  async write(name: string): Promise<LogWriter> {
    if (this.#closed) throw closed()
    const shard = this.#shard(name)
    const epoch = ++shard.epoch
    while (this.#pending.length > 0) await this.#moved()
    let open = true
    return {
      epoch,
      last: shard.last,
      append: (step) => {
        if (!open || this.#closed) return Promise.reject(closed())
        if (shard.epoch !== epoch) return Promise.reject(overtaken(name, epoch, shard.epoch))
        const refusal = refusalOf(name, step, shard.step)
        return refusal === undefined ? this.#append(shard, owned(step)) : Promise.reject(refusal)
      },
      pendingBytes: () =>
        this.#pending.reduce((sum, one) => sum + (one.shard === shard ? bytesOf(one.step.records) : 0), 0),
      close: async () => {
        open = false
        while (this.#pending.some((one) => one.shard === shard)) await this.#moved()
      },
    }
  }

  async read(from: readonly ReadFrom[]): Promise<LogReader> {
    if (this.#closed) throw closed()
    const next = new Map(from.map(({ topic, partition, offset }) => [partitionKey(topic, partition), offset]))
    const state = { at: 0, open: true }
    return {
      read: async (bytesMax, waitMs) => {
        const until = this.#clock.now() + waitMs * 1000
        for (;;) {
          if (!state.open || this.#closed) throw closed()
          const found = this.#found(next, state, bytesMax)
          const leftMs = (until - this.#clock.now()) / 1000
          if (found.length > 0 || leftMs <= 0) return found
          await this.#moved(leftMs)
          if (!state.open || this.#closed) return []
        }
      },
      close: async () => {
        state.open = false
        this.#wake()
      },
    }
  }

  async ends(): ReturnType<Log['ends']> {
    if (this.#closed) throw closed()
    return Array.from(this.#store.extents.values(), (extent) => ({ ...extent }))
  }

  async hold(reader: string, positions: readonly ReadFrom[] | undefined): Promise<void> {
    if (positions === undefined) this.#store.holds.delete(reader)
    else this.#store.holds.set(reader, positions)
  }

  /** Step by step; an age is counted from the newest step, by the time of its events. */
  async retain({ bytes, ageMs, pastReaders }: Limits): Promise<Dropped> {
    const { steps, holds, extents } = this.#store
    const newest = steps.findLast((records) => records.length > 0)?.[0]?.time ?? 0
    let kept = steps.reduce((sum, records) => sum + bytesOf(records), 0)
    let gone = 0
    while (this.#store.dropped < steps.length - 1) {
      const records = steps[this.#store.dropped]!
      if (kept <= bytes && newest - (records[0]?.time ?? newest) <= ageMs * 1000) break
      const holder =
        pastReaders === true ? undefined : [...holds].find(([, positions]) => needed(records, positions))
      if (holder !== undefined) return { bytes: gone, heldBy: holder[0] }
      for (const record of records) {
        const extent = extents.get(partitionKey(record.topic, record.partition))!
        extent.first = record.offset + 1
        extent.rows -= record.rows
        extent.bytes -= record.bytes.length
      }
      steps[this.#store.dropped++] = []
      kept -= bytesOf(records)
      gone += bytesOf(records)
    }
    return { bytes: gone, heldBy: undefined }
  }

  async close(): Promise<void> {
    while (this.#pending.length > 0) await this.#moved()
    this.#closed = true
    this.#wake()
  }

  /** As a process dies: what is not durable is lost, and its appends are never answered. */
  crash(): void {
    this.#closed = true
    for (const { shard } of this.#pending) shard.step = shard.last?.step ?? -1
    this.#pending = []
    this.#wake()
  }

  #append(shard: Shard, step: Step): Promise<readonly number[]> {
    shard.step = step.step
    return new Promise((resolve, reject) => {
      this.#pending.push({ shard, step, epoch: shard.epoch, resolve, reject })
      if (this.#committing) return
      this.#committing = true
      if (this.#commitMs === 0) void Promise.resolve().then(() => this.#commit())
      else this.#clock.after(this.#commitMs, () => this.#commit())
    })
  }

  #commit(): void {
    this.#committing = false
    const group = this.#pending
    this.#pending = []
    for (const { shard, step, epoch, resolve } of group) {
      const placed = step.records.map((record) => this.#place(record, step, epoch))
      this.#store.steps.push(placed)
      shard.last = { step: step.step, time: step.time, inputs: step.inputs }
      resolve(placed.map(({ offset }) => offset))
    }
    this.#wake()
  }

  #place(record: Step['records'][number], { shard, step, time }: Step, epoch: number): Placed {
    const { topic, partition, schema, rows, bytes } = record
    const { extents } = this.#store
    const key = partitionKey(topic, partition)
    const extent = extents.get(key) ?? { topic, partition, first: 0, next: 0, rows: 0, bytes: 0 }
    extents.set(key, extent)
    extent.rows += rows
    extent.bytes += bytes.length
    const offset = extent.next === 0 ? 0 : extent.next + this.#holes
    extent.next = offset + 1
    return {
      topic,
      partition,
      schema,
      rows,
      bytes: aligned(bytes),
      offset,
      shard,
      epoch,
      step,
      time,
    }
  }

  #found(next: Map<string, number>, state: { at: number }, bytesMax: number): readonly Placed[] {
    for (const [key, offset] of next) {
      const extent = this.#store.extents.get(key)
      if (extent !== undefined && extent.first > offset) throw passed(extent, offset, extent.first)
    }
    const found: Placed[] = []
    for (
      let bytes = 0;
      state.at < this.#store.steps.length && (found.length === 0 || bytes < bytesMax);
      state.at++
    ) {
      for (const record of this.#store.steps[state.at]!) {
        const key = partitionKey(record.topic, record.partition)
        if ((next.get(key) ?? Infinity) > record.offset) continue
        next.set(key, record.offset + 1)
        found.push(record)
        bytes += record.bytes.length
      }
    }
    return found
  }

  #shard(name: string): Shard {
    const { shards } = this.#store
    const shard = shards.get(name) ?? { epoch: 0, step: -1, last: undefined }
    shards.set(name, shard)
    return shard
  }

  #wake(): void {
    for (const woken of [...this.#waiting]) woken()
  }

  /** Until something changes, or some time has passed. */
  #moved(ms?: number): Promise<void> {
    return new Promise((resolve) => {
      const woken = (): void => {
        this.#waiting.delete(woken)
        cancel?.()
        resolve()
      }
      const cancel = ms === undefined ? undefined : this.#clock.after(ms, woken)
      this.#waiting.add(woken)
    })
  }
}

const bytesOf = (records: readonly { readonly bytes: Uint8Array }[]): number =>
  records.reduce((sum, { bytes }) => sum + bytes.length, 0)

const needed = (records: readonly Placed[], positions: readonly ReadFrom[]): boolean =>
  records.some((record) =>
    positions.some(
      ({ topic, partition, offset }) =>
        topic === record.topic && partition === record.partition && offset <= record.offset,
    ),
  )

/** Batches are read where they lie, which takes a multiple of 8. */
const aligned = (bytes: Uint8Array): Uint8Array => (bytes.byteOffset % 8 === 0 ? bytes : bytes.slice())
