import { expect } from 'vitest'
import type { ObjectArchive } from '../../graph/port.ts'
import { duckMerger } from '../../sinks/driver/lake-merge.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { compacted, mergesOf } from '../../sinks/lake/compact.ts'
import type { CompactTo } from '../../sinks/lake/compact.ts'
import { DeltaLog } from '../../sinks/lake/delta.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { runOf, twoPartitions } from './lake-check.ts'
import { memoryLog, virtualClock } from './lake-world.ts'

export const merger = duckMerger()

/** The table of trades, as its log says now. */
export const opened = async (objects: ObjectArchive): Promise<DeltaLog> => {
  const log = new DeltaLog(objects, 'trade', parquet.checkpoint)
  await log.refresh()
  return log
}

/** Join all that is to be joined; returns how many files that made. */
export const compactAll = async (
  objects: ObjectArchive,
  clock = virtualClock(),
  to?: CompactTo,
): Promise<number> => {
  const log = await opened(objects)
  const merges = mergesOf(log.files(), to)
  for (const merge of merges) expect(await compacted(log, objects, merger, clock, merge)).toBeDefined()
  return merges.length
}

/** Load records to their end. */
export const loaded = async (objects: ObjectArchive, records = twoPartitions()): Promise<void> =>
  runLake(runOf({ log: memoryLog(records), objects })).drain()
