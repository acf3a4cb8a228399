import { fillFrom } from '../graph/batch.ts'
import type { LogReader, ReadFrom } from '../graph/port.ts'
import { sharedCells } from '../graph/row.ts'
import type { AnyTopic } from '../graph/topic.ts'
import { loadCheckpoint, orphan, saveCheckpoint, Saver } from './checkpoint.ts'
import type { Checkpoint } from './checkpoint.ts'
import { Merge } from './merge.ts'
import type { Due, DueStep } from './merge.ts'
import type { FollowerOptions } from './options.ts'
import { orderOf } from './order.ts'
import { Positions } from './positions.ts'
import { producersOf, shardOf } from './producer.ts'
import type { Producer } from './producer.ts'
import { passed } from './recovery.ts'
import { Stage } from './stage.ts'
import { Steps } from './steps.ts'

/**
 * One single-threaded copy of a stage that reads topics. It consumes whole steps of the sources, in an order
 * that depends on the logged rows alone, and what follows from step 7 is step 7 of its own: so its last step
 * says what it has consumed, durable with what came of it, or not at all. After a crash it consumes again
 * from its checkpoint on, and writes nothing until it is past that step.
 */
export class Follower {
  readonly #options: FollowerOptions
  readonly #stage: Stage
  readonly #steps: Steps
  readonly #merge: Merge
  readonly #producers: readonly Producer[]
  readonly #control: AnyTopic
  /** Behind the last step that was consumed. */
  readonly #nexts = new Positions()
  #readers: readonly LogReader[] = []
  /** The last step whose outcome the log holds, or another shard wrote before this one began. */
  #done = 0
  /** The last step that was consumed, and the last that was cut; -1: none. */
  #consumed = 0
  #cut = -1
  #time = 0
  #cause = -1
  #emitted = 0
  #ended = false
  /** It broke, perhaps within a step: the rows of that are not whole, and neither are the states. */
  #dead = false
  /** What is said with the first row that comes of this stage: that it began in the middle. */
  #late = ''
  #failed: ((error: unknown) => void) | undefined
  /** Rejects when the shard cannot go on. */
  readonly failure: Promise<never>

  constructor(options: FollowerOptions) {
    const { graph, plan } = options
    this.#options = options
    this.#stage = new Stage(plan, (topic, row) => this.#add(topic, row))
    this.#steps = new Steps(options, this.#stage, { died: (error) => this.#die(error) })
    this.#producers = producersOf(graph, plan)
    this.#merge = new Merge(
      plan,
      this.#producers.map((one) => one.shard),
      graph.stages.map(shardOf),
    )
    this.#control = plan.reads.find(({ schema }) => schema.name === 'control')!
    this.failure = new Promise((_, reject) => (this.#failed = reject))
    this.failure.catch(() => {})
  }

  /**
   * Take the log's writing side, load the newest checkpoint, and consume again what is done already. A stage
   * that has never run begins with the first rows that are kept, or, when what it writes was written by
   * another one before it, where that one ended.
   */
  async recover(): Promise<void> {
    const { shard, objects, rebuild, report } = this.#options
    const last = await this.#steps.open()
    const { checkpoint, broken } = rebuild
      ? { checkpoint: undefined, broken: [] }
      : await loadCheckpoint(objects, shard)
    for (const path of broken) report.brokenCheckpoint(path)
    if (last === undefined && (checkpoint?.step ?? 0) > 0) throw orphan(shard)
    for (const entry of checkpoint?.entries ?? []) this.#stage.load(entry)
    this.#done = last?.step ?? (await this.#before())
    this.#cut = last?.step ?? -1
    this.#time = last?.time ?? 0
    this.#consumed = checkpoint?.step ?? 0
    await this.#open(checkpoint, last === undefined)
    // What another stage did before may be all of the log: it is read in turns, beside the sources.
    if (last === undefined) return
    let rows = 0
    for (let step = await this.#behind(); step !== undefined; step = await this.#behind()) {
      rows += step.rows.length
      this.#consume(step)
    }
    report.recovered({ shard, step: this.#done, rows, checkpoint: checkpoint?.step })
  }

  /**
   * Consume what has come, waiting for it at most so long. False: nothing came. Resolves no earlier than the
   * log has taken what came of it, when that is a lot.
   */
  async pump(waitMs: number): Promise<boolean> {
    try {
      const moved = await this.#read(waitMs)
      for (let step = this.#merge.next(); step !== undefined; step = this.#merge.next()) this.#consume(step)
      if (this.#steps.pendingBytes > PENDING_MAX_BYTES) await this.#steps.durable
      return moved
    } catch (error) {
      this.#die(error)
      throw error
    }
  }

  /** Consume all that is left, once those that it follows have stopped; save the states and close. */
  async stop(): Promise<void> {
    if (this.#dead) {
      await this.#steps.leave()
      return this.#close()
    }
    this.#ended = true
    let more = true
    while (more) more = await this.pump(0)
    if (this.#consumed > Math.max(this.#cut, this.#done)) this.#write()
    await this.#steps.stop(Math.max(this.#cut, 0), () => this.#nexts.all())
    await this.#close()
  }

  /** The last step that somebody else wrote to the topics of this stage. */
  async #before(): Promise<number> {
    const { log, plan } = this.#options
    const own = plan.writes.filter(({ from }) => from.length > 0).map(({ topic }) => topic.name)
    const ends = (await log.ends()).filter(({ topic, first, next }) => own.includes(topic) && next > first)
    const steps = ends.map(async ({ topic, partition, next }) => {
      const reader = await log.read([{ topic, partition, offset: next - 1 }])
      const [newest] = await reader.read(1, 0)
      await reader.close()
      return newest?.step ?? 0
    })
    return Math.max(0, ...(await Promise.all(steps)))
  }

  /**
   * Open the readers where the checkpoint says; where it says nothing, at the first rows there are. A stage
   * that never wrote notes where it begins: a restart must not begin elsewhere.
   */
  async #open(checkpoint: Checkpoint | undefined, first: boolean): Promise<void> {
    const { log, shard, objects, report } = this.#options
    const ends = await log.ends()
    const from = this.#producers.map(({ partitions }) =>
      partitions.map(({ topic, partition }): ReadFrom => {
        const end = ends.find((one) => one.topic === topic && one.partition === partition)
        const known = checkpoint?.from.find((one) => one.topic === topic && one.partition === partition)
        const offset = known?.next ?? (first || checkpoint !== undefined ? (end?.first ?? 0) : 0)
        if (offset < (end?.first ?? 0)) throw passed(topic, offset, end!.first)
        if (offset > (end?.next ?? 0)) throw orphan(shard)
        this.#nexts.set({ topic, partition }, offset)
        return { topic, partition, offset }
      }),
    )
    const all = this.#nexts.all()
    const cut = first ? all.filter(({ topic, next }) => topic !== this.#control.name && next > 0) : []
    if (first && checkpoint === undefined) {
      const written = new Saver(this.#stage, shard).some(0, 0, all)
      if (written !== undefined) await saveCheckpoint(objects, shard, written)
    }
    this.#late = cut.map(({ topic, partition, next }) => `${topic}/${partition} begins at ${next}`).join(', ')
    report.follows({ shard, from: all, cut })
    this.#readers = await Promise.all(from.map((one) => log.read(one)))
  }

  /** The next step that is done already, and has to be consumed again. */
  async #behind(): Promise<DueStep | undefined> {
    if (this.#consumed >= this.#done) return undefined
    for (;;) {
      const step = this.#merge.next()
      if (step !== undefined) return step
      if (!(await this.#read(0))) return undefined
    }
  }

  /** Read on where the producers are least far. False: nothing came. */
  async #read(waitMs: number): Promise<boolean> {
    let moved = false
    for (const at of this.#merge.behind()) moved = (await this.#readOf(at, 0)) || moved
    const [first = 0, ...others] = this.#merge.behind()
    if (moved || waitMs === 0) return moved
    return this.#readOf(first, others.length > 0 ? Math.min(waitMs, TURN_MS) : waitMs)
  }

  async #readOf(at: number, waitMs: number): Promise<boolean> {
    const beyond = this.#merge.beyond(at)
    const records = await this.#readers[at]!.read(BYTES, waitMs)
    this.#merge.take(at, records)
    if (records.length > 0) return true
    if (this.#ended) return this.#merge.reach(at, Number.POSITIVE_INFINITY)
    // Who follows the sources has seen their step before it wrote its own: it lies in the log before it.
    return at === 0 && this.#merge.reach(at, beyond)
  }

  #consume({ step, time, records, rows }: DueStep): void {
    const past = step <= this.#done ? step : -1
    if (time > this.#time) this.#time = time
    for (const due of rows) this.#give(due, past)
    for (const record of records) this.#nexts.set(record, record.offset + 1)
    this.#cause = -1
    this.#consumed = Math.max(this.#consumed, step)
    if (this.#steps.rows > 0) this.#write()
  }

  #give({ topic, batch, at, cause }: Due, past: number): void {
    if (cause !== this.#cause) this.#emitted = 0
    this.#cause = cause
    if (past < 0 && this.#late !== '') this.#begin()
    const cells = sharedCells(topic.schema)
    fillFrom(cells, batch, at)
    this.#stage.row(topic.name, cells.row, past)
    // Who reads what this stage writes sees by its ticks how far it is, when it writes nothing else.
    if (past < 0 && topic === this.#control && isTick(cells.row)) this.#add(topic, cells.row)
  }

  /** Say in the log that rows before the first ones are missing in what this stage makes. */
  #begin(): void {
    const [why, time] = [`earlier rows are gone: ${this.#late}`, this.#time]
    this.#late = ''
    const nowhere = { source: '', channel: '', instrument: '', connection: 0, epoch: 0 }
    this.#add(this.#control, { kind: 'start', ...nowhere, why, time, received: time })
  }

  #add(topic: AnyTopic, row: object): void {
    this.#steps.add(topic, row, orderOf(this.#cause, this.#emitted++))
  }

  #write(): void {
    const after = this.#cut
    const inputs = this.#nexts.all()
    this.#cut = this.#consumed
    this.#steps.cut(this.#steps.take(), { step: this.#cut, after, time: this.#time, inputs, from: inputs })
  }

  async #close(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.close()))
  }

  #die(error: unknown): void {
    this.#dead = true
    this.#options.report.died(error)
    this.#failed?.(error)
  }
}

const isTick = (row: object): boolean => (row as { readonly kind?: unknown }).kind === 'tick'

/** Few enough that a turn is short: who reads sources lives in the same thread. */
const BYTES = 64 << 10
const PENDING_MAX_BYTES = 8 << 20
/** Of several producers that are equally far, none is waited for any longer than this. */
const TURN_MS = 20
