import { assert } from '../../graph/error.ts'
import type { Clock, ObjectStore } from '../../graph/port.ts'
import { snake } from '../../graph/schema.ts'
import { twenty } from './action.ts'
import type { Action, AddFile } from './action.ts'
import type { DeltaLog } from './delta.ts'
import { DATE } from './schema.ts'
import { merged } from './stats.ts'

/** Files of one date that become one. */
export interface Merge {
  readonly dt: string
  readonly files: readonly AddFile[]
  readonly rows: number
  readonly bytes: number
}

/** How large a compacted file is to be, and when it is worth the work. */
export interface CompactTo {
  /** Bytes of a file, as compressed as it comes. What has half of this stays as it is. Default 256 MiB. */
  readonly bytes?: number
  /** Fewer small files of a date are left alone. Default 2. */
  readonly filesMin?: number
  /**
   * A file joins those smaller than it only where it weighs no more than so many times what they do together.
   * Default: whatever it weighs.
   */
  readonly share?: number
  /** Only this date. */
  readonly dt?: string
  /** Files of versions of the event below this one are narrower than the table: each is written anew. */
  readonly widened?: number
}

/** The newest version of its event that widened a column of a table; undefined: none did. */
export const widenedIn = ({ metaData }: DeltaLog): { readonly widened?: number } => {
  const version = metaData?.configuration[WIDENED]
  return version === undefined ? {} : { widened: Number(version) }
}

/** Where a table notes that. */
export const WIDENED = 'kt.widened'

/**
 * What joins files: reads them, sorts their rows by `orderBy` and then by their places, and hands back one
 * file, having shown that it has the rows that they have. Throws where it has not.
 */
export interface Merger {
  readonly merge: (of: {
    readonly objects: Pick<ObjectStore, 'get'>
    readonly paths: readonly string[]
    readonly orderBy: readonly string[]
    readonly rows: number
    /** The columns of the file, where those of its files are fewer or narrower. */
    readonly as?: readonly StoredColumn[]
  }) => Promise<{ readonly bytes: Uint8Array; readonly fingerprint: string }>
}

/** A column of a table as its Delta log has it. */
export interface StoredColumn {
  readonly name: string
  readonly type: string | { readonly elementType: string }
}

const BYTES = 256 * 2 ** 20

/**
 * Which files of a table to join: of each date, and each version of the event, the small ones, oldest rows
 * first; and all that are narrower than the table. With a `share`, a file that was made by an earlier merge
 * joins again only when enough has come for it, so that a row is written a number of times that grows with
 * the logarithm of what its date has, however slowly rows come.
 */
export const mergesOf = (files: readonly AddFile[], to: CompactTo = {}): readonly Merge[] => {
  const { bytes: target = BYTES, filesMin = 2, share = Infinity, dt, widened = 1 } = to
  const narrow = (file: AddFile): boolean => versionOf(file) < widened
  const groups = new Map<string, AddFile[]>()
  for (const file of files) {
    const date = file.partitionValues[DATE]
    if ((file.size >= target / 2 && !narrow(file)) || (dt !== undefined && dt !== date)) continue
    const key = `${date} ${file.tags?.['kt.schema'] ?? ''}`
    groups.set(key, [...(groups.get(key) ?? []), file])
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, small]) => parted(narrow(small[0]!) ? small : worthwhile(small, filesMin, share), target))
    .filter(({ files: [first, ...more] }) => more.length > 0 || narrow(first!))
}

const versionOf = ({ tags }: AddFile): number =>
  Number(/\/(\d+)$/.exec(tags?.['kt.schema'] ?? '')?.[1] ?? Infinity)

/** From the smallest on, runs in which each weighs no more than `share` times what is below it: the first. */
const worthwhile = (files: readonly AddFile[], filesMin: number, share: number): readonly AddFile[] => {
  let run: AddFile[] = []
  let bytes = 0
  for (const file of files.toSorted((a, b) => a.size - b.size)) {
    if (run.length > 0 && file.size > share * bytes) {
      if (run.length >= filesMin) break
      run = []
      bytes = 0
    }
    run.push(file)
    bytes += file.size
  }
  return run.length < filesMin ? [] : run
}

/** In the order of their rows, cut where a file would become too large. */
const parted = (files: readonly AddFile[], target: number): readonly Merge[] => {
  const parts: AddFile[][] = []
  let bytes = Infinity
  for (const file of files.toSorted(byRows)) {
    if (bytes + file.size > target) {
      parts.push([])
      bytes = 0
    }
    parts.at(-1)!.push(file)
    bytes += file.size
  }
  return parts.map((part) => ({
    dt: part[0]!.partitionValues[DATE],
    files: part,
    rows: part.reduce((sum, file) => sum + rowsIn(file), 0),
    bytes: part.reduce((sum, file) => sum + file.size, 0),
  }))
}

interface Stats {
  readonly numRecords: number
  readonly minValues?: Readonly<Record<string, string | number>>
}

const statsIn = (file: AddFile): Stats => JSON.parse(file.stats) as Stats

/** How many rows a file has. */
export const rowsIn = (file: AddFile): number => statsIn(file).numRecords

const begin = (file: AddFile): string => String(statsIn(file).minValues?.['received'] ?? '')

const byRows = (a: AddFile, b: AddFile): number =>
  begin(a) < begin(b) ? -1 : begin(a) > begin(b) ? 1 : a.path < b.path ? -1 : 1

/** The mark that each vacuum leaves in a table: what was begun before it may count on no file of its own. */
export const VACUUM = 'kt/vacuum'

/**
 * Join files into one and commit that, so that a reader sees the files or what became of them, and rows and
 * positions stay what they are. Undefined: somebody else has joined or removed one of them meanwhile, or a
 * vacuum may have taken the new file; nothing has changed then.
 */
export const compacted = async (
  log: DeltaLog,
  objects: ObjectStore,
  merger: Merger,
  clock: Clock,
  merge: Merge,
): Promise<AddFile | undefined> => {
  const { table } = log
  const vacuum = log.mark(VACUUM)
  const orderBy = (log.metaData?.configuration['kt.orderBy'] ?? '').split(',').filter((name) => name !== '')
  const [{ tags }] = merge.files as readonly [AddFile]
  const { widened = 1 } = widenedIn(log)
  const anew = versionOf(merge.files[0]!) < widened
  const { bytes, fingerprint } = await merger.merge({
    ...(anew ? { as: columnsOf(log) } : {}),
    objects,
    paths: merge.files.map((file) => `${table}/${decodeURI(file.path)}`),
    orderBy: orderBy.map(snake),
    rows: merge.rows,
  })
  const path = `${DATE}=${merge.dt}/compact-${twenty(log.version)}-${fingerprint}.parquet`
  // By its name it is what it is: one that is there has these bytes.
  await objects.putIfAbsent(`${table}/${path}`, bytes)
  const now = Math.floor(clock.now() / 1000)
  const add: AddFile = {
    path: encodeURI(path),
    partitionValues: { dt: merge.dt },
    size: bytes.length,
    modificationTime: now,
    dataChange: false,
    stats: merged(merge.files.map((file) => file.stats)),
    tags: anew ? { ...tags, 'kt.schema': log.metaData!.configuration['kt.schema']! } : tags,
  }
  assert(rowsIn(add) === merge.rows, 'a compacted file has the rows of its files')
  const actions = actionsOf(merge, add, now)
  for (;;) {
    if (log.holds(add.path)) return add
    if (log.mark(VACUUM) !== vacuum || !merge.files.every((file) => log.holds(file.path))) return undefined
    if (await log.commit(actions)) return add
  }
}

const columnsOf = ({ metaData }: DeltaLog): readonly StoredColumn[] =>
  (JSON.parse(metaData!.schemaString) as { readonly fields: readonly StoredColumn[] }).fields.filter(
    ({ name }) => name !== DATE,
  )

const actionsOf = (merge: Merge, add: AddFile, timestamp: number): readonly Action[] => [
  {
    commitInfo: {
      timestamp,
      operation: 'OPTIMIZE',
      operationParameters: { dt: merge.dt, files: String(merge.files.length) },
      isBlindAppend: false,
      engineInfo: 'kt',
    },
  },
  ...merge.files.map(({ path, partitionValues, size }) => ({
    remove: {
      path,
      partitionValues,
      size,
      deletionTimestamp: timestamp,
      dataChange: false,
      extendedFileMetadata: true,
    },
  })),
  { add },
]
