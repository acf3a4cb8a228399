import { KtError } from '../../graph/error.ts'
import type { Clock, ObjectArchive, StoredObject } from '../../graph/port.ts'
import { VACUUM } from './compact.ts'
import { TOMBSTONES_MS } from './delta.ts'
import type { DeltaLog } from './delta.ts'

const DAY_MS = 86_400_000
const LOADED = /\/([^/]+)-(\d+)-(\d{20})-\d{20}(?:-[0-9a-f]{8})?\.parquet$/

/**
 * Remove what no reader needs: files that were replaced longer ago than `retainMs` (default and most: a
 * week, as long as the log remembers them), and files that were written then and never committed. It never
 * takes what is listed, what a reader of a version within that time finds listed, nor what a commit that is
 * under way is about to list, however slow it is: a file of rows that the table has not reached stays, and
 * a compaction that was begun before this vacuum cannot be committed after it. Gives back what was removed,
 * or would be.
 */
export const vacuumed = async (
  log: DeltaLog,
  objects: ObjectArchive,
  clock: Clock,
  { retainMs = TOMBSTONES_MS, dry = false }: { readonly retainMs?: number; readonly dry?: boolean } = {},
): Promise<readonly StoredObject[]> => {
  if (retainMs > TOMBSTONES_MS) throw tooLong(retainMs)
  // What is removed was there before the mark, so whoever made it is on this side of the mark too.
  const listing = await objects.listed(`${log.table}/`)
  await log.refresh()
  const now = Math.floor(clock.now() / 1000)
  if (!dry) await leaveMark(log, now)
  const horizon = now - retainMs
  const needed = new Set(
    log
      .removed()
      .filter(({ deletionTimestamp }) => deletionTimestamp > horizon)
      .map(({ path }) => path),
  )
  const listed = (path: string): boolean => log.holds(path) || needed.has(path)
  const found = listing.filter(({ path, modified }) => {
    const name = path.slice(log.table.length + 1)
    if (name.startsWith('_') || modified > horizon * 1000) return false
    return !listed(encodeURI(name)) && !awaited(log, path)
  })
  if (!dry) for (const { path } of found) await objects.remove(path)
  return found
}

/** Has the table not reached the rows of this file yet? Then a loader may be about to commit it. */
const awaited = (log: DeltaLog, path: string): boolean => {
  const [, topic, partition, first] = LOADED.exec(path) ?? []
  if (topic === undefined) return false
  const own = log.positions().find(({ appId }) => appId.endsWith(`/${topic}/${partition}`))
  return own === undefined || Number(first) > own.version
}

const leaveMark = async (log: DeltaLog, timestamp: number): Promise<void> => {
  for (;;) {
    const version = log.mark(VACUUM) + 1
    const commitInfo = {
      timestamp,
      operation: 'VACUUM START',
      operationParameters: {},
      isBlindAppend: false,
      engineInfo: 'kt',
    }
    if (await log.commit([{ commitInfo }, { txn: { appId: VACUUM, version, lastUpdated: timestamp } }]))
      return
  }
}

const tooLong = (retainMs: number): KtError =>
  new KtError('KT3406', `a vacuum cannot retain ${retainMs / DAY_MS} days`, {
    why: `The log of a table remembers which files were replaced for ${TOMBSTONES_MS / DAY_MS} days.`,
    fix: 'Retain a week at most, or do not vacuum: old files cost their room alone.',
  })
