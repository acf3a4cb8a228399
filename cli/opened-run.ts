import { changes, describe } from '../graph/describe.ts'
import type { Described } from '../graph/describe.ts'
import type { Plan, Stage } from '../graph/plan.ts'
import type { Log, Partition } from '../graph/port.ts'
import type { Rebuild } from '../graph/rebuild.ts'
import type { Unreadable } from '../runtime/format/sound.ts'
import { segmentLog } from '../runtime/driver/segment-log.ts'
import { beside } from '../runtime/past.ts'
import { inLog } from './compare.ts'
import type { Holding } from './compare.ts'
import { loadGraph, planOf } from './graph-file.ts'
import { lookAtLog } from './look.ts'
import { openPast, rangesUpTo } from './rebuild-past.ts'
import { planned } from './rebuild.ts'
import { foldersOf } from './settings.ts'
import type { RunFile } from './settings.ts'

/** A topic as it was made again, beside what the run made. */
export interface Remade {
  readonly topic: string
  readonly rebuilt: Holding
  /** Undefined: the run never made it. */
  readonly run: Holding | undefined
}

/** What a data folder holds: a run, or what was made again of one. */
export interface OpenedRun {
  readonly plan: Plan
  /** The stages that read topics. */
  readonly stages: readonly Stage[]
  readonly log: Log
  /** Has the graph file changed since it ran? */
  readonly changed: () => boolean
  /** Compares what was made again with what the run made; of a run there is none. */
  readonly remade: () => Promise<readonly Remade[]>
  readonly close: () => Promise<void>
}

/**
 * Open what a data folder holds, so that it can be compared with its tables. `unreadable`: as of a run's log.
 */
export const openRun = async (root: string, run: RunFile, unreadable?: Unreadable): Promise<OpenedRun> => {
  const { rebuild } = run
  if (rebuild !== undefined) return openRebuild(root, run, rebuild)
  const plan = planOf(await loadGraph(run.file))
  const log = await lookAtLog(root, plan, unreadable)
  return {
    plan,
    stages: plan.stages.slice(1),
    log,
    changed: () => changes(run.plan as Described | undefined, describe(plan)).length > 0,
    remade: () => Promise.resolve([]),
    close: () => log.close(),
  }
}

/** By its own ticks and gaps a rebuild knows how far it is; they are nobody's rows. */
const isOwnSystem = ({ plan, from, makes, partitions }: Rebuild, { topic, partition }: Partition): boolean =>
  partition >= partitions &&
  plan.topics.some(({ name }) => name === topic) &&
  [...from, ...makes].every(({ name }) => name !== topic)

const openRebuild = async (
  root: string,
  run: RunFile,
  { kind, where, topics, step }: NonNullable<RunFile['rebuild']>,
): Promise<OpenedRun> => {
  const { rebuild, sinks, live } = await planned(run.file, topics)
  const open = await openPast({ kind, where }, rebuild, live)
  const point = await (step === undefined ? open.point() : open.upTo(step))
  open.past.moveTo(point.nexts)
  const own = await segmentLog(foldersOf(root).log)
  const log = beside(own, open.past)
  const stored = new Set(sinks.map(({ topic }) => topic.name))
  const shown = [...rebuild.makes, ...rebuild.plan.topics.filter(({ name }) => stored.has(name))]
  return {
    plan: { ...rebuild.plan, topics: [...new Set(shown)], sinks },
    stages: rebuild.runs,
    log: { ...log, ends: async () => (await log.ends()).filter((end) => !isOwnSystem(rebuild, end)) },
    changed: () => changes(run.plan as Described | undefined, describe(live)).length > 0,
    remade: async () => {
      const found: Remade[] = []
      for (const topic of rebuild.makes) {
        const made = await open.madeTo(topic)
        const upTo = Math.min(made ?? Infinity, point.step)
        const rebuilt = await inLog(own, topic, await rangesUpTo(own, topic, upTo))
        const theirs = await rangesUpTo(open.made, topic, upTo)
        const of = made === undefined ? undefined : await inLog(open.made, topic, theirs)
        found.push({ topic: topic.name, rebuilt, run: of })
      }
      return found
    },
    close: async () => {
      await own.close()
      await open.past.close()
    },
  }
}
