import { KtError } from '../../graph/error.ts'
import type { Clock, ObjectStore } from '../../graph/port.ts'
import { compacted, mergesOf, widenedIn } from './compact.ts'
import type { CompactTo, Merge, Merger } from './compact.ts'
import { DeltaLog } from './delta.ts'
import type { CheckpointFormat } from './delta.ts'

/** What keeps tables of a lake in few files while they are loaded. */
export interface Upkeep {
  readonly objects: ObjectStore
  readonly clock: Clock
  readonly checkpoint: CheckpointFormat
  readonly merger: Merger
  readonly tables: readonly string[]
  /** Between two merges, over all tables, and between two looks. Default 60 s. */
  readonly everyMs?: number
  /** Default: files of 256 MiB, from 16 small ones of a date on. */
  readonly to?: CompactTo
  readonly done?: (table: string, merge: Merge) => void
  readonly failed?: (table: string, error: KtError) => void
}

const FILES_MIN = 16
const SHARE = 2
const STOP_MS = 5000

/**
 * Compact tables at a bounded pace, beside whoever loads them: at most one merge in a while, one table after
 * the other. A failure is told, and it goes on; stopping gives up a merge that takes longer than 5 s, and
 * nothing of it is seen.
 */
export const keepUp = (of: Upkeep): { readonly stop: () => Promise<void> } => {
  const { everyMs = 60_000, clock, objects, checkpoint, merger } = of
  const to = { filesMin: FILES_MIN, share: SHARE, ...of.to }
  const logs = of.tables.map((table) => new DeltaLog(objects, table, checkpoint))
  let stopped = false
  let wake = (): void => undefined
  const rest = (ms: number): Promise<void> =>
    new Promise((resume) => {
      const cancel = clock.after(ms, resume)
      wake = () => {
        cancel()
        resume()
      }
    })
  const one = async (log: DeltaLog): Promise<boolean> => {
    try {
      await log.refresh()
      const merge = stopped ? undefined : mergesOf(log.files(), { ...widenedIn(log), ...to })[0]
      if (merge === undefined) return false
      if ((await compacted(log, objects, merger, clock, merge)) !== undefined) of.done?.(log.table, merge)
    } catch (error) {
      of.failed?.(log.table, error instanceof KtError ? error : unexpected(log.table, error))
    }
    return true
  }
  const run = async (): Promise<void> => {
    while (!stopped) {
      await rest(everyMs)
      for (const log of logs) {
        // A look that found nothing costs a request or two, so the next table is looked at now.
        if (!stopped && (await one(log)) && !stopped) await rest(everyMs)
      }
    }
  }
  const running = logs.length === 0 ? Promise.resolve() : run()
  return {
    stop: async () => {
      stopped = true
      wake()
      const late = rest(STOP_MS)
      await Promise.race([running, late])
      wake()
    },
  }
}

const unexpected = (table: string, thrown: unknown): KtError =>
  new KtError('KT3498', `compacting table "${table}" failed unexpectedly`, {
    why: thrown instanceof Error ? thrown.message : String(thrown),
    fix: 'Report this; its rows are loaded and read as before.',
    cause: thrown,
  })
