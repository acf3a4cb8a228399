import type { Batch } from '../../graph/batch.ts'
import { assert } from '../../graph/error.ts'
import type { ObjectStore, Partition } from '../../graph/port.ts'
import { schemaId } from '../../graph/schema.ts'
import type { AnyLakeSink } from '../lake.ts'
import { twenty } from './action.ts'
import type { Action, AddFile } from './action.ts'
import { WIDENED } from './compact.ts'
import { byDate } from './cut.ts'
import type { Cut } from './cut.ts'
import { DeltaLog, PROTOCOL } from './delta.ts'
import type { CheckpointFormat } from './delta.ts'
import { DATE, deltaSchema, evolved, tableId, tableName, widens } from './schema.ts'
import { dateOf, statsOf } from './stats.ts'

/** How files are written: Parquet, by a driver. The same rows must give the same bytes. */
export interface FileFormat {
  /** A batch of `stored(schema)` as a file, with texts that say where it comes from. */
  readonly write: (batch: Batch, about: Readonly<Record<string, string>>) => Uint8Array
  readonly checkpoint: CheckpointFormat
}

/** By which name a table notes how far a sink has come in one partition of its topic. */
export const appIdOf = ({ name }: AnyLakeSink, { topic, partition }: Partition): string =>
  `kt/${name}/${topic}/${partition}`

/**
 * `moved`: another run has loaded some of these rows, so nothing was written; go on from the table's
 * positions.
 */
export type Outcome = 'done' | 'moved'

interface Written {
  readonly add: AddFile
  readonly rows: number
}

/**
 * A table of the lake as its only kind of writer sees it. A commit adds the files of some cuts and moves the
 * position of their partitions in one step, so a row is in the table exactly when its offset is below the
 * position.
 */
export class LakeTable {
  /** What this run has committed. */
  files = 0
  rows = 0
  bytes = 0
  /** The newest received time that was committed by this run, microseconds; 0 before the first commit. */
  time = 0
  readonly #sink: AnyLakeSink
  readonly #graph: string
  readonly #objects: ObjectStore
  readonly #format: FileFormat
  readonly #log: DeltaLog
  readonly #written = new WeakMap<Cut, readonly Written[]>()

  constructor(of: {
    readonly sink: AnyLakeSink
    readonly graph: string
    readonly objects: ObjectStore
    readonly format: FileFormat
    readonly checkpointEvery: number
  }) {
    this.#sink = of.sink
    this.#graph = of.graph
    this.#objects = of.objects
    this.#format = of.format
    this.#log = new DeltaLog(of.objects, tableName(of.sink.schema), of.format.checkpoint, of.checkpointEvery)
  }

  /** Go on counting where a table that was given up stood. */
  countFrom(before: LakeTable): void {
    this.files = before.files
    this.rows = before.rows
    this.bytes = before.bytes
    this.time = before.time
  }

  get version(): number {
    return this.#log.version
  }

  get filesInTable(): number {
    return this.#log.fileCount
  }

  /** Read what was committed, by whomever. */
  refresh(): Promise<void> {
    return this.#log.refresh()
  }

  /** The next offset to load. */
  position(of: Partition): number {
    return this.#log.position(appIdOf(this.#sink, of))
  }

  /**
   * Commit cuts: of each partition the next ones, in order. It may be called again with the same cuts after
   * it rejected: it finds out what has become of the first attempt.
   */
  async commit(cuts: readonly Cut[]): Promise<Outcome> {
    const ranges = rangesOf(cuts)
    for (;;) {
      if (ranges.every((range) => this.position(range) === range.last + 1)) return this.#count(cuts)
      if (ranges.some((range) => this.position(range) !== range.from)) return 'moved'
      const files: Written[] = []
      for (const cut of cuts) files.push(...(await this.#write(cut)))
      if (await this.#log.commit(this.#actions(cuts, ranges, files))) return this.#count(cuts)
    }
  }

  #count(cuts: readonly Cut[]): Outcome {
    for (const cut of cuts) {
      const written = this.#written.get(cut) ?? []
      this.files += written.length
      this.bytes += written.reduce((sum, { add }) => sum + add.size, 0)
      this.rows += cut.rows
      this.time = Math.max(this.time, cut.time)
    }
    return 'done'
  }

  async #write(cut: Cut): Promise<readonly Written[]> {
    const known = this.#written.get(cut)
    if (known !== undefined) return known
    const written: Written[] = []
    for (const { day, batch } of byDate(this.#sink.schema, cut)) {
      const dt = dateOf(day)
      const bytes = this.#format.write(batch, {
        schema: schemaId(this.#sink.schema),
        topic: cut.topic,
        partition: String(cut.partition),
        offsets: `${cut.first}-${cut.last}`,
      })
      const path = await this.#store(
        `${DATE}=${dt}/${cut.topic}-${cut.partition}-${twenty(cut.first)}-${twenty(cut.last)}`,
        bytes,
      )
      const modificationTime = Math.floor(cut.time / 1000)
      const size = bytes.length
      const tags = { 'kt.schema': schemaId(this.#sink.schema) }
      const stats = statsOf(batch)
      const add = {
        path: encodeURI(path),
        partitionValues: { dt },
        size,
        modificationTime,
        dataChange: true,
        stats,
        tags,
      }
      written.push({ add, rows: batch.rows })
    }
    assert(
      written.reduce((sum, { rows }) => sum + rows, 0) === cut.rows,
      'every row of a cut is in one of its files',
    )
    this.#written.set(cut, written)
    return written
  }

  /**
   * Store a file; the path that it got, relative to the table. A file of this name that a crash left behind
   * has the same bytes and is adopted. One that differs (another version of kt cut the same range) may be
   * committed by now, so it is never replaced: ours takes a name that says what is in it.
   */
  async #store(name: string, bytes: Uint8Array): Promise<string> {
    for (const path of [`${name}.parquet`, `${name}-${fingerprint(bytes)}.parquet`]) {
      const full = `${this.#log.table}/${path}`
      if (await this.#objects.putIfAbsent(full, bytes)) return path
      const there = await this.#objects.get(full)
      if (there !== undefined && same(there, bytes)) return path
    }
    assert(false, `a file of the lake has another's fingerprint: ${name}`)
  }

  #actions(cuts: readonly Cut[], ranges: readonly Range[], files: readonly Written[]): readonly Action[] {
    const timestamp = Math.floor(Math.max(...cuts.map((cut) => cut.time)) / 1000)
    const operationParameters = Object.fromEntries(
      ranges.map(({ topic, partition, first, last }) => [`${topic}/${partition}`, `${first}-${last}`]),
    )
    return [
      {
        commitInfo: {
          timestamp,
          operation: 'STREAMING UPDATE',
          operationParameters,
          isBlindAppend: true,
          engineInfo: 'kt',
        },
      },
      ...this.#describe(timestamp),
      ...ranges.map((range) => ({
        txn: { appId: appIdOf(this.#sink, range), version: range.last, lastUpdated: timestamp },
      })),
      ...files.map(({ add }) => ({ add })),
    ]
  }

  /**
   * What the first commit says about the table, and a later one when a new version of the event has more
   * columns.
   */
  #describe(timestamp: number): readonly Action[] {
    const { schema, orderBy } = this.#sink
    const current = this.#log.metaData
    const configuration = { 'kt.schema': schemaId(schema), 'kt.orderBy': orderBy.join(',') }
    if (current === undefined) {
      const name = this.#log.table
      const made = {
        id: tableId(this.#graph, name),
        name,
        description: schema.about,
        format: PARQUET,
        partitionColumns: [DATE],
        createdTime: timestamp,
      }
      return [
        { protocol: PROTOCOL },
        { metaData: { ...made, schemaString: deltaSchema(schema), configuration } },
      ]
    }
    const schemaString = evolved(schema, current.schemaString)
    if (schemaString === current.schemaString) return []
    const wider = widens(schemaString, current.schemaString) ? { [WIDENED]: String(schema.version) } : {}
    return [
      {
        metaData: {
          ...current,
          schemaString,
          configuration: { ...current.configuration, ...configuration, ...wider },
        },
      },
    ]
  }
}

const PARQUET = Object.freeze({ provider: 'parquet' as const, options: Object.freeze({}) })

interface Range extends Partition {
  readonly first: number
  readonly last: number
  /** The position that they follow. */
  readonly from: number
}

/** From the first to the last offset of each partition in some cuts. */
const rangesOf = (cuts: readonly Cut[]): readonly Range[] => {
  const ranges = new Map<string, Range>()
  for (const cut of cuts) {
    const { topic, partition, last } = cut
    const key = `${topic}/${partition}`
    const { first, from } = ranges.get(key) ?? cut
    ranges.set(key, { topic, partition, first, last, from })
  }
  return [...ranges.values()]
}

const same = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i])

/** FNV-1a, 32 bits: enough to tell the few versions of one file apart. */
const fingerprint = (bytes: Uint8Array): string => {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}
