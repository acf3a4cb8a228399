import type { Graph } from '../../graph/graph.ts'
import { plan } from '../../graph/plan.ts'
import type { Log } from '../../graph/port.ts'
import { rebuildOf } from '../../graph/rebuild.ts'
import type { Rebuild } from '../../graph/rebuild.ts'
import { MemoryLog } from '../../runtime/memory-log.ts'
import { partitionKey } from '../../runtime/log.ts'
import { beside, Bounded, pointOf } from '../../runtime/past.ts'
import type { Past, Point } from '../../runtime/past.ts'
import { remake, writersOf } from '../../runtime/remake.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { system } from './stages-graph.ts'
import { newHome, rowsIn, START } from './stages-world.ts'
import type { Home, Rows } from './stages-world.ts'
import { quietReport } from './world.ts'

/** How a rebuild is run. */
export interface Rebuilding {
  readonly named?: readonly string[]
  /** Turns after which the process dies, in one life after the other. */
  readonly deaths?: readonly number[]
  /** The past comes in parts: in each life and turn it may go on a little. */
  readonly follow?: boolean
  readonly home?: Home
}

/** Only what a rebuild reads. */
export const pastOf = (log: Log, { from, partitions }: Rebuild): Past => ({
  read: (of) => log.read(of),
  ends: () => log.ends(),
  close: () => log.close(),
  has: ({ topic, partition }) =>
    topic.startsWith('kt.') && !topic.startsWith('kt.input.')
      ? partition < partitions
      : from.some(({ name }) => name === topic),
})

/** A point that lies so many steps before another. */
const earlier = async (past: Past, point: Point, step: number): Promise<Point> => {
  const nexts = new Map<string, number>()
  for (const end of await past.ends()) {
    const key = partitionKey(end.topic, end.partition)
    let next = end.first
    const reader = await past.read([{ ...end, offset: end.first }])
    for (let records = await reader.read(1e9, 0); records.length > 0; records = await reader.read(1e9, 0))
      for (const record of records) if (record.step <= step) next = record.offset + 1
    nexts.set(key, Math.min(next, point.nexts.get(key) ?? 0))
  }
  return { step, nexts }
}

/** What is made again of a run's log: rows by topic partition, and how many lives it took. */
export const rebuilt = async (graph: Graph, live: Home, how: Rebuilding = {}) => {
  const rebuild = rebuildOf(graph, system, how.named)
  const home = how.home ?? newHome()
  const clock = new VirtualClock(START)
  const past = pastOf(new MemoryLog(clock, { store: live.store }), rebuild)
  const point = await pointOf(past, writersOf(rebuild))
  const deaths = [...(how.deaths ?? [])]
  let at = how.follow === true ? 0 : point.step
  for (let lives = 1; ; lives++) {
    const death = deaths.shift() ?? Infinity
    const bounded = new Bounded(past, (await earlier(past, point, at)).nexts, () => Promise.resolve())
    const own = new MemoryLog(clock, { store: home.store })
    const remaking = await remake(rebuild, () => ({
      clock,
      log: beside(own, bounded),
      objects: home.objects,
      report: quietReport(),
      rowsMax: 50,
      checkpointEveryMs: 0,
      rebuild: false,
    }))
    let turns = 0
    while (turns++ < death && (at < point.step || (await remaking.pump(0)))) {
      if (at < point.step) {
        at = Math.min(point.step, at + 7)
        bounded.moveTo((await earlier(past, point, at)).nexts)
        await remaking.pump(0)
      }
      clock.advance(clock.now() + 1000)
    }
    if (turns > death) {
      own.crash()
      continue
    }
    await remaking.stop()
    return { rebuild, lives, rows: rowsIn({ ...rebuild.plan }, home), home }
  }
}

/** The rows of a live run, of the topics that are made again. */
export const liveRows = (graph: Graph, live: Home, { makes }: Rebuild): Rows => {
  const all = rowsIn(plan(graph, system), live)
  return Object.fromEntries(
    Object.entries(all).filter(([key]) => makes.some(({ name }) => key.startsWith(`${name}/`))),
  )
}
