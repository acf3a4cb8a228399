import { HostError, KtError } from '../../graph/error.ts'
import type { ObjectStore } from '../../graph/port.ts'
import { decodeCommit, encodeCommit, twenty } from './action.ts'
import type { Action, AddFile, MetaData, Protocol, RemoveFile, Txn } from './action.ts'

/** How a checkpoint becomes a Parquet file, and is read again. */
export interface CheckpointFormat {
  readonly encode: (actions: readonly Action[]) => Uint8Array
  readonly decode: (bytes: Uint8Array) => readonly Action[]
}

/**
 * What a reader of the table version 1 must know, and a writer of version 2: no deletion vectors, no column
 * mapping.
 */
export const PROTOCOL: Protocol = Object.freeze({ minReaderVersion: 1, minWriterVersion: 2 })

/**
 * Delta keeps the removal of a file for a week, so that a reader of an older version still finds what it
 * lists.
 */
export const TOMBSTONES_MS = 7 * 86_400_000
/** How many commits a reader asks for at once, when it has far to go. */
const WIDTH_MAX = 32

interface Checkpointing {
  readonly version: number
  readonly size: number
  readonly bytes: Uint8Array
}

/**
 * A Delta log that we read and write ourselves, on any object store that has put-if-absent. A commit is the
 * creation of `_delta_log/<version>.json`: of two writers one wins, and the other reads what was committed
 * before it tries again. Readers start at the last checkpoint, so opening stays quick however long the table
 * lives.
 *
 * @see https://github.com/delta-io/delta/blob/master/PROTOCOL.md
 */
export class DeltaLog {
  /** The last version that was read or written; -1 while there is none. */
  version = -1
  metaData: MetaData | undefined
  readonly table: string
  readonly #objects: ObjectStore
  readonly #format: CheckpointFormat
  readonly #checkpointEvery: number
  readonly #files = new Map<string, AddFile>()
  readonly #removed = new Map<string, RemoveFile>()
  readonly #txns = new Map<string, Txn>()
  #protocol: Protocol = PROTOCOL
  #checkpoint = -1
  #ended = false
  #owed: Checkpointing | undefined

  /** `checkpointEvery` 0: a reader, which writes nothing. */
  constructor(objects: ObjectStore, table: string, format: CheckpointFormat, checkpointEvery = 0) {
    this.#objects = objects
    this.table = table
    this.#format = format
    this.#checkpointEvery = checkpointEvery
  }

  /** The next offset to load of a source partition. */
  position(appId: string): number {
    const txn = this.#txns.get(appId)
    return txn === undefined ? 0 : txn.version + 1
  }

  /** What stands under a name among the positions; -1: nothing. */
  mark(appId: string): number {
    return this.#txns.get(appId)?.version ?? -1
  }

  /** Every position of the table, in the order of their names. */
  positions(): readonly Txn[] {
    return sortedBy(this.#txns)
  }

  /** Files that were replaced, as long as the log remembers them: readers of an older version need them. */
  removed(): readonly RemoveFile[] {
    return sortedBy(this.#removed)
  }

  /** The version of the newest checkpoint that this reader knows; -1: none. */
  get checkpointed(): number {
    return this.#checkpoint
  }

  holds(path: string): boolean {
    return this.#files.has(path)
  }

  /** The committed files, in the order of their paths. */
  files(): readonly AddFile[] {
    return sortedBy(this.#files)
  }

  get fileCount(): number {
    return this.#files.size
  }

  /** Read what was committed since. Rejects when the object store does; what was read by then stays. */
  async refresh(): Promise<void> {
    await this.#payCheckpoint()
    if (this.version < 0) await this.#loadCheckpoint()
    for (let width = 1; ; width = Math.min(2 * width, WIDTH_MAX)) {
      const ahead = await Promise.all(
        Array.from({ length: width }, (_, i) => this.#objects.get(this.#commitPath(this.version + 1 + i))),
      )
      for (const [at, found] of ahead.entries()) {
        const later =
          found === undefined &&
          (ahead.slice(at + 1).some((one) => one !== undefined) || (await this.#beyond()))
        // Where a later one is there, this one was made between the two looks, or is lost.
        const bytes = later ? await this.#objects.get(this.#commitPath(this.version + 1)) : found
        if (bytes === undefined && later) throw lost(this.table, `commit ${this.version + 1}`, LOST_COMMIT)
        if (bytes === undefined) return
        this.#apply(decodeCommit(bytes))
        this.version++
        await this.#checkpointIfDue()
      }
    }
  }

  /** Once, where a reader has come to the end: are there later commits, and so a hole? Nearby ones tell. */
  async #beyond(): Promise<boolean> {
    if (this.#ended) return false
    const near = await this.#objects.list(this.#commitPath(this.version + 1).slice(0, -'000.json'.length))
    this.#ended = true
    return near.some((path) => path.endsWith('.json') && path > this.#commitPath(this.version + 1))
  }

  /**
   * Commit as the next version. False: another commit has that version, or this one had it already (an answer
   * was lost); what is committed by now has been read, and `position` tells which. Rejects when the outcome
   * is unknown.
   */
  async commit(actions: readonly Action[]): Promise<boolean> {
    await this.#payCheckpoint()
    if (!(await this.#objects.putIfAbsent(this.#commitPath(this.version + 1), encodeCommit(actions)))) {
      await this.refresh()
      return false
    }
    this.#apply(actions)
    this.version++
    await this.#checkpointIfDue()
    return true
  }

  #commitPath(version: number): string {
    return `${this.table}/_delta_log/${twenty(version)}.json`
  }

  #apply(actions: readonly Action[]): void {
    for (const action of actions) {
      if ('protocol' in action) this.#protocol = understood(this.table, action.protocol)
      else if ('metaData' in action) this.metaData = action.metaData
      else if ('txn' in action) this.#txns.set(action.txn.appId, action.txn)
      else if ('add' in action) {
        this.#files.set(action.add.path, action.add)
        this.#removed.delete(action.add.path)
      } else if ('remove' in action) {
        this.#files.delete(action.remove.path)
        this.#removed.set(action.remove.path, action.remove)
      }
    }
  }

  async #loadCheckpoint(): Promise<void> {
    const hint = await this.#objects.get(`${this.table}/_delta_log/_last_checkpoint`)
    const named = hint === undefined ? undefined : hinted(hint)
    const bytes = named === undefined ? undefined : await this.#objects.get(checkpointPath(this.table, named))
    if (named !== undefined && bytes !== undefined) return this.#begin(named, bytes)
    if (hint === undefined && (await this.#objects.get(this.#commitPath(0))) !== undefined) return
    // A slow writer may have named an older one after a newer was made, and the older one is gone since.
    // And a
    // table that looks empty must be so: to begin it again would load every row twice.
    const there = await this.#objects.list(`${this.table}/_delta_log/`)
    const newest = there.flatMap((path) => CHECKPOINT.exec(path)?.[1] ?? []).at(-1)
    const found =
      newest === undefined ? undefined : await this.#objects.get(checkpointPath(this.table, Number(newest)))
    if (found !== undefined) return this.#begin(Number(newest), found)
    if (hint !== undefined) throw lost(this.table, `checkpoint ${named ?? ''}`.trim(), LOST_CHECKPOINT)
    if (there.length > 0 && (await this.#objects.get(this.#commitPath(0))) === undefined)
      throw lost(this.table, 'beginning', LOST_COMMIT)
  }

  #begin(version: number, bytes: Uint8Array): void {
    this.#apply(this.#format.decode(bytes))
    this.version = version
    this.#checkpoint = version
  }

  async #checkpointIfDue(): Promise<void> {
    const every = this.#checkpointEvery
    if (every === 0 || this.version === 0 || this.version % every !== 0 || this.version <= this.#checkpoint)
      return
    const actions = this.#state()
    this.#owed = { version: this.version, size: actions.length, bytes: this.#format.encode(actions) }
    this.#checkpoint = this.version
    await this.#payCheckpoint()
  }

  /** A checkpoint that the store refused is tried again before anything else is done. */
  async #payCheckpoint(): Promise<void> {
    if (this.#owed === undefined) return
    const { version, size, bytes } = this.#owed
    await this.#objects.put(checkpointPath(this.table, version), bytes)
    await this.#objects.put(
      `${this.table}/_delta_log/_last_checkpoint`,
      new TextEncoder().encode(JSON.stringify({ version, size })),
    )
    this.#owed = undefined
  }

  /** The whole table as actions, in an order that depends on nothing but what it holds. */
  #state(): readonly Action[] {
    const now = Math.max(0, ...[...this.#txns.values()].map((txn) => txn.lastUpdated))
    return [
      { protocol: this.#protocol },
      ...(this.metaData === undefined ? [] : [{ metaData: this.metaData }]),
      ...sortedBy(this.#txns).map((txn) => ({ txn })),
      ...sortedBy(this.#files).map((add) => ({ add })),
      ...sortedBy(this.#removed)
        .filter(({ deletionTimestamp }) => deletionTimestamp > now - TOMBSTONES_MS)
        .map((remove) => ({ remove })),
    ]
  }
}

const CHECKPOINT = /\/(\d{20})\.checkpoint\.parquet$/

const hinted = (hint: Uint8Array): number | undefined => {
  try {
    const { version } = JSON.parse(new TextDecoder().decode(hint)) as { readonly version: unknown }
    return Number.isSafeInteger(version) ? (version as number) : undefined
  } catch {
    return undefined
  }
}

const LOST_CHECKPOINT = '_last_checkpoint names one, and it is written before its name is'
const LOST_COMMIT = 'later commits are there: what it added or removed cannot be known'

const lost = (table: string, what: string, why: string): HostError =>
  new HostError('KT3402', `the ${what} of table "${table}" is missing`, {
    why,
    fix: 'Restore the file; kt lake vacuum alone may remove files of a lake.',
    retry: 'never',
  })

const checkpointPath = (table: string, version: number): string =>
  `${table}/_delta_log/${twenty(version)}.checkpoint.parquet`

const sortedBy = <T>(entries: ReadonlyMap<string, T>): readonly T[] =>
  [...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value)

const understood = (table: string, protocol: Protocol): Protocol => {
  if (
    protocol.minReaderVersion <= PROTOCOL.minReaderVersion &&
    protocol.minWriterVersion <= PROTOCOL.minWriterVersion
  )
    return protocol
  throw new KtError('KT3401', `table "${table}" needs a newer Delta reader`, {
    why: `its protocol is ${protocol.minReaderVersion}/${protocol.minWriterVersion}; kt writes and reads 1/2`,
    fix: 'Another program upgraded it: load the topic into a new table, and let only kt write there.',
  })
}
