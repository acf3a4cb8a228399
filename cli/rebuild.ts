import { readFileSync } from 'node:fs'
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import { basename, resolve } from 'node:path'
import { KtError } from '../graph/error.ts'
import type { Plan, SinkPlan } from '../graph/plan.ts'
import type { Log, ReadFrom } from '../graph/port.ts'
import { rebuildOf, sinksOf } from '../graph/rebuild.ts'
import type { Rebuild } from '../graph/rebuild.ts'
import { systemTopics } from '../market/topics.ts'
import { systemClock } from '../runtime/driver/clock.ts'
import { fileStore } from '../runtime/driver/files.ts'
import { segmentLog } from '../runtime/driver/segment-log.ts'
import { beside } from '../runtime/past.ts'
import type { Point } from '../runtime/past.ts'
import { remake } from '../runtime/remake.ts'
import type { ShardReport } from '../runtime/status.ts'
import { runClickhouse } from '../sinks/clickhouse/load.ts'
import type { Loading } from '../sinks/clickhouse/load.ts'
import type { Replication } from '../sinks/clickhouse/replication.ts'
import { connectTables } from '../sinks/driver/clickhouse.ts'
import { parquet } from '../sinks/driver/parquet.ts'
import { clickhouse, lake } from '../sinks/index.ts'
import { runLake } from '../sinks/lake/load.ts'
import { loadGraph, planOf } from './graph-file.ts'
import { openForWriting } from './lake-store.ts'
import { openPast } from './rebuild-past.ts'
import type { OpenPast, PastPlace } from './rebuild-past.ts'
import { say } from './outcome.ts'
import { foldersOf } from './settings.ts'

/** What is made again, from where, and where it goes. */
export interface Rebuilding {
  /** The data folder of what is made. */
  readonly root: string
  readonly file: string
  readonly place: PastPlace
  /** Topics to read; none: all that normalizers make. */
  readonly named: readonly string[]
  /** Undefined: its tables are not filled. */
  readonly clickhouse: Access | undefined
  /** Go on as the run goes on, until stopped. */
  readonly follow: boolean
  readonly stopped: () => boolean
  readonly told: (progress: Progress) => void
}

/** A ClickHouse, and the database in it. */
export interface Access {
  readonly url: string
  readonly user: string
  readonly password: string
  readonly database: string
  readonly replication: Replication | undefined
}

/** How far a rebuild has come. */
export interface Progress {
  readonly rows: number
  /** The last step of the run that is read. */
  readonly step: number
}

const WAIT_MS = 200
const POINT_EVERY_MS = 1000
const CHECKPOINT_EVERY_MS = 10_000
const DRAIN_MS = 600_000

/** The graph of a file as it is made again, and the sinks that this fills. */
export const planned = async (
  file: string,
  named: readonly string[],
): Promise<{ readonly rebuild: Rebuild; readonly sinks: readonly SinkPlan[]; readonly live: Plan }> => {
  const graph = await loadGraph(file)
  const system = {
    topics: systemTopics,
    sink: (engine: 'clickhouse' | 'lake', schema: Parameters<typeof lake>[0]) =>
      engine === 'lake' ? lake(schema) : clickhouse(schema),
  }
  const rebuild = rebuildOf(graph, system, named)
  const live = planOf(graph)
  return { rebuild, sinks: sinksOf(rebuild, live.sinks), live }
}

/**
 * Make again what follows from some topics, beside the run that wrote them: states, rows and tables of its
 * own, exact however often it is killed and called again. Returns the step up to which all is made, once all
 * of it is in its tables.
 */
export const runRebuild = async (of: Rebuilding): Promise<number> => {
  const folders = foldersOf(of.root)
  const { rebuild, sinks, live } = await planned(of.file, of.named)
  const open = await openPast(of.place, rebuild, live)
  const own = await segmentLog(folders.log)
  const log = beside(own, open.past)
  const holding = holds(open, of.root)
  try {
    let point = await moved(open)
    const remaking = await remake(rebuild, (shard) => ({
      clock: systemClock(),
      log,
      objects: fileStore(folders.objects),
      report: reporting(
        of,
        () => point.step,
        (from) => holding.keep(shard, from),
      ),
      rowsMax: 8192,
      checkpointEveryMs: CHECKPOINT_EVERY_MS,
      rebuild: false,
    }))
    const loads = await startSinks(of, log, sinks, live.name, holding.keep)
    let pointAt = performance.now()
    const go = async (): Promise<void> => {
      for (;;) {
        const more = await remaking.pump(of.follow ? WAIT_MS : 0)
        await turn()
        if (of.stopped() || (!more && !of.follow)) return
        if (!of.follow || performance.now() - pointAt < POINT_EVERY_MS) continue
        point = await moved(open)
        pointAt = performance.now()
      }
    }
    await Promise.race([go(), remaking.failure])
    await remaking.stop()
    await loads.drain()
    await holding.release()
    return point.step
  } catch (error) {
    throw error instanceof KtError && error.code === 'KT3002' ? overtaken(error, of) : error
  } finally {
    await own.close()
    await open.past.close()
  }
}

/** KT3002 for a rebuild: an embedded log keeps what it has not read; Kafka only as long as it is told. */
const overtaken = (error: KtError, { root, place }: Rebuilding): KtError =>
  new KtError('KT3002', error.message, {
    where: place.where,
    why: 'retention has removed rows that this rebuild had not read yet',
    fix:
      'Make it from the lake, which has them: kt graph run GRAPH --source lake:RUN. Or begin anew with the ' +
      `first rows there are: kt replay --into ${basename(root)} --drop, and the same command again.`,
    cause: error,
  })

/** Go as far as the past is complete now. */
const moved = async ({ past, point }: OpenPast): Promise<Point> => {
  const found = await point()
  past.moveTo(found.nexts)
  return found
}

/** What the run must keep for this rebuild, while it is not done. */
const holds = (open: OpenPast, root: string) => {
  const readers = new Set<string>()
  return {
    keep: async (reader: string, positions: readonly ReadFrom[]): Promise<void> => {
      const theirs = positions.filter((one) => open.past.has(one))
      if (theirs.length === 0) return
      readers.add(`${root}/${reader}`)
      await open.hold(`${root}/${reader}`, theirs)
    },
    release: async (): Promise<void> => {
      for (const reader of readers) await open.hold(reader, undefined)
    },
  }
}

/** Only what a rebuild has to say; what breaks is in its failure. */
const reporting = (
  { told }: Rebuilding,
  step: () => number,
  hold: (from: readonly ReadFrom[]) => Promise<void>,
): ShardReport => {
  let rows = 0
  const keep = (from: Parameters<ShardReport['follows']>[0]['from']): void =>
    void hold(from.map(({ topic, partition, next }) => ({ topic, partition, offset: next }))).catch(() => {})
  const nothing = (): void => undefined
  return {
    frame: nothing,
    row: nothing,
    durable: (written) => {
      rows += written.rows
      told({ rows, step: step() })
    },
    deadLetter: nothing,
    dropped: nothing,
    backlog: nothing,
    checkpoint: ({ from }) => keep(from),
    checkpointFailed: (error) => say(`! a checkpoint was not written: ${String(error)}`),
    brokenCheckpoint: (path) => say(`! a broken checkpoint is passed over: ${path}`),
    recovered: nothing,
    follows: ({ from, cut }) => {
      keep(from)
      for (const { topic, partition, next } of cut)
        say(`! the first rows of ${topic}/${partition} are gone: it begins at offset ${next}`)
    },
    died: nothing,
  }
}

interface Loads {
  /** Load all that there is, and stop. */
  readonly drain: () => Promise<void>
}

const startSinks = async (
  of: Rebuilding,
  log: Log,
  sinks: readonly SinkPlan[],
  graph: string,
  hold: (reader: string, positions: readonly ReadFrom[]) => Promise<void>,
): Promise<Loads> => {
  const folders = foldersOf(of.root)
  const store = await openForWriting(folders.lake)
  const wanted = sinks.map(({ sink, topic }) => ({ topic: topic.name, partitions: topic.partitions, sink }))
  const report = ({ sink, error }: { readonly sink: string; readonly error: KtError | undefined }): void => {
    if (error !== undefined) say(`! ${sink}: ${error.message} [${error.code}]`)
  }
  const both = { log, clock: systemClock(), sinks: wanted, report }
  const positions = fileStore(folders.objects)
  const files = runLake({ ...both, graph, objects: store.objects, positions, format: parquet })
  const { clickhouse: access } = of
  const tables = access === undefined ? undefined : connectTables(access)
  const loading =
    tables === undefined
      ? undefined
      : runClickhouse({
          ...both,
          tables,
          objects: positions,
          views: readFileSync(resolve(import.meta.dirname, '../sql/clickhouse/views.sql'), 'utf8'),
          hold,
        })
  return {
    drain: async () => {
      await files.drain()
      if (loading !== undefined) await loaded(loading, log)
      await loading?.stop()
      await tables?.close()
      store.close()
    },
  }
}

/** Wait until every table has all that the log has. */
const loaded = async (loading: Loading, log: Log): Promise<void> => {
  const ends = new Map((await log.ends()).map((end) => [`${end.topic}/${end.partition}`, end]))
  const behind = () =>
    loading.status().filter(({ topic, partitions }) =>
      partitions.some(({ partition, next }) => {
        const end = ends.get(`${topic}/${partition}`)
        return end !== undefined && end.next > end.first && next < end.next
      }),
    )
  const until = performance.now() + DRAIN_MS
  loading.again()
  for (let left = behind(); left.length > 0; left = behind()) {
    const failed = left.find((one) => one.state === 'failed')
    if (failed !== undefined || performance.now() > until)
      throw notLoaded(
        left.map(({ sink }) => sink),
        failed?.error,
      )
    await pause(100)
  }
}

const notLoaded = (sinks: readonly string[], error: KtError | undefined): KtError =>
  new KtError('KT5030', `not all that was made again is in its tables: ${sinks.join(', ')}`, {
    ...(error === undefined ? {} : { why: `${error.message} [${error.code}]`, cause: error }),
    fix: 'Run the same command again: it goes on where it is, and nothing comes twice.',
  })
