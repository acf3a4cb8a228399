import type { Plan, Stage as StagePlan } from '../graph/plan.ts'
import type { Clock, DeadLetters, Log, ObjectStore } from '../graph/port.ts'
import type { ShardReport } from './status.ts'

/** What any shard runs on, and how it cuts its steps. */
export interface StepOptions {
  readonly plan: StagePlan
  readonly shard: string
  readonly clock: Clock
  readonly log: Log
  readonly objects: ObjectStore
  readonly report: ShardReport
  /** Rows of one batch at most. */
  readonly rowsMax: number
  /** From the beginning of one round of saving all states to that of the next. */
  readonly checkpointEveryMs: number
  /** Make the states from the log alone, from its beginning, instead of from a checkpoint. */
  readonly rebuild: boolean
}

/** What a shard that reads sources runs on. */
export interface ShardOptions extends StepOptions {
  readonly deadLetters: DeadLetters
  /** Overrides the topics' own linger; undefined leaves it. */
  readonly lingerMs: number | undefined
  readonly tickMs: number
  /** Bytes handed to the log and not durable yet, beyond which frames are dropped and say so. */
  readonly pendingMaxBytes: number
}

/** What a shard that reads topics runs on. */
export interface FollowerOptions extends StepOptions {
  /** The graph, in which it finds who writes what it reads. */
  readonly graph: Plan
}
