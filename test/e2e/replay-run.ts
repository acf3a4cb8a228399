import { createHash } from 'node:crypto'
import basisGraph from '../../graph/basis.ts'
import tickerGraph from '../../graph/ticker-basis.ts'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import type { Graph } from '../../graph/graph.ts'
import { plan } from '../../graph/plan.ts'
import type { Plan } from '../../graph/plan.ts'
import type { Log, ObjectStore } from '../../graph/port.ts'
import { logged } from '../../graph/schema.ts'
import { inLog } from '../../cli/compare.ts'
import { openReplay } from '../../cli/replay.ts'
import { systemTopics } from '../../market/topics.ts'
import { MemoryLog, MemoryStore } from '../../runtime/memory-log.ts'
import { Shard } from '../../runtime/shard.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { clickhouse } from '../../sinks/index.ts'
import type { RecordingOptions } from '../../sources/driver/recording.ts'
import { memoryObjects, quietReport } from '../runtime/world.ts'

const planOf = (graph: Graph): Plan =>
  plan(graph, { topics: systemTopics, sink: (_, schema) => clickhouse(schema as never) })

/** The plan of graph/basis.ts. */
export const planned = planOf(basisGraph)
/** The plan of graph/ticker-basis.ts. */
export const tickerPlan = planOf(tickerGraph)

export type Row = Readonly<Record<string, unknown>>

/** How a recording is played through a graph within this process. */
export interface PlayOptions extends Pick<RecordingOptions, 'drop' | 'extra'> {
  readonly paths: readonly string[]
  /** What is run; by default graph/basis.ts. */
  readonly of?: Plan
  readonly speed?: number
  readonly lingerMs?: number
  readonly rowsMax?: number
  /** The process ends after so many messages, and another one goes on; more than one: again and again. */
  readonly stops?: readonly number[]
  /** It ends as a process that is killed: what it did since its last durable step never happened. */
  readonly killed?: boolean
}

/** What a run left. */
export interface Played {
  /** Rows of every topic by schema, in order. */
  readonly rows: Readonly<Record<string, readonly Row[]>>
  /** As `kt verify --digest` makes it: all rows in order, without offsets. */
  readonly digest: string
  readonly deadLetters: number
}

interface Home {
  readonly clock: VirtualClock
  readonly log: Log & { readonly crash?: () => void }
  readonly objects: ObjectStore
}

/** One life of the process, from the beginning of the recording or from where the last one ended. */
export const live = async (
  options: PlayOptions,
  home: Home,
  eventsMax: number | undefined,
): Promise<number> => {
  const {
    paths,
    of: { stages } = planned,
    drop,
    extra,
    speed,
    lingerMs,
    rowsMax = 8192,
    killed = false,
  } = options
  const { clock, log, objects } = home
  const stage = stages[0]!
  const changes = { ...(drop === undefined ? {} : { drop }), ...(extra === undefined ? {} : { extra }) }
  const replaying = await openReplay(stage, paths, changes)
  clock.advance(replaying.begin)
  let failure: unknown
  let letters = 0
  const shard = new Shard({
    plan: stage,
    shard: `${stage.name}/0`,
    clock,
    log,
    objects,
    deadLetters: { add: () => void letters++ },
    report: quietReport((error) => (failure ??= error)),
    rowsMax,
    lingerMs,
    tickMs: 250,
    checkpointEveryMs: 5000,
    pendingMaxBytes: Number.POSITIVE_INFINITY,
    rebuild: false,
  })
  const { inputs } = await shard.recover()
  shard.skip(inputs)
  await replaying.run({
    clock,
    shard,
    speed,
    eventsMax,
    stopped: () => failure !== undefined,
    note: () => {},
  })
  if (killed && eventsMax !== undefined) log.crash?.()
  else await shard.stop()
  if (failure !== undefined) throw failure
  return letters
}

/** Play a recording to its end, in as many lives as are asked for. */
export const play = async (options: PlayOptions): Promise<Played> => {
  const store = new MemoryStore()
  const objects = memoryObjects()
  let deadLetters = 0
  for (const eventsMax of [...(options.stops ?? []), undefined]) {
    const clock = new VirtualClock(0)
    deadLetters = await live(
      options,
      { clock, log: unweighed(new MemoryLog(clock, { store })), objects },
      eventsMax,
    )
  }
  const log = new MemoryLog(new VirtualClock(0), { store })
  const of = options.of ?? planned
  return { rows: rowsIn(store, of), digest: await digestOf(log, of), deadLetters }
}

/** The memory log sums up what waits at each frame, and a replay hands it thousands of steps at once. */
const unweighed = (log: MemoryLog): Home['log'] => ({
  write: async (name) => ({ ...(await log.write(name)), pendingBytes: () => 0 }),
  read: (from) => log.read(from),
  ends: () => log.ends(),
  close: () => log.close(),
  crash: () => log.crash(),
})

/** The rows of a log in order, as `kt verify --digest` sums them up. */
export const digestOf = async (log: Log, of = planned): Promise<string> => {
  const identity = createHash('sha256')
  for (const topic of of.topics) {
    // How long things took is no part of what a run says.
    if (topic.schema.name !== 'latency')
      identity.update(`${topic.name} ${(await inLog(log, topic)).digest}\n`)
  }
  return identity.digest('hex')
}

const rowsIn = (store: MemoryStore, of: Plan): Played['rows'] => {
  const schemas = new Map(of.topics.map((topic) => [topic.name, topic.schema]))
  const rows: Record<string, Row[]> = {}
  for (const record of store.steps.flat()) {
    const schema = schemas.get(record.topic)!
    const all = (rows[schema.name] ??= [])
    for (const row of rowsOf(readBatch(logged(schema), record.bytes))) all.push(row)
  }
  return rows
}

/** The rows of one instrument. */
export const of = ({ rows }: Played, schema: string, instrument: string): readonly Row[] =>
  (rows[schema] ?? []).filter((row) => row['instrument'] === instrument)
