import { KtError } from '../../graph/error.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { duckMerger } from '../../sinks/driver/lake-merge.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import type { AddFile } from '../../sinks/lake/action.ts'
import { compacted, mergesOf, rowsIn, widenedIn } from '../../sinks/lake/compact.ts'
import { DeltaLog } from '../../sinks/lake/delta.ts'
import { DATE } from '../../sinks/lake/schema.ts'
import { vacuumed } from '../../sinks/lake/vacuum.ts'
import { openLake, schemaOf } from '../lake.ts'
import { checkTable } from '../lake-check.ts'
import { pullTable, tablesOf } from '../lake-pull.ts'
import { openStore } from '../lake-store.ts'
import type { LakeStore } from '../lake-store.ts'
import { EXIT, print, printJson, say } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { dataFolder, dateOf, durationMs, foldersOf, wholeNumber } from '../settings.ts'
import { NONE, sizeText, table } from '../table.ts'

interface LakeOptions extends GlobalOptions {
  readonly data?: string
  readonly lake?: string
}

/** What has half of this size is not worth joining. */
const SMALL = 128 * 2 ** 20

const placeOf = ({ lake, data }: LakeOptions): string => lake ?? foldersOf(dataFolder(data)).lake

/** Open the lake that is meant, and the logs of the tables that are: all, or those that are named. */
const withTables = async <T>(
  options: LakeOptions,
  names: readonly string[],
  use: (store: LakeStore, logs: readonly DeltaLog[]) => Promise<T>,
): Promise<T> => {
  const store = await openStore(placeOf(options))
  try {
    const there = await tablesOf(store.objects)
    const strange = names.find((name) => !there.includes(name))
    if (strange !== undefined) throw noTable(strange, store.name, there)
    const logs = (names.length === 0 ? there : names).map(
      (name) => new DeltaLog(store.objects, name, parquet.checkpoint),
    )
    return await use(store, logs)
  } finally {
    store.close()
  }
}

const noTable = (name: string, where: string, there: readonly string[]): KtError =>
  new KtError('KT6421', `the lake has no table "${name}"`, {
    where,
    fix:
      there.length === 0 ? 'It has none yet: run a graph that writes to it.' : `It has ${there.join(', ')}.`,
  })

const sum = (files: readonly AddFile[], of: (file: AddFile) => number): number =>
  files.reduce((total, file) => total + of(file), 0)

/** Tables with what they hold. */
export const list = (options: LakeOptions): Promise<number> =>
  withTables(options, [], async (store, logs) => {
    const found = []
    for (const log of logs) {
      await log.refresh()
      const files = log.files()
      const dates = files.map((file) => file.partitionValues[DATE]).sort()
      const bytes = sum(files, ({ size }) => size)
      const [first, last] = [dates[0], dates.at(-1)]
      found.push({
        table: log.table,
        version: log.version,
        files: files.length,
        rows: sum(files, rowsIn),
        bytes,
        first,
        last,
      })
    }
    if (options.json === true) printJson({ lake: store.name, tables: found })
    else {
      say(store.name)
      const rows = found.map((one) => [
        one.table,
        one.version,
        one.files,
        one.rows,
        sizeText(one.bytes),
        one.first ?? NONE,
        one.last ?? NONE,
      ])
      print(table(['table', 'version', 'files', 'rows', 'size', 'from', 'to'], rows))
    }
    return EXIT.ok
  })

/** The dates of tables, how small their files are, and how long their logs. */
export const stats = (names: readonly string[], options: LakeOptions): Promise<number> =>
  withTables(options, names, async (_, logs) => {
    const found = []
    for (const log of logs) {
      await log.refresh()
      const commits = log.version - Math.max(0, log.checkpointed)
      for (const [dt, files] of Map.groupBy(log.files(), (file) => file.partitionValues[DATE])) {
        const bytes = sum(files, ({ size }) => size)
        const rows = sum(files, rowsIn)
        const small = files.filter(({ size }) => size < SMALL).length
        found.push({
          table: log.table,
          dt,
          files: files.length,
          small,
          rows,
          bytes,
          checkpoint: log.checkpointed,
          commits,
        })
      }
    }
    if (options.json === true) printJson(found)
    else {
      const rows = found.map((one) => [
        one.table,
        one.dt,
        one.files,
        one.small,
        one.rows,
        sizeText(one.bytes),
        Number((one.bytes / one.rows).toFixed(2)),
        one.checkpoint < 0 ? NONE : one.checkpoint,
        one.commits,
      ])
      const heads = [
        'table',
        'date',
        'files',
        'small',
        'rows',
        'size',
        'bytes/row',
        'checkpoint',
        'commits since',
      ]
      print(table(heads, rows))
    }
    return EXIT.ok
  })

/** The columns of tables, as the tables tell them. */
export const schema = (names: readonly string[], options: LakeOptions): Promise<number> =>
  withTables(options, names, async (_, logs) => {
    const found = []
    for (const log of logs) {
      await log.refresh()
      if (log.metaData === undefined) continue
      const { fields } = JSON.parse(log.metaData.schemaString) as { readonly fields: readonly Field[] }
      const event = schemaOf(log.table, log.metaData)
      const { configuration, description } = log.metaData
      found.push({ table: log.table, about: description, event: event?.name, configuration, fields })
    }
    if (options.json === true) printJson(found)
    else
      for (const one of found) {
        print(
          `${one.table}  ${one.about} (${one.configuration['kt.schema'] ?? 'not written by kt'}, by ${DATE})`,
        )
        const rows = one.fields.map(({ name, type, nullable, metadata }) => [
          name,
          typeof type === 'string' ? type : `array<${type.elementType}>`,
          nullable ? 'null' : '',
          metadata?.comment ?? '',
        ])
        print(`${table(['column', 'type', '', 'what it is'], rows)}\n`)
      }
    return EXIT.ok
  })

interface Field {
  readonly name: string
  readonly type: string | { readonly elementType: string }
  readonly nullable: boolean
  readonly metadata?: { readonly comment?: string }
}

interface CompactOptions extends LakeOptions {
  readonly target: string
  readonly dt?: string
}

/** Join small files into large, sorted ones. A run may go on loading meanwhile. */
export const compact = (names: readonly string[], options: CompactOptions): Promise<number> =>
  withTables(options, names, async (store, logs) => {
    const bytes = wholeNumber(options.target, '--target', 1, 4096) * 2 ** 20
    const to = { bytes, ...(options.dt === undefined ? {} : { dt: dateOf(options.dt, '--dt') }) }
    const [merger, clock] = [duckMerger({ threads: 2 }), systemClock()]
    const done = []
    for (const log of logs) {
      await log.refresh()
      for (const merge of mergesOf(log.files(), { ...widenedIn(log), ...to })) {
        const add = await compacted(log, store.objects, merger, clock, merge)
        const what = {
          table: log.table,
          dt: merge.dt,
          files: merge.files.length,
          rows: merge.rows,
          before: merge.bytes,
        }
        done.push({ ...what, after: add?.size })
        const after = add === undefined ? 'left to another compaction' : `one of ${sizeText(add.size)}`
        if (options.json !== true)
          say(`${what.table} ${what.dt}: ${what.files} files of ${sizeText(what.before)} are ${after}`)
      }
    }
    if (options.json === true) printJson(done)
    else if (done.length === 0) say('nothing to join')
    return EXIT.ok
  })

interface VacuumOptions extends LakeOptions {
  readonly retain: string
  readonly dryRun?: boolean
}

/** Remove files that no reader needs. */
export const vacuum = (names: readonly string[], options: VacuumOptions): Promise<number> =>
  withTables(options, names, async (store, logs) => {
    const dry = options.dryRun === true
    const retainMs = durationMs(options.retain, '--retain')
    const gone = []
    for (const log of logs)
      gone.push(...(await vacuumed(log, store.objects, systemClock(), { retainMs, dry })))
    const bytes = gone.reduce((total, { size }) => total + size, 0)
    if (options.json === true) printJson({ dry, bytes, files: gone.map(({ path }) => path) })
    else {
      for (const { path } of gone) print(path)
      say(`${gone.length} files of ${sizeText(bytes)} ${dry ? 'would be' : 'are'} removed`)
    }
    return EXIT.ok
  })

/** Copy tables into a folder, where DuckDB and every Delta reader find them. */
export const pull = (
  names: readonly string[],
  options: LakeOptions & { readonly to?: string },
): Promise<number> =>
  withTables(options, names, async (store, logs) => {
    const to =
      options.to ?? (store.folder === undefined && options.lake === undefined ? placeOf(options) : undefined)
    if (to === undefined || to === store.folder)
      throw new KtError('KT6422', 'there is nowhere to pull to', { fix: 'Name a folder with --to.' })
    const pulled = []
    for (const { table: name } of logs) pulled.push(await pullTable(store.objects, to, name))
    if (options.json === true) printJson({ to, tables: pulled })
    else
      print(
        table(
          ['table', 'version', 'files', 'size'],
          pulled.map((one) => [one.table, one.version, one.files, sizeText(one.bytes)]),
        ),
      )
    return EXIT.ok
  })

/** Is the lake whole, by itself? `kt verify` compares it with the log. */
export const verify = (names: readonly string[], options: LakeOptions): Promise<number> =>
  withTables(options, names, async (store, logs) => {
    const reader = await openLake(placeOf(options))
    try {
      const checks = []
      for (const log of logs) checks.push(await checkTable(store.objects, reader, log.table))
      const findings = checks.flatMap((check) => check.findings)
      if (options.json === true) printJson({ ok: findings.length === 0, tables: checks })
      else {
        const rows = checks.map((one) => [
          one.table,
          one.version,
          one.files,
          one.rows,
          one.findings.length === 0 ? 'whole' : 'not whole',
        ])
        print(table(['table', 'version', 'files', 'rows', ''], rows))
        for (const finding of findings) say(`! ${finding}`)
      }
      return findings.length === 0 ? EXIT.ok : EXIT.findings
    } finally {
      reader.close()
    }
  })
