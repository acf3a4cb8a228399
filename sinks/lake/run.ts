import type { KtError } from '../../graph/error.ts'
import type { Clock, Log, ObjectStore } from '../../graph/port.ts'
import type { AnySink } from '../../graph/sink.ts'
import type { FileFormat } from './table.ts'

/** What loads the topics of a graph into the lake, and from where. */
export interface LakeRun {
  /** Part of the ids of the tables. */
  readonly graph: string
  readonly log: Pick<Log, 'read' | 'ends'>
  readonly objects: ObjectStore
  /** Keeps from where on its sinks were to load, under `positions/lake/`. */
  readonly positions: ObjectStore
  readonly clock: Clock
  readonly format: FileFormat
  /** Sinks of other engines are left alone. */
  readonly sinks: readonly { readonly topic: string; readonly partitions: number; readonly sink: AnySink }[]
  /**
   * `clock` (default): rows are seen after `rollMs` at the latest. `events`: files and commits depend on the
   * received times in the rows alone, so that each run over the same log, however fast, writes the same
   * bytes; for replay and simulation, which end. There a quiet partition holds the others back until `drain`.
   */
  readonly cut?: 'clock' | 'events'
  /** Commits between two checkpoints of a table. Default 100. */
  readonly checkpointEvery?: number
  readonly report?: (change: LakeChange) => void
  /** Called with the first offset that is still needed: the log must keep what follows. */
  readonly keep?: (sink: string, topic: string, partition: number, offset: number) => void
}

/**
 * `waiting`: the lake or the log does not answer for now. `failed`: a person has to act; it is tried again
 * every 30 s.
 */
export type LakeState = 'waiting' | 'loading' | 'idle' | 'failed'

export interface LakeChange {
  readonly sink: string
  readonly state: LakeState
  readonly error: KtError | undefined
}

export interface LakeStatus extends LakeChange {
  readonly topic: string
  /** Version of the table; -1: there is none yet. */
  readonly version: number
  /**
   * When this run last committed, by our clock, and the newest received time in that, microseconds; 0: not
   * yet.
   */
  readonly committed: number
  readonly committedTime: number
  /** What this run has added. */
  readonly files: number
  readonly rows: number
  readonly bytes: number
  readonly filesInTable: number
  readonly partitions: readonly {
    readonly partition: number
    /** All records before it are in the table. */
    readonly next: number
    /** Records of the log that are not. */
    readonly lagRecords: number
  }[]
}

export interface LakeLoad {
  readonly status: () => readonly LakeStatus[]
  /** Load what the log holds now, and stop. Rejects when a table cannot take it. */
  readonly drain: () => Promise<void>
  /** Stop now. What was not committed is read again by the next run. */
  readonly stop: () => Promise<void>
}
