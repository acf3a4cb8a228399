import { readBatch, rowsOf } from '../../graph/batch.ts'
import type { Plan } from '../../graph/plan.ts'
import type { Log, ObjectStore, Placed } from '../../graph/port.ts'
import { logged } from '../../graph/schema.ts'
import { Follower } from '../../runtime/follower.ts'
import { MemoryLog, MemoryStore } from '../../runtime/memory-log.ts'
import { shardOf } from '../../runtime/producer.ts'
import { Shard } from '../../runtime/shard.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { randomOf } from '../random.ts'
import { memoryObjects, quietReport, tapFrame } from './world.ts'

export const START = 1_700_000_000_000_000

/** What outlives a process. */
export interface Home {
  readonly store: MemoryStore
  readonly objects: ReturnType<typeof memoryObjects>
}

export const newHome = (): Home => ({ store: new MemoryStore(), objects: memoryObjects() })

export interface Tapped {
  readonly instrument: string
  readonly value: number
  readonly received: number
}

/** The same taps for the same seed, about forty a second. */
export const tapsOf = (seed: number, many = 300): readonly Tapped[] => {
  const draw = randomOf(seed)
  let received = START
  return Array.from({ length: many }, () => {
    received += draw(50_000)
    return { instrument: ['a1', 'a2', 'b1', 'c1', 'c2'][draw(5)]!, value: draw(100), received }
  })
}

/** How a plan is run over taps. */
export interface Running {
  readonly lingerMs?: number
  readonly rowsMax?: number
  readonly rebuild?: boolean
  readonly checkpointEveryMs?: number
  /** Decides when the stages behind the sources get their turns; else they get one after each tap. */
  readonly turns?: (below: number) => number
  /** Taps after which the process dies, in one life after the other. */
  readonly deaths?: readonly number[]
  /** Stands between the shards and the log, and may end a life. */
  readonly between?: (log: MemoryLog, die: () => void) => Log
  /** Stands between the shards and their checkpoints. */
  readonly saving?: (objects: ObjectStore, die: () => void) => ObjectStore
  /** Called between two taps. */
  readonly meanwhile?: (log: MemoryLog, at: number) => Promise<void>
  readonly begins?: (follower: string, cut: number) => void
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

const upRow = (instrument: string, time: number) => ({
  kind: 'up',
  source: 'venue',
  channel: 'tap',
  instrument,
  connection: 0,
  epoch: 0,
  why: '',
  time,
  received: time,
})

/** Read the taps to the end with all stages of a plan, again and again when the process dies. */
export const runStages = async (
  plan: Plan,
  home: Home,
  taps: readonly Tapped[],
  how: Running = {},
): Promise<void> => {
  const deaths = [...(how.deaths ?? [])]
  for (let lives = 0; lives < 100; lives++) if (await live(plan, home, taps, how, deaths.shift())) return
  throw new Error('it dies again and again')
}

/** False: the process died, and what was not durable is lost. */
const live = async (
  plan: Plan,
  { store, objects }: Home,
  taps: readonly Tapped[],
  how: Running,
  death: number | undefined,
): Promise<boolean> => {
  const clock = new VirtualClock(START)
  const memory = new MemoryLog(clock, { store, commitMs: 3 })
  const state: { dead: boolean; failure: unknown } = { dead: false, failure: undefined }
  const die = (): void => {
    state.dead = true
    memory.crash()
  }
  const log = how.between?.(memory, die) ?? memory
  const died = (error: unknown): void => void (state.failure ??= error)
  const report = { ...quietReport(died), follows: told(how) }
  const both = {
    clock,
    log,
    objects: ending(how.saving?.(objects, die) ?? objects, () => state.dead),
    report,
    rowsMax: how.rowsMax ?? 50,
    checkpointEveryMs: how.checkpointEveryMs ?? 1000,
    rebuild: how.rebuild ?? false,
  }
  const [stage, ...behind] = plan.stages
  const shard = new Shard({
    ...both,
    plan: stage!,
    shard: shardOf(stage!),
    deadLetters: { add: () => {} },
    lingerMs: how.lingerMs,
    tickMs: 250,
    pendingMaxBytes: 1 << 30,
  })
  /** In a process that has died nothing is true any more. */
  const alive = async (work: Promise<unknown>): Promise<void> => {
    let done = false
    const watched = work.then(
      () => void (done = true),
      (error: unknown) => {
        done = true
        if (!state.dead) throw error
      },
    )
    watched.catch(() => {})
    while (!done && !state.dead) {
      clock.advance(clock.now() + 1000)
      await settle()
    }
    if (!state.dead) await watched
  }
  const { inputs } = await shard.recover()
  shard.skip(inputs)
  const followers = behind.map(
    (one) => new Follower({ ...both, graph: plan, plan: one, shard: shardOf(one) }),
  )
  for (const follower of followers)
    if (!state.dead)
      await follower.recover().catch((error: unknown) => {
        if (!state.dead) throw error
      })
  shard.start()
  for (const [at, tap] of taps.entries()) {
    clock.advance(tap.received)
    await settle()
    if (at === death) die()
    for (const follower of followers)
      for (let turn = how.turns?.(3) ?? 1; turn > 0 && !state.dead; turn--)
        await follower.pump(0).catch(() => {})
    if (state.dead) return false
    if (state.failure !== undefined) throw state.failure
    await how.meanwhile?.(memory, at)
    // A row of kt's own comes before the frame in the same step: only its order says so.
    if (tap.value % 10 === 0) shard.system('control', upRow(tap.instrument, tap.received))
    shard.frame(tapFrame(at, tap.instrument, tap.value, tap.received))
  }
  await alive(shard.stop())
  for (const follower of followers) await alive(follower.stop())
  if (state.dead) return false
  if (state.failure !== undefined) throw state.failure
  await memory.close()
  return true
}

/** A process that has died writes nothing. */
const ending = (objects: ObjectStore, dead: () => boolean): ObjectStore => ({
  ...objects,
  put: async (path, bytes) => {
    if (dead()) throw new Error('nobody hears this')
    await objects.put(path, bytes)
  },
})

const told =
  (how: Running) =>
  ({ shard, cut }: { readonly shard: string; readonly cut: readonly unknown[] }): void =>
    how.begins?.(shard, cut.length)

export type Rows = Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>

/** All rows of each topic partition, in order, without where they stand. */
export const rowsIn = (plan: Plan, { store }: Home): Rows => {
  const schemas = new Map(plan.topics.map((topic) => [topic.name, logged(topic.schema)]))
  const rows: Record<string, Record<string, unknown>[]> = {}
  for (const record of store.steps.flat()) {
    for (const row of rowsOf(readBatch(schemas.get(record.topic)!, record.bytes))) {
      const { _order, ...event } = row
      void _order
      ;(rows[`${record.topic}/${record.partition}`] ??= []).push(event)
    }
  }
  return rows
}

/** What the sources' shard wrote, in the order in which it made it: all that other rows follow from. */
export const madeIn = (
  plan: Plan,
  { store }: Pick<Home, 'store'>,
): readonly { readonly topic: string; readonly row: Readonly<Record<string, unknown>> }[] => {
  const schemas = new Map(plan.topics.map((topic) => [topic.name, logged(topic.schema)]))
  const root = shardOf(plan.stages[0]!)
  const steps = Map.groupBy(
    store.steps.flat().filter((record: Placed) => record.shard === root),
    (record) => record.step,
  )
  return [...steps.values()].flatMap((records) =>
    records
      .flatMap(({ topic, bytes }) =>
        rowsOf(readBatch(schemas.get(topic)!, bytes)).map((row) => ({ topic, row })),
      )
      .toSorted((a, b) => Number(a.row['_order']) - Number(b.row['_order'])),
  )
}
