import { HostError } from '../../graph/error.ts'
import type { Clock, Log, LogReader, ObjectStore, Partition, Placed, ReadFrom } from '../../graph/port.ts'
import type { AnyLakeSink } from '../lake.ts'
import { Gatherer } from './cut.ts'
import type { Cut } from './cut.ts'
import { LakeTable } from './table.ts'
import type { FileFormat } from './table.ts'

/** What a run of a lake sink needs. */
export interface LakeRun {
  /** Part of the table's id. */
  readonly graph: string
  readonly sink: AnyLakeSink
  readonly partitions: readonly Partition[]
  readonly log: Log
  readonly objects: ObjectStore
  readonly clock: Clock
  readonly format: FileFormat
  /**
   * `clock` (default): rows are seen after `rollMs` at the latest. `events`: files and commits depend on the received
   * times in the rows alone, so that each run over the same log, however fast, writes the same bytes; for replay and
   * simulation, which end. There a quiet partition holds the others back until `drain`.
   */
  readonly cut?: 'clock' | 'events'
  /** Commits between two checkpoints of the table. Default 100. */
  readonly checkpointEvery?: number
  /** Called with the positions that stand, so that the log keeps what was not loaded. */
  readonly hold?: (positions: readonly ReadFrom[]) => Promise<void>
}

export interface LakeStatus {
  readonly sink: string
  /** Version of the table; -1: there is none yet. */
  readonly version: number
  /** The newest received time in the table of this run, microseconds; 0: nothing was committed yet. */
  readonly time: number
  /** When it last committed, by our clock; 0: not yet. */
  readonly committed: number
  /** Files, rows and bytes that this run has added. */
  readonly files: number
  readonly rows: number
  readonly bytes: number
  readonly filesInTable: number
  /** Records of the log that are not in the table yet. */
  readonly lag: number
  readonly partitions: readonly (Partition & { readonly position: number; readonly next: number; readonly lag: number })[]
  /** Why it is waiting to try again; empty when it is not. */
  readonly waiting: string
}

export interface LakeLoad {
  readonly status: () => Promise<LakeStatus>
  /** Load what the log holds now, and stop. */
  readonly drain: () => Promise<void>
  /** Stop now, without an error: `done` has it. What was not committed is read again by the next run. */
  readonly stop: () => Promise<void>
  /** Settles when the run has ended; rejects when it cannot go on. */
  readonly done: Promise<void>
}

const READ_BYTES = 4 * 2 ** 20
const WAIT_MS = 250
const BACKOFF_MS = 200
const BACKOFF_MAX_MS = 10_000

/** Load a topic into its table of the lake, exactly once, from wherever the table says that it stands. */
export const runLake = (run: LakeRun): LakeLoad => {
  const loader = new Loader(run)
  const done = loader.run()
  done.catch(() => {})
  return {
    status: () => loader.status(),
    drain: async () => {
      await loader.drain()
      await done
    },
    stop: async () => {
      loader.stopping = true
      await done.catch(() => {})
    },
    done,
  }
}

/** One partition being read by itself, when events decide the order. */
interface Lane {
  readonly where: Partition
  readonly reader: LogReader
  readonly gatherer: Gatherer
  readonly cuts: Cut[]
  next: number
}

class Loader {
  stopping = false
  readonly #of: LakeRun
  readonly #table: LakeTable
  #ends: ReadonlyMap<string, number> | undefined
  #waiting = ''
  #committed = 0

  constructor(of: LakeRun) {
    this.#of = of
    this.#table = new LakeTable({ ...of, checkpointEvery: of.checkpointEvery ?? 100 })
  }

  async run(): Promise<void> {
    await this.#insist(() => this.#table.refresh())
    await this.#hold()
    while (!this.stopping) {
      const from = this.#of.partitions.map(({ topic, partition }) => ({ topic, partition, offset: this.#table.position({ topic, partition }) }))
      const ended = this.#of.cut === 'events' ? await this.#loadByEvents(from) : await this.#loadByClock(from)
      if (ended) return
    }
  }

  async drain(): Promise<void> {
    this.#ends = new Map((await this.#of.log.ends()).map((end) => [keyOf(end), end.next]))
  }

  async status(): Promise<LakeStatus> {
    const ends = new Map((await this.#of.log.ends()).map((end) => [keyOf(end), end.next]))
    const partitions = this.#of.partitions.map(({ topic, partition }) => {
      const position = this.#table.position({ topic, partition })
      const next = ends.get(keyOf({ topic, partition })) ?? 0
      return { topic, partition, position, next, lag: Math.max(0, next - position) }
    })
    const { version, time, files, rows, bytes, filesInTable } = this.#table
    const lag = partitions.reduce((sum, partition) => sum + partition.lag, 0)
    return { sink: this.#of.sink.name, version, time, committed: this.#committed, files, rows, bytes, filesInTable, lag, partitions, waiting: this.#waiting }
  }

  /** One reader of all partitions, until it has to begin anew (false) or the run is over (true). */
  async #loadByClock(from: readonly ReadFrom[]): Promise<boolean> {
    const { log, clock, sink } = this.#of
    const reader = await this.#insist(() => log.read(from))
    const gatherers = new Map(from.map((where) => [keyOf(where), this.#gatherer(0)]))
    const next = new Map(from.map((where) => [keyOf(where), where.offset]))
    let due = Infinity
    try {
      while (!this.stopping) {
        const waitMs = Math.min(WAIT_MS, Math.max(0, (due - clock.now()) / 1000))
        const records = await this.#insist(() => reader.read(READ_BYTES, waitMs))
        const cuts: Cut[] = []
        for (const record of records) {
          cuts.push(...gatherers.get(keyOf(record))!.add(record))
          next.set(keyOf(record), record.offset + 1)
        }
        const ended = from.every((where) => this.#ended(where, next.get(keyOf(where))!))
        if (ended || clock.now() >= due) for (const gatherer of gatherers.values()) cuts.push(...gatherer.take())
        if ([...gatherers.values()].every((gatherer) => gatherer.empty)) due = Infinity
        else if (due === Infinity) due = clock.now() + sink.rollMs * 1000
        if (cuts.length > 0 && !(await this.#commit(cuts))) return false
        if (ended) return true
      }
    } finally {
      await reader.close()
    }
    return true
  }

  /** A reader a partition; what is oldest in event time is committed first, once every partition has shown its next. */
  async #loadByEvents(from: readonly ReadFrom[]): Promise<boolean> {
    const lanes: Lane[] = []
    try {
      for (const where of from) {
        const reader = await this.#insist(() => this.#of.log.read([where]))
        lanes.push({ where, reader, gatherer: this.#gatherer(this.#of.sink.rollMs), cuts: [], next: where.offset })
      }
      while (!this.stopping) {
        const open = lanes.filter((lane) => lane.cuts.length === 0 && !(this.#ended(lane.where, lane.next) && lane.gatherer.empty))
        await Promise.all(open.map((lane) => this.#fill(lane)))
        if (open.some((lane) => lane.cuts.length === 0)) continue
        const oldest = Math.min(...lanes.flatMap((lane) => lane.cuts.slice(0, 1)).map((cut) => cut.window))
        const cuts = lanes.filter((lane) => lane.cuts[0]?.window === oldest).map((lane) => lane.cuts.shift()!)
        if (cuts.length === 0) return true
        if (!(await this.#commit(cuts))) return false
      }
    } finally {
      for (const lane of lanes) await lane.reader.close()
    }
    return true
  }

  async #fill(lane: Lane): Promise<void> {
    const records: readonly Placed[] = this.#ended(lane.where, lane.next) ? [] : await this.#insist(() => lane.reader.read(READ_BYTES, WAIT_MS))
    for (const record of records) {
      lane.cuts.push(...lane.gatherer.add(record))
      lane.next = record.offset + 1
    }
    if (this.#ended(lane.where, lane.next)) lane.cuts.push(...lane.gatherer.take())
  }

  #gatherer(windowMs: number): Gatherer {
    const { sink } = this.#of
    return new Gatherer(sink.schema, { rowsMax: sink.rowsMax, bytesMax: sink.bytesMax, windowMs })
  }

  #ended(where: Partition, next: number): boolean {
    return this.#ends !== undefined && next >= (this.#ends.get(keyOf(where)) ?? 0)
  }

  async #commit(cuts: readonly Cut[]): Promise<boolean> {
    if ((await this.#insist(() => this.#table.commit(cuts))) === 'moved') return false
    this.#committed = this.#of.clock.now()
    await this.#hold()
    return true
  }

  async #hold(): Promise<void> {
    const positions = this.#of.partitions.map(({ topic, partition }) => ({ topic, partition, offset: this.#table.position({ topic, partition }) }))
    await this.#insist(() => this.#of.hold?.(positions) ?? Promise.resolve())
  }

  /** Try until it works. A port that says `never`, and what is no failure of a port, end the run. */
  async #insist<T>(attempt: () => Promise<T>): Promise<T> {
    for (let waitMs = BACKOFF_MS; ; waitMs = Math.min(2 * waitMs, BACKOFF_MAX_MS)) {
      try {
        const result = await attempt()
        this.#waiting = ''
        return result
      } catch (error) {
        if (!(error instanceof HostError) || error.retry === 'never' || this.stopping) throw error
        this.#waiting = error.message
        const { retry } = error
        await new Promise<void>((resume) => void this.#of.clock.after(retry === 'now' ? 0 : Math.max(retry.afterMs, waitMs), resume))
      }
    }
  }
}

const keyOf = ({ topic, partition }: Partition): string => `${topic}/${partition}`
