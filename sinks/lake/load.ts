import { HostError, KtError } from '../../graph/error.ts'
import type { Partition, ReadFrom } from '../../graph/port.ts'
import type { AnyLakeSink } from '../lake.ts'
import { endsOf } from '../ends.ts'
import type { Ends } from '../ends.ts'
import { registered } from '../registration.ts'
import { startOf } from './begin.ts'
import type { Cut } from './cut.ts'
import { Gatherer } from './cut.ts'
import { Lane } from './lane.ts'
import type { LakeLoad, LakeRun, LakeState, LakeStatus } from './run.ts'
import { LakeTable } from './table.ts'

export type { LakeChange, LakeLoad, LakeRun, LakeState, LakeStatus } from './run.ts'

const READ_BYTES = 4 * 2 ** 20
const WAIT_MS = 250
const BACKOFF_MS = 200
const BACKOFF_MAX_MS = 10_000
const FAILED_RETRY_MS = 30_000
const ENDS_US = 1_000_000

/**
 * Load topics into their tables of the lake, exactly once, until stopped. Where a table stands is in the
 * table: a run needs nothing else to begin, and of two runs on one partition each row is committed by one.
 */
export const runLake = (run: LakeRun): LakeLoad => {
  const loaders = run.sinks.flatMap(({ topic, partitions, sink }) =>
    sink.engine === 'lake' ? [new Loader(run, sink as AnyLakeSink, topic, partitions)] : [],
  )
  const done = Promise.allSettled(loaders.map((loader) => loader.run()))
  return {
    status: () => loaders.map((loader) => loader.status()),
    drain: async () => {
      const asked = await Promise.allSettled(loaders.map((loader) => loader.drain()))
      // A table that cannot go on does not keep the others from their end.
      const failed = [...asked, ...(await done)].find(({ status }) => status === 'rejected')
      if (failed?.status === 'rejected') throw failed.reason
    },
    stop: async () => {
      for (const loader of loaders) loader.stop()
      await done
    },
  }
}

/** One table being loaded from one topic. */
class Loader {
  readonly #run: LakeRun
  readonly #sink: AnyLakeSink
  readonly #where: readonly Partition[]
  #table: LakeTable
  #state: LakeState = 'waiting'
  #error: KtError | undefined
  #committed = 0
  #stopped = false
  #draining = false
  #ends: Ends = new Map()
  /** By partition, where loading began. */
  #starts: readonly number[] = []
  #endsAt = -Infinity
  #wake: (() => void) | undefined

  constructor(run: LakeRun, sink: AnyLakeSink, topic: string, partitions: number) {
    this.#run = run
    this.#sink = sink
    this.#where = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
    this.#table = this.#fresh()
  }

  stop(): void {
    this.#stopped = true
    this.#wake?.()
  }

  async drain(): Promise<void> {
    try {
      this.#ends = await this.#insist(() => this.#readEnds())
    } finally {
      this.#draining = true
      this.#wake?.()
    }
  }

  status(): LakeStatus {
    const partitions = this.#where.map((where) => {
      const next = this.#next(where)
      const end = this.#ends.get(where.partition)?.next ?? 0
      return { partition: where.partition, next, lagRecords: Math.max(0, end - next) }
    })
    const { version, time: committedTime, files, rows, bytes, filesInTable } = this.#table
    const change = { sink: this.#sink.name, state: this.#state, error: this.#error }
    return {
      ...change,
      topic: this.#where[0]?.topic ?? '',
      version,
      committed: this.#committed,
      committedTime,
      files,
      rows,
      bytes,
      filesInTable,
      partitions,
    }
  }

  /**
   * Settles when the run was stopped or is drained. A failure while draining rejects: who drains wants to
   * know.
   */
  async run(): Promise<void> {
    while (!this.#stopped) {
      try {
        const from = await this.#begin()
        if (await (this.#run.cut === 'events' ? this.#loadByEvents(from) : this.#loadByClock(from))) return
      } catch (thrown) {
        if (this.#stopped) return
        const error = thrown instanceof KtError ? thrown : unexpected(this.#sink, thrown)
        this.#change('failed', error)
        if (this.#draining) throw error
        await this.#sleep(FAILED_RETRY_MS)
        this.#table = this.#fresh(this.#table)
      }
    }
  }

  #fresh(before?: LakeTable): LakeTable {
    const { graph, objects, format, checkpointEvery = 100 } = this.#run
    const table = new LakeTable({ sink: this.#sink, graph, objects, format, checkpointEvery })
    if (before !== undefined) table.countFrom(before)
    return table
  }

  /** One reader of all partitions. True when the run is over, false when it has to begin again. */
  async #loadByClock(from: readonly ReadFrom[]): Promise<boolean> {
    const { log, clock } = this.#run
    const reader = await this.#insist(() => log.read(from))
    const gatherers = from.map((where) => this.#gatherer(0, where))
    const next = from.map(({ offset }) => offset)
    let due = Infinity
    try {
      while (!this.#stopped) {
        const waitMs = Math.min(WAIT_MS, Math.max(0, Math.ceil((due - clock.now()) / 1000)))
        const records = await this.#insist(() => reader.read(READ_BYTES, waitMs))
        const cuts: Cut[] = []
        for (const record of records) {
          cuts.push(...gatherers[record.partition]!.add(record))
          next[record.partition] = record.offset + 1
        }
        const drained = next.every((offset, partition) => this.#drained(partition, offset))
        if (drained || clock.now() >= due) for (const gatherer of gatherers) cuts.push(...gatherer.take())
        const empty = gatherers.every((gatherer) => gatherer.empty)
        if (empty) due = Infinity
        else if (due === Infinity) due = clock.now() + this.#sink.rollMs * 1000
        if (cuts.length > 0 && !(await this.#commit(cuts))) return false
        if (drained) return true
        this.#change(empty ? 'idle' : 'loading')
        await this.#look()
      }
    } finally {
      await reader.close()
    }
    return true
  }

  /**
   * A reader a partition; what is oldest in event time is committed first, once every partition has shown its
   * next.
   */
  async #loadByEvents(from: readonly ReadFrom[]): Promise<boolean> {
    const lanes: Lane[] = []
    try {
      for (const where of from)
        lanes.push(
          new Lane(
            where,
            await this.#insist(() => this.#run.log.read([where])),
            this.#gatherer(this.#sink.rollMs, where),
          ),
        )
      while (!this.#stopped) {
        const over = (lane: Lane): boolean => this.#drained(lane.partition, lane.next)
        const open = lanes.filter((lane) => lane.cut === undefined && !(over(lane) && lane.empty))
        await Promise.all(
          open.map((lane) => (over(lane) ? lane.end() : this.#insist(() => lane.read(READ_BYTES, WAIT_MS)))),
        )
        await this.#look()
        if (open.some((lane) => lane.cut === undefined)) continue
        const oldest = Math.min(...lanes.map((lane) => lane.cut?.window ?? Infinity))
        const cuts = lanes.filter((lane) => lane.cut?.window === oldest).map((lane) => lane.take())
        if (cuts.length === 0) return true
        this.#change('loading')
        if (!(await this.#commit(cuts))) return false
      }
    } finally {
      for (const lane of lanes) await lane.close()
    }
    return true
  }

  #gatherer(windowMs: number, where: Partition): Gatherer {
    const { schema, rowsMax, bytesMax } = this.#sink
    return new Gatherer(schema, { rowsMax, bytesMax, windowMs }, this.#table.position(where))
  }

  /** Where each partition is loaded from. Before the lake is there to ask, the log is told to keep that. */
  async #begin(): Promise<readonly ReadFrom[]> {
    const { positions } = this.#run
    const of = { sink: this.#sink, partitions: this.#where.length }
    const hold = async (from: readonly number[]): Promise<void> => this.#keep(from)
    const was = await this.#insist(() => registered(positions, of, () => this.#readEnds(), hold))
    await this.#insist(() => this.#table.refresh())
    const ends = await this.#insist(() => this.#readEnds())
    this.#starts = this.#where.map((where) => {
      const { first, next } = ends.get(where.partition) ?? { first: 0, next: 0 }
      const position = this.#table.position(where)
      return startOf(this.#sink, { ...where, position, first, next, registered: was[where.partition] })
    })
    this.#keep()
    return this.#where.map((where) => ({ ...where, offset: this.#next(where) }))
  }

  /** The next offset to load: a table that has nothing of a partition does not say where it begins. */
  #next(where: Partition): number {
    return Math.max(this.#table.position(where), this.#starts[where.partition] ?? 0)
  }

  #drained(partition: number, next: number): boolean {
    return this.#draining && next >= (this.#ends.get(partition)?.next ?? 0)
  }

  async #commit(cuts: readonly Cut[]): Promise<boolean> {
    const outcome = await this.#insist(() => this.#table.commit(cuts))
    this.#keep()
    if (outcome === 'moved') return false
    this.#committed = this.#run.clock.now()
    return true
  }

  #keep(from: readonly number[] = this.#where.map((where) => this.#next(where))): void {
    for (const { topic, partition } of this.#where)
      this.#run.keep?.(this.#sink.name, topic, partition, from[partition]!)
  }

  /** Where the log ends, now and then, for `status`. While draining the ends are those at which to stop. */
  async #look(): Promise<void> {
    const now = this.#run.clock.now()
    if (this.#draining || now - this.#endsAt < ENDS_US) return
    this.#endsAt = now
    const ends = await this.#insist(() => this.#readEnds())
    if (!this.#draining) this.#ends = ends
  }

  #readEnds(): Promise<Ends> {
    return endsOf(this.#run.log, this.#where[0]?.topic ?? '')
  }

  /** Try until it works. A port that says `never`, and what is no failure of a port, go up. */
  async #insist<T>(attempt: () => Promise<T>): Promise<T> {
    for (let waitMs = BACKOFF_MS; ; waitMs = Math.min(2 * waitMs, BACKOFF_MAX_MS)) {
      try {
        return await attempt()
      } catch (error) {
        if (!(error instanceof HostError) || error.retry === 'never' || this.#stopped) throw error
        this.#change('waiting', error)
        await this.#sleep(error.retry === 'now' ? 0 : Math.max(error.retry.afterMs, waitMs))
      }
    }
  }

  #change(state: LakeState, error?: KtError): void {
    const same = state === this.#state && error?.message === this.#error?.message
    this.#state = state
    this.#error = error
    if (!same) this.#run.report?.({ sink: this.#sink.name, state, error })
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#stopped) return
    await new Promise<void>((resume) => {
      const cancel = this.#run.clock.after(ms, resume)
      this.#wake = () => {
        cancel()
        resume()
      }
    })
  }
}

const unexpected = (sink: AnyLakeSink, thrown: unknown): KtError =>
  new KtError('KT3499', `loading "${sink.name}" failed unexpectedly`, {
    why: thrown instanceof Error ? thrown.message : String(thrown),
    fix: 'Report this with the log lines before it; rows wait in the log.',
    cause: thrown,
  })
