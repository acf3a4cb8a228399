import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { servePart } from '../../deploy/driver/part.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { duckMerger } from '../../sinks/driver/lake-merge.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import type { AnyLakeSink } from '../../sinks/lake.ts'
import { runLake } from '../../sinks/lake/load.ts'
import type { LakeStatus } from '../../sinks/lake/load.ts'
import { tableName } from '../../sinks/lake/schema.ts'
import { keepUp } from '../../sinks/lake/upkeep.ts'
import { loadGraph, planOf } from '../graph-file.ts'
import { openLog } from '../log.ts'
import { openForWriting } from '../lake-store.ts'
import { foldersOf } from '../settings.ts'
import { holds } from './holds.ts'
import { sinkLine, sinkStatus } from './lag.ts'
import { unreadableRecords } from './unreadable.ts'

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
  const plan = planOf(await loadGraph(file))
  const unreadable = await unreadableRecords(root)
  const log = await openLog(root, plan, unreadable)
  const { objects, close } = await openForWriting(folders.lake)
  const clock = systemClock()
  const work = join(root, 'lake-work')
  // What a merge left behind that was killed.
  await rm(work, { recursive: true, force: true })
  const hold = holds(log, ({ code, message }) => console.error(JSON.stringify({ code, message })))
  const load = runLake({
    graph: plan.name,
    log,
    objects,
    positions: fileStore(folders.objects),
    clock,
    format: parquet,
    sinks: plan.sinks.map(({ sink, topic }) => ({
      topic: topic.name,
      partitions: topic.partitions,
      sink: rollMs === undefined || sink.engine !== 'lake' ? sink : ({ ...sink, rollMs } as AnyLakeSink),
    })),
    cut,
    report: (change) => console.error(sinkLine(change)),
    keep: (sink, topic, partition, offset) => hold(`${sink}/${partition}`, [{ topic, partition, offset }]),
  })
  // A recording's lake is the same bytes each time: nobody's pace may decide what its files are.
  const tables = plan.sinks.flatMap(({ sink }) => (sink.engine === 'lake' ? [tableName(sink.schema)] : []))
  const upkeep = keepUp({
    objects,
    clock,
    checkpoint: parquet.checkpoint,
    merger: duckMerger({ folder: work }),
    tables: cut === 'events' ? [] : [...new Set(tables)],
    failed: (table, error) => console.error(JSON.stringify({ table, error: error.message, why: error.why })),
  })
  const tell = (): void => parent.status(statusOf(load.status(), unreadable.count()))
  const timer = setInterval(tell, 1000)
  return {
    facts: {},
    stop: async () => {
      clearInterval(timer)
      await upkeep.stop()
      await load.drain()
      tell()
      close()
      await log.close()
      await unreadable.close()
    },
  }
})

function statusOf(sinks: readonly LakeStatus[], unreadable: number): object {
  return sinkStatus(sinks, unreadable, ({ rows, files, bytes }) => ({ rows, files, bytes }))
}
