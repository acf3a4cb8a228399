import { HostError, KtError, VenueError } from '../graph/error.ts'
import type { Stage as StagePlan } from '../graph/plan.ts'
import type { LogWriter, Partition } from '../graph/port.ts'
import type { Frame } from '../graph/source.ts'
import { Batches } from './batches.ts'
import { loadCheckpoint, saveCheckpoint, Saver } from './checkpoint.ts'
import { feedPast } from './recovery.ts'
import { Stage } from './stage.ts'
import type { ShardOptions } from './options.ts'

/**
 * One single-threaded copy of a stage: takes frames and rows, cuts steps, writes them to the log, saves its
 * states. The
 * hot path never waits: a step is handed to the log and becomes durable behind its back.
 */
export class Shard {
  readonly #options: ShardOptions
  readonly #stage: Stage
  readonly #batches: Batches
  readonly #saver: Saver
  readonly #lingerMs: number
  readonly #nexts = new Map<string, Partition & { next: number }>()
  #writer: LogWriter | undefined
  #step = 0
  #time = 0
  #inputs = 0
  #skip = 0
  #cancelLinger: (() => void) | undefined
  #cancelTick: (() => void) | undefined
  #saving: Promise<void> | undefined
  #saveAt = 0
  #durable: Promise<void> = Promise.resolve()
  #failed: ((error: unknown) => void) | undefined
  /** Rejects when the shard cannot go on: an invariant broke, the log refused, a newer epoch took over. */
  readonly failure: Promise<never>

  constructor(options: ShardOptions) {
    this.#options = options
    this.#batches = new Batches(
      options.plan.writes.map(({ topic }) => topic),
      options.rowsMax,
    )
    this.#stage = new Stage(options.plan, (topic, row) => {
      this.#batches.add(topic, row)
      options.report.row(topic.schema.name, row)
    })
    this.#saver = new Saver(this.#stage, options.shard)
    const own = options.plan.writes.filter(({ from }) => from.length > 0).map(({ topic }) => topic.lingerMs)
    this.#lingerMs = options.lingerMs ?? Math.min(...own)
    this.failure = new Promise((_, reject) => (this.#failed = reject))
    this.failure.catch(() => {})
  }

  get plan(): StagePlan {
    return this.#options.plan
  }

  /**
   * Take the log's writing side, load the newest checkpoint, feed the shard's own rows since then through the
   * operators. Returns how many inputs the log already holds, for a source that can be read again from there.
   */
  async recover(): Promise<{ readonly inputs: number; readonly first: boolean }> {
    const { shard, log, objects, rebuild, report } = this.#options
    this.#writer = await log.write(shard)
    const { last } = this.#writer
    const { checkpoint, broken } = rebuild
      ? { checkpoint: undefined, broken: [] }
      : await loadCheckpoint(objects, shard)
    for (const path of broken) report.brokenCheckpoint(path)
    if (last === undefined && checkpoint !== undefined) throw this.#orphan()
    for (const entry of checkpoint?.entries ?? []) this.#stage.load(entry)
    for (const end of await log.ends())
      this.#nexts.set(`${end.topic}/${end.partition}`, {
        topic: end.topic,
        partition: end.partition,
        next: end.next,
      })
    if (last === undefined) return { inputs: 0, first: true }
    this.#step = last.step
    this.#time = last.time
    this.#inputs = last.inputs.find((one) => one.topic === INPUTS)?.next ?? 0
    const fed = await feedPast(this.#stage, log, checkpoint, last.step)
    report.recovered({ shard, step: last.step, rows: fed, checkpoint: checkpoint?.step })
    return { inputs: this.#inputs, first: false }
  }

  /**
   * Ignore the first `inputs` frames, rows and ticks: the log holds them, and a recording is being read
   * again.
   */
  skip(inputs: number): void {
    this.#skip = inputs
    this.#inputs = 0
  }

  /** Begin to tick. Ticks stand on whole multiples of `tickMs`, so that two runs tick at the same times. */
  start(): void {
    const { clock, tickMs } = this.#options
    const every = tickMs * 1000
    const next = (): void => {
      const now = clock.now()
      const due = (Math.floor(now / every) + 1) * every
      this.#cancelTick = clock.after((due - now) / 1000, () => {
        this.tick(due)
        next()
      })
    }
    next()
  }

  tick(time: number): void {
    const { pendingMaxBytes, report } = this.#options
    this.system('control', {
      kind: 'tick',
      source: '',
      channel: '',
      instrument: '',
      connection: 0,
      epoch: 0,
      why: '',
      time,
      received: time,
    })
    report.backlog(this.#writer!.pendingBytes(), pendingMaxBytes)
    this.flush()
  }

  /** Take a message of a source. The view is not kept. */
  frame(frame: Frame<never>): void {
    if (this.#past()) return
    const { deadLetters, pendingMaxBytes, report } = this.#options
    if (this.#writer!.pendingBytes() > pendingMaxBytes) return this.#drop(frame)
    if (frame.received > this.#time) this.#time = frame.received
    try {
      this.#stage.frame(frame)
      report.frame(frame, this.#options.clock.now())
    } catch (error) {
      if (!(error instanceof VenueError)) return this.#die(error)
      const { source, channel, connection, epoch, frame: number, received, symbol, bytes } = frame
      deadLetters.add({
        source,
        channel,
        connection,
        epoch,
        frame: number,
        received,
        symbol,
        bytes: bytes.slice(),
        mapping: String(error.facts['mapping'] ?? ''),
        error: `${error.code} ${error.message}`,
      })
      report.deadLetter(frame, error)
      this.#stage.system('control', {
        kind: 'drop',
        source,
        channel,
        instrument: String(error.facts['instrument'] ?? ''),
        connection,
        epoch,
        why: error.message,
        time: received,
        received,
      })
    }
    this.#linger()
  }

  /** Take a row of kt's own: a session event, a listing, a tick. */
  system(schema: string, row: object): void {
    if (this.#past()) return
    const { received } = row as { readonly received: number }
    if (received > this.#time) this.#time = received
    try {
      this.#stage.system(schema, row)
    } catch (error) {
      return this.#die(error)
    }
    this.#linger()
  }

  /** Cut a step: all rows since the last one, over all topics, as one unit of the log. */
  flush(): void {
    this.#cancelLinger?.()
    this.#cancelLinger = undefined
    if (this.#batches.rows === 0) return
    const rows = this.#batches.rows
    const records = this.#batches.take()
    const writer = this.#writer!
    this.#step++
    for (const record of records) {
      const name = `${record.topic}/${record.partition}`
      const at = this.#nexts.get(name)
      if (at === undefined)
        this.#nexts.set(name, { topic: record.topic, partition: record.partition, next: 1 })
      else at.next++
    }
    const { shard, clock, report } = this.#options
    const begun = clock.now()
    const inputs = [{ topic: INPUTS, partition: 0, next: this.#inputs }]
    const bytes = records.reduce((sum, record) => sum + record.bytes.length, 0)
    this.#durable = writer.append({ shard, step: this.#step, time: this.#time, inputs, records })
    this.#durable.then(
      () => report.durable({ rows, bytes, us: clock.now() - begun }),
      (error: unknown) => this.#die(error),
    )
    this.#save()
  }

  /** Cut the last step, wait until it is durable, save all states, let go of the log. */
  async stop(): Promise<void> {
    this.#cancelTick?.()
    this.flush()
    await this.#durable
    await this.#saving
    const { objects, shard } = this.#options
    const saver = new Saver(this.#stage, shard)
    const written = saver.some(Number.POSITIVE_INFINITY, this.#step, this.#from())
    if (written !== undefined && this.#step > 0) await saveCheckpoint(objects, shard, written)
    await this.#writer?.close()
  }

  /**
   * Wait until what was handed to the log is durable: a recording is read no faster than the log takes it.
   */
  async settled(): Promise<void> {
    await this.#durable
  }

  #from(): readonly (Partition & { readonly next: number })[] {
    return [...this.#nexts.values()]
  }

  #past(): boolean {
    this.#inputs++
    return this.#inputs <= this.#skip
  }

  #linger(): void {
    if (this.#cancelLinger !== undefined || this.#batches.rows === 0) return
    if (this.#lingerMs === 0) return this.flush()
    this.#cancelLinger = this.#options.clock.after(this.#lingerMs, () => this.flush())
  }

  #save(): void {
    const { checkpointEveryMs, clock, objects, shard, report } = this.#options
    if (this.#saving !== undefined || (!this.#saver.saving && clock.now() < this.#saveAt)) return
    if (!this.#saver.saving) this.#saveAt = clock.now() + checkpointEveryMs * 1000
    const most = Math.ceil(this.#stage.states().length / SAVE_STEPS)
    const written = this.#saver.some(most, this.#step, this.#from())
    if (written === undefined) return
    const durable = this.#durable
    const { step, from, text } = written
    const begun = clock.now()
    this.#saving = durable
      .then(() => saveCheckpoint(objects, shard, written))
      .then(
        () => report.checkpoint({ step, from, bytes: text.length, us: clock.now() - begun }),
        (error: unknown) => report.checkpointFailed(error),
      )
      .finally(() => (this.#saving = undefined))
  }

  #drop(frame: Frame<never>): void {
    const { source, channel, connection, epoch, received } = frame
    this.#options.report.dropped(frame)
    const row = {
      kind: 'drop',
      source,
      channel,
      instrument: '',
      connection,
      epoch,
      why: 'the log has fallen behind',
      time: received,
      received,
    }
    this.#stage.system('control', row)
  }

  #die(error: unknown): void {
    this.#options.report.died(error)
    this.#failed?.(error)
  }

  #orphan(): KtError {
    return new HostError('KT4003', `shard "${this.#options.shard}" has a checkpoint and no log`, {
      why: 'the log was removed, or belongs to another run',
      fix: 'Give the data folder its log back, or remove its checkpoints to start anew.',
      retry: 'never',
    })
  }
}

/** A round of saving is spread over this many steps, so that none of them waits for all states. */
const SAVE_STEPS = 50

/** The pretended topic whose offset counts what a shard took in. */
const INPUTS = 'kt.inputs'
