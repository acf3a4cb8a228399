import { VenueError } from '../graph/error.ts'
import type { Code } from '../graph/error.ts'
import type { Stage as StagePlan } from '../graph/plan.ts'
import { policyOf } from '../graph/policy.ts'
import type { Policy } from '../graph/policy.ts'
import type { Frame } from '../graph/source.ts'
import { loadCheckpoint, orphan } from './checkpoint.ts'
import { CAUSES_MAX } from './order.ts'
import { Positions } from './positions.ts'
import { feedPast, writtenBy } from './recovery.ts'
import { Stage } from './stage.ts'
import { Steps } from './steps.ts'
import type { ShardOptions } from './options.ts'

/**
 * One single-threaded copy of the stage that reads sources: takes frames and rows, and cuts the steps that
 * are the clock of the graph. The hot path never waits.
 */
export class Shard {
  readonly #options: ShardOptions
  readonly #stage: Stage
  readonly #steps: Steps
  /** What becomes of messages that the log cannot take, by source and channel. */
  readonly #policies: ReadonlyMap<string, ReadonlyMap<string, Policy>>
  readonly #lingerMs: number
  /** Behind its last durable step: where a restart reads its rows again. */
  readonly #nexts = new Positions()
  #step = 0
  #time = 0
  #inputs = 0
  #skip = 0
  #stopped = false
  /** Channels of which the last message was dropped: their trust is taken already. */
  readonly #doubted = new Set<string>()
  /** It broke, perhaps within a frame: what has not been cut is half of something, and so are the states. */
  #dead = false
  #cancelLinger: (() => void) | undefined
  #cancelTick: (() => void) | undefined
  #failed: ((error: unknown) => void) | undefined
  /** Rejects when the shard cannot go on: an invariant broke, the log refused, a newer epoch took over. */
  readonly failure: Promise<never>

  constructor(options: ShardOptions) {
    this.#options = options
    this.#stage = new Stage(options.plan, (topic, row) => this.#steps.add(topic, row))
    this.#steps = new Steps(options, this.#stage, {
      died: (error) => this.#die(error),
      placed: (records, offsets) => this.#nexts.placed(records, offsets),
    })
    this.#policies = policiesOf(options.plan)
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
    const last = await this.#steps.open()
    const { checkpoint, broken } = rebuild
      ? { checkpoint: undefined, broken: [] }
      : await loadCheckpoint(objects, shard)
    for (const path of broken) report.brokenCheckpoint(path)
    if (last === undefined && checkpoint !== undefined) throw orphan(shard)
    for (const entry of checkpoint?.entries ?? []) this.#stage.load(entry)
    for (const end of writtenBy(this.plan, await log.ends())) this.#nexts.set(end, end.next)
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
    report.backlog(this.#steps.pendingBytes, pendingMaxBytes)
    this.flush()
  }

  /** Take a message of a source. The view is not kept. */
  frame(frame: Frame<never>): void {
    if (this.#stopped || this.#past()) return
    const { pendingMaxBytes, report } = this.#options
    if (this.#steps.pendingBytes > pendingMaxBytes) return this.#drop(frame)
    if (frame.received > this.#time) this.#time = frame.received
    if (this.#doubted.size > 0) this.#doubted.delete(`${frame.source} ${frame.channel}`)
    try {
      this.#stage.frame(frame)
      report.frame(frame, this.#options.clock.now())
    } catch (error) {
      if (!(error instanceof VenueError)) return this.#die(error)
      const { source, channel, connection, epoch, received } = frame
      this.#letter(frame, String(error.facts['mapping'] ?? ''), `${error.code} ${error.message}`)
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
    if (this.#stopped || this.#past()) return
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
    if (this.#dead || this.#steps.rows === 0) return
    const records = this.#steps.take()
    const inputs = [{ topic: INPUTS, partition: 0, next: this.#inputs }]
    this.#steps.cut(records, { step: ++this.#step, time: this.#time, inputs, from: this.#nexts.all() })
  }

  /** Cut the last step, wait until it is durable, save all states, let go of the log. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelTick?.()
    if (this.#dead) return this.#steps.leave()
    this.flush()
    await this.#steps.stop(this.#step, () => this.#nexts.all())
  }

  /**
   * Wait until what was handed to the log is durable: a recording is read no faster than the log takes it.
   */
  async settled(): Promise<void> {
    await this.#steps.durable
  }

  #past(): boolean {
    this.#inputs++
    return this.#inputs <= this.#skip
  }

  #linger(): void {
    const { rows } = this.#steps
    if (this.#lingerMs === 0 || rows >= ROWS_MAX) return this.flush()
    if (this.#cancelLinger !== undefined || rows === 0) return
    this.#cancelLinger = this.#options.clock.after(this.#lingerMs, () => this.flush())
  }

  /**
   * The log is behind, and what waits for it may not grow. What the venue cannot give again goes to the dead
   * letters, whence it can be read in; the rest is a hole that the ledger has, with what the card says of it.
   */
  #drop(frame: Frame<never>): void {
    const { source, channel, connection, epoch, received } = frame
    this.#options.report.dropped(frame)
    const policy = this.#policies.get(source)?.get(channel) ?? 'deadLetter'
    if (policy === 'deadLetter') this.#letter(frame, '', `${BEHIND_CODE} ${BEHIND}`)
    // The row goes to every state of the channel, and waits for the log too: one does for a run of messages.
    if (this.#doubted.has(`${source} ${channel}`)) return
    this.#doubted.add(`${source} ${channel}`)
    const row = {
      kind: 'drop',
      source,
      channel,
      instrument: '',
      connection,
      epoch,
      why: policy === 'ticket' ? `${BEHIND}; the venue's history has it` : BEHIND,
      time: received,
      received,
    }
    this.#stage.system('control', row)
  }

  #letter(of: Frame<never>, mapping: string, error: string): void {
    const { source, channel, connection, epoch, frame, received, symbol } = of
    const bytes = of.bytes.slice()
    const from = { source, channel, connection, epoch, frame, received, symbol }
    this.#options.deadLetters.add({ ...from, bytes, mapping, error })
  }

  /** Nothing more is written: a restart takes up what the log holds whole. */
  #die(error: unknown): void {
    this.#dead = true
    this.#stopped = true
    this.#cancelTick?.()
    this.#cancelLinger?.()
    this.#options.report.died(error)
    this.#failed?.(error)
  }
}

const BEHIND_CODE: Code = 'KT4010'
const BEHIND = 'the log has fallen behind'

const policiesOf = ({ sources }: StagePlan): ReadonlyMap<string, ReadonlyMap<string, Policy>> => {
  const found = new Map<string, Map<string, Policy>>()
  for (const { source, channel } of sources) {
    const channels = found.get(source.name) ?? new Map<string, Policy>()
    found.set(source.name, channels.set(channel, policyOf(source.channels[channel]!.card)))
  }
  return found
}

/** So many rows end a step: what follows from one says its place in 20 bits. */
const ROWS_MAX = CAUSES_MAX / 2

/** The pretended topic whose offset counts what a shard took in. */
const INPUTS = 'kt.inputs'
