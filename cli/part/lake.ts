import { servePart } from '../../deploy/driver/part.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import type { AnyLakeSink } from '../../sinks/lake.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { loadGraph, planOf } from '../graph-file.ts'
import { foldersOf } from '../settings.ts'

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
  const loads = plan.sinks.flatMap(({ sink, topic }) => {
    if (sink.engine !== 'lake') return []
    const own = sink as AnyLakeSink
    const partitions = Array.from({ length: topic.partitions }, (_, partition) => ({ topic: topic.name, partition }))
    return [
      runLake({
        graph: plan.name,
        sink: rollMs === undefined ? own : { ...own, rollMs },
        partitions,
        log,
        objects: fileStore(folders.lake),
        clock: systemClock(),
        format: parquet,
        cut,
        hold: (positions) => log.hold(sink.name, positions),
      }),
    ]
  })
  const status = async (): Promise<void> => {
    const sinks = await Promise.all(loads.map((load) => load.status()))
    parent.status({
      lag: sinks.reduce((sum, one) => sum + one.lag, 0),
      sinks: sinks.map(({ sink, version, lag, rows, files, bytes, waiting }) => ({ sink, version, lag, rows, files, bytes, error: waiting || undefined })),
    })
  }
  const timer = setInterval(() => void status(), 1000)
  return {
    facts: {},
    stop: async () => {
      clearInterval(timer)
      await Promise.all(loads.map((load) => load.drain()))
      await status()
      await log.close()
    },
  }
})
