import type { LogRecord, LogWriter, Step } from '../graph/port.ts'
import type { AnyTopic } from '../graph/topic.ts'
import { Batches } from './batches.ts'
import { saveCheckpoint, Saver } from './checkpoint.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { StepOptions } from './options.ts'
import type { Stage } from './stage.ts'

/**
 * A step about to be written; `from` is where a restart from a checkpoint of it would read on, or earlier:
 * states are not fed rows that they hold.
 */
export interface Cut extends Pick<Step, 'step' | 'after' | 'time' | 'inputs'> {
  readonly from: Checkpoint['from']
}

/** What becomes of steps behind the back of the shard. */
interface StepsTo {
  readonly died: (error: unknown) => void
  /** A step is durable, and its records lie there. */
  readonly placed?: (records: readonly LogRecord[], offsets: readonly number[]) => void
}

/**
 * The writing side of a shard: rows become steps of the log, states become checkpoints. Nobody waits for the
 * disk: a step is handed to the log and becomes durable behind its back, and a checkpoint is written when its
 * step is.
 */
export class Steps {
  readonly #options: StepOptions
  readonly #stage: Stage
  readonly #batches: Batches
  readonly #saver: Saver
  readonly #to: StepsTo
  #writer: LogWriter | undefined
  #saving: Promise<void> | undefined
  #saveAt = 0
  #durable: Promise<unknown> = Promise.resolve()

  constructor(options: StepOptions, stage: Stage, to: StepsTo) {
    const { plan, rowsMax, shard } = options
    const kts = plan.writes.filter(({ from }) => from.length === 0)
    this.#options = options
    this.#stage = stage
    this.#batches = new Batches(
      plan.writes.map(({ topic }) => topic),
      rowsMax,
      new Map(kts.map(({ topic }) => [topic.name, plan.partition])),
    )
    this.#saver = new Saver(stage, shard)
    this.#to = to
  }

  /** Take the log's writing side; what the log holds of this shard already. */
  async open(): Promise<LogWriter['last']> {
    const { log, shard } = this.#options
    this.#writer = await log.write(shard)
    return this.#writer.last
  }

  /** Rows since the last step, over all topics. */
  get rows(): number {
    return this.#batches.rows
  }

  get pendingBytes(): number {
    return this.#writer!.pendingBytes()
  }

  /** Settles when all that was cut is durable. */
  get durable(): Promise<unknown> {
    return this.#durable
  }

  /** `order`: the row's place in the step, where that is not its number. */
  add(topic: AnyTopic, row: object, order?: number): void {
    this.#batches.add(topic, row, order)
    this.#options.report.row(topic.schema.name, row)
  }

  /** The batches of the step that is cut next. */
  take(): readonly LogRecord[] {
    return this.#batches.take()
  }

  /** Hand a step over, and go on with the saving of states. */
  cut(records: readonly LogRecord[], { from, ...step }: Cut): void {
    const { shard, clock, report } = this.#options
    const begun = clock.now()
    const rows = records.reduce((sum, record) => sum + record.rows, 0)
    const bytes = records.reduce((sum, record) => sum + record.bytes.length, 0)
    const appended = this.#writer!.append({ shard, ...step, records })
    this.#durable = appended
    appended.then(
      (offsets) => {
        this.#to.placed?.(records, offsets)
        report.durable({ rows, bytes, us: clock.now() - begun })
      },
      (error: unknown) => this.#to.died(error),
    )
    this.#save(step.step, from)
  }

  /** Wait until all is durable, save all states as of the step that was cut last, let go of the log. */
  async stop(step: number, from: () => Checkpoint['from']): Promise<void> {
    await this.#durable
    await this.#saving
    const { objects, shard } = this.#options
    const written = new Saver(this.#stage, shard).some(Number.POSITIVE_INFINITY, step, from())
    if (written !== undefined && step > 0) await saveCheckpoint(objects, shard, written)
    await this.#writer?.close()
  }

  /** Wait until what was cut is durable, and let go of the log: rows since then and states are not whole. */
  async leave(): Promise<void> {
    await this.#durable
    await this.#saving
    await this.#writer?.close()
  }

  #save(step: number, from: Checkpoint['from']): void {
    const { checkpointEveryMs, clock, objects, shard, report } = this.#options
    if (this.#saving !== undefined || (!this.#saver.saving && clock.now() < this.#saveAt)) return
    if (!this.#saver.saving) this.#saveAt = clock.now() + checkpointEveryMs * 1000
    const most = Math.ceil(this.#stage.states().length / SAVE_STEPS)
    const written = this.#saver.some(most, step, from)
    if (written === undefined) return
    const durable = this.#durable
    const begun = clock.now()
    this.#saving = durable
      .then(() => saveCheckpoint(objects, shard, written))
      .then(
        () =>
          report.checkpoint({
            step: written.step,
            from: written.from,
            bytes: written.bytes.length,
            us: clock.now() - begun,
          }),
        (error: unknown) => report.checkpointFailed(error),
      )
      .finally(() => (this.#saving = undefined))
  }
}

/** A round of saving is spread over this many steps, so that none of them waits for all states. */
const SAVE_STEPS = 50
