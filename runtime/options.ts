import type { Stage as StagePlan } from '../graph/plan.ts'
import type { Clock, DeadLetters, Log, ObjectStore } from '../graph/port.ts'
import type { ShardReport } from './status.ts'

/** What a shard runs on, and how it cuts its steps. */
export interface ShardOptions {
  readonly plan: StagePlan
  readonly shard: string
  readonly clock: Clock
  readonly log: Log
  readonly objects: ObjectStore
  readonly deadLetters: DeadLetters
  readonly report: ShardReport
  /** Rows of one batch at most. */
  readonly rowsMax: number
  /** Overrides the topics' own linger; undefined leaves it. */
  readonly lingerMs: number | undefined
  readonly tickMs: number
  /** From the beginning of one round of saving all states to that of the next. */
  readonly checkpointEveryMs: number
  /** Bytes handed to the log and not durable yet, beyond which frames are dropped and say so. */
  readonly pendingMaxBytes: number
  /** Make the states from the log alone, from its beginning, instead of from a checkpoint. */
  readonly rebuild: boolean
}
