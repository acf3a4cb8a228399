import { homedir } from 'node:os'
import { join } from 'node:path'
import { KtError } from '../graph/error.ts'
import type { ObjectArchive } from '../graph/port.ts'
import { fileStore } from '../runtime/driver/files.ts'
import { parquet } from '../sinks/driver/parquet.ts'
import { twenty } from '../sinks/lake/action.ts'
import { DeltaLog } from '../sinks/lake/delta.ts'
import { openStore } from './lake-store.ts'

export interface Pulled {
  readonly table: string
  readonly version: number
  /** What was copied now. */
  readonly files: number
  readonly bytes: number
}

const WIDTH = 8

/** The tables of a lake, wherever it is. */
export const tablesOf = async (objects: ObjectArchive): Promise<readonly string[]> => {
  const found = (await objects.list('')).flatMap(
    (path) => /^([^/]+)\/_delta_log\/\d{20}\./.exec(path)?.[1] ?? [],
  )
  return [...new Set(found)]
}

/**
 * Copy a table as it is now into a folder, which then is a lake of its own that reads the same. Files first
 * and its log last, so that whoever reads the folder meanwhile finds every file that is listed. What is
 * there is not copied again.
 */
export const pullTable = async (from: ObjectArchive, folder: string, table: string): Promise<Pulled> => {
  const to = fileStore(folder)
  const log = new DeltaLog(from, table, parquet.checkpoint)
  await log.refresh()
  const there = new Map((await to.listed(`${table}/`)).map(({ path, size }) => [path, size]))
  let files = 0
  let bytes = 0
  const copy = async (path: string, size?: number): Promise<void> => {
    if (there.has(path) && (size === undefined || there.get(path) === size)) return
    const found = await from.get(path)
    if (found === undefined) throw gone(path)
    await to.put(path, found)
    bytes += found.length
  }
  const wanted = log.files().map(({ path, size }) => [`${table}/${decodeURI(path)}`, size] as const)
  files = wanted.filter(([path, size]) => there.get(path) !== size).length
  for (let i = 0; i < wanted.length; i += WIDTH)
    await Promise.all(wanted.slice(i, i + WIDTH).map(([path, size]) => copy(path, size)))
  // A commit is known by its size too: a lake that was begun anew has others of the same names.
  const commits = new Map((await from.listed(`${table}/_delta_log/`)).map(({ path, size }) => [path, size]))
  const named = (version: number): string => `${table}/_delta_log/${twenty(version)}`
  const logged = (path: string): Promise<void> => copy(path, commits.get(path))
  if (log.checkpointed >= 0) await logged(`${named(log.checkpointed)}.checkpoint.parquet`)
  for (let version = log.checkpointed + 1; version <= log.version; version++)
    await logged(`${named(version)}.json`)
  if (log.checkpointed >= 0) {
    const hint = new TextEncoder().encode(JSON.stringify({ version: log.checkpointed }))
    await to.put(`${table}/_delta_log/_last_checkpoint`, hint)
  }
  return { table, version: log.version, files, bytes }
}

/** The folder that has a lake: its own, or the one that a lake in S3 was just pulled into. */
export const pulledLake = async (where: string): Promise<string> => {
  const store = await openStore(where)
  try {
    if (store.folder !== undefined) return store.folder
    const folder = where.startsWith('s3://') ? cacheOf(store.name) : where
    for (const table of await tablesOf(store.objects)) await pullTable(store.objects, folder, table)
    return folder
  } finally {
    store.close()
  }
}

const cacheOf = (name: string): string =>
  join(
    process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'),
    'kt',
    'lake',
    name.slice('s3://'.length).replaceAll('/', '_'),
  )

const gone = (path: string): KtError =>
  new KtError('KT3407', 'a file was removed while it was pulled', {
    where: path,
    why: 'A vacuum that retains less than a pull takes removed it, or something else did.',
    fix: 'Pull again, and vacuum with the default of a week.',
  })
