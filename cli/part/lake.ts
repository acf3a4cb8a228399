import { servePart } from '../../deploy/driver/part.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import type { AnyLakeSink } from '../../sinks/lake.ts'
import { runLake } from '../../sinks/lake/load.ts'
import type { LakeStatus } from '../../sinks/lake/load.ts'
import { loadGraph, planOf } from '../graph-file.ts'
import { foldersOf } from '../settings.ts'
import { sinkStatus } from './lag.ts'

/** The lake sinks of a run as a process. */
export interface LakeSettings {
  readonly root: string
  readonly file: string
  /** Overrides how long rows wait for their file; undefined leaves it to the graph. */
  readonly rollMs: number | undefined
  /** `events` makes files that depend on the rows alone, for recordings. */
  readonly cut: 'clock' | 'events'
}

await servePart<LakeSettings>(async ({ root, file, rollMs, cut }, parent) => {
  const folders = foldersOf(root)
  const log = await segmentLog(folders.log)
  const plan = planOf(await loadGraph(file))
  const load = runLake({
    graph: plan.name,
    log,
    objects: fileStore(folders.lake),
    clock: systemClock(),
    format: parquet,
    sinks: plan.sinks.map(({ sink, topic }) => ({
      topic: topic.name,
      partitions: topic.partitions,
      sink: rollMs === undefined || sink.engine !== 'lake' ? sink : ({ ...sink, rollMs } as AnyLakeSink),
    })),
    cut,
    report: ({ sink, state, error }) =>
      console.error(JSON.stringify({ sink, state, error: error?.message, why: error?.why })),
    keep: (sink, topic, partition, offset) =>
      void log.hold(`${sink}/${partition}`, [{ topic, partition, offset }]),
  })
  const timer = setInterval(() => parent.status(statusOf(load.status())), 1000)
  return {
    facts: {},
    stop: async () => {
      clearInterval(timer)
      await load.drain()
      parent.status(statusOf(load.status()))
      await log.close()
    },
  }
})

function statusOf(sinks: readonly LakeStatus[]): object {
  return sinkStatus(sinks, ({ rows, files, bytes }) => ({ rows, files, bytes }))
}
