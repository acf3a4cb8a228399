import { setTimeout as pause } from 'node:timers/promises'
import { KtError } from '../../graph/error.ts'
import type { Plan } from '../../graph/plan.ts'
import type { Log } from '../../graph/port.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { recordsOf } from '../../runtime/records.ts'
import type { End } from '../../runtime/records.ts'
import { runningIn } from '../claim.ts'
import { behind, stageReading } from '../lag.ts'
import type { Behind, Reading } from '../lag.ts'
import { clickhouseReadings, lakeReadings } from '../lag-sinks.ts'
import type { SinkReadings } from '../lag-sinks.ts'
import { openRun } from '../opened-run.ts'
import type { OpenedRun } from '../opened-run.ts'
import { EXIT, print, printJson, say } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { durationMs, foldersOf, oneOf, runFolder } from '../settings.ts'
import type { RunFile } from '../settings.ts'
import { NONE, table } from '../table.ts'

interface LagOptions extends GlobalOptions {
  readonly by: string
  readonly watch?: boolean
  readonly failOver?: string
  readonly data?: string
}

/** A reader with what it has not read, over all that it reads and of each partition. */
interface Lagging {
  readonly reader: string
  readonly kind: Reading['kind']
  readonly records: number
  readonly rows: number
  /** Age of the oldest row that it has not read, milliseconds; null: it has read all. */
  readonly ageMs: number | null
  readonly partitions: readonly (Omit<Behind, 'oldest'> & { readonly ageMs: number | null })[]
}

interface Looked extends Pick<SinkReadings, 'silent'> {
  readonly running: number | undefined
  readonly readers: readonly Lagging[]
  readonly findings: readonly string[]
}

const WATCH_MS = 2000

/**
 * How far each reader of a run's topics is behind their ends: its sinks, and its stages that read topics.
 * Exit code 2 when one is further behind than `--fail-over` says, or needs records that are gone; 69 when a
 * sink could not be asked at all.
 */
export const lag = async (options: LagOptions): Promise<number> => {
  const { root, run } = runFolder(options.data)
  const by = oneOf(options.by, '--by', ['reader', 'topic', 'partition'])
  const most = mostOf(options.failOver)
  const opened = await openRun(root, run)
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  let code: number = EXIT.ok
  try {
    do {
      const looked = await look(root, run, opened)
      const over = looked.readers.flatMap((one) => overOf(one, most))
      show(opened.plan, looked, over, by, options)
      const found = over.length + looked.findings.length > 0
      const unasked = looked.silent.some(({ engine }) => engine === 'lake')
      code = found ? EXIT.findings : unasked ? EXIT.unreachable : EXIT.ok
      if (options.watch === true)
        await pause(WATCH_MS, undefined, { signal: stop.signal }).catch(() => undefined)
    } while (options.watch === true && !stop.signal.aborted)
  } finally {
    await opened.close()
  }
  return code
}

/** Positions are asked before the ends that they are compared with, so that none seems to be past its end. */
const look = async (root: string, run: RunFile, { plan, stages: read, log }: OpenedRun): Promise<Looked> => {
  const running = await runningIn(root)
  const before = await log.ends()
  const objects = fileStore(foldersOf(root).objects)
  const stages = await Promise.all(
    read.map((one) => stageReading(log, objects, plan, one, before)),
  )
  const clickhouse = await clickhouseReadings(root, plan, before, running !== undefined)
  const lake = await lakeReadings(root, plan, before)
  const readings = [...stages, ...clickhouse.readings, ...lake.readings]
  const ends = await log.ends()
  const behinds = await behind(log, plan.topics, ends, readings)
  const now = await nowOf(log, ends, run)
  const readers = readings.map(({ reader, kind }, at) => lagging(reader, kind, behinds[at]!, now))
  return {
    running,
    readers,
    silent: [...clickhouse.silent, ...lake.silent],
    findings: readers.flatMap(({ reader, partitions }) => partitions.flatMap((one) => wrong(reader, one))),
  }
}

/** Of a recording that is replayed it is as late as its newest row, whatever our clock says. */
const nowOf = async (log: Log, ends: readonly End[], { source }: RunFile): Promise<number> => {
  if (source === 'sim' || source === 'live') return Date.now() * 1000
  let now = 0
  for (const { topic, partition, next } of ends)
    for await (const { time } of recordsOf(log, { topic, partition, offset: Math.max(0, next - 1) }, next))
      now = Math.max(now, time)
  return now
}

const lagging = (reader: string, kind: Reading['kind'], of: readonly Behind[], now: number): Lagging => {
  const partitions = of.map(({ oldest, ...one }) => ({
    ...one,
    ageMs: oldest === undefined ? null : Math.max(0, Math.round((now - oldest) / 1000)),
  }))
  return { reader, kind, ...totalOf(partitions), partitions }
}

const totalOf = (of: Lagging['partitions']): Pick<Lagging, 'records' | 'rows' | 'ageMs'> => ({
  records: of.reduce((sum, one) => sum + one.records, 0),
  rows: of.reduce((sum, one) => sum + one.rows, 0),
  ageMs: of.reduce<number | null>(
    (most, { ageMs }) => (ageMs === null ? most : Math.max(most ?? 0, ageMs)),
    null,
  ),
})

const wrong = (reader: string, one: Lagging['partitions'][number]): readonly string[] => {
  const where = `${one.topic}/${one.partition}`
  if (one.beyond) return [`${reader} is past the end of ${where}: it has read another log (KT6104)`]
  if (one.gone === 0) return []
  return [`${reader} needs offset ${one.position} of ${where}, which begins at ${one.first} (KT3002)`]
}

/** What `--fail-over` allows: rows (`10k`, `2M`), or the age of the oldest (`30s`). */
type Most = { readonly rows: number } | { readonly ageMs: number } | undefined

const ROWS = /^(\d+(?:\.\d+)?)(k|M)?$/

const mostOf = (text: string | undefined): Most => {
  if (text === undefined) return undefined
  const [, many, unit] = ROWS.exec(text) ?? []
  if (many !== undefined) return { rows: Number(many) * (unit === 'k' ? 1e3 : unit === 'M' ? 1e6 : 1) }
  try {
    return { ageMs: durationMs(text, '--fail-over') }
  } catch (cause) {
    const fix = 'Write rows (500, 10k, 2M) or the age of the oldest unread row (30s, 5m).'
    throw new KtError('KT6411', `"${text}" is no limit of a lag`, { where: '--fail-over', fix, cause })
  }
}

const overOf = ({ reader, rows, ageMs }: Lagging, most: Most): readonly string[] => {
  if (most === undefined) return []
  if ('rows' in most)
    return rows > most.rows ? [`${reader} is ${rows} rows behind, more than ${most.rows}`] : []
  if ((ageMs ?? 0) <= most.ageMs) return []
  return [`${reader} has not read a row of ${ageText(ageMs)} ago, more than ${ageText(most.ageMs)}`]
}

const ageText = (ms: number | null): string => {
  if (ms === null) return NONE
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  return ms < 5_400_000 ? `${(ms / 60_000).toFixed(1)} min` : `${(ms / 3_600_000).toFixed(1)} h`
}

const show = (plan: Plan, looked: Looked, over: readonly string[], by: string, options: LagOptions): void => {
  const { running, readers, silent, findings } = looked
  const found = [...findings, ...over]
  if (options.json === true) {
    const quiet = silent.map(({ engine, error: { code, message } }) => ({ engine, code, message }))
    const document = { ok: found.length === 0, graph: plan.name, running: running ?? null }
    printJson({ ...document, readers, silent: quiet, findings: found })
    return
  }
  print(by === 'reader' ? byReader(readers) : by === 'topic' ? byTopic(readers) : byPartition(readers))
  for (const { engine, error } of silent)
    say(
      `! ${engine === 'clickhouse' ? 'ClickHouse' : 'the lake'}: ${error.message} [${error.code}]` +
        (engine === 'clickhouse' ? '; its sinks are shown as far as their claims say' : ''),
    )
  for (const one of found) print(`! ${one}`)
  const state = running === undefined ? 'nothing runs' : `process ${running} goes on`
  const readerText = `${readers.length} reader${readers.length === 1 ? '' : 's'}`
  if (options.quiet !== true) say(`graph ${plan.name}, ${readerText}; ${state}`)
}

const byReader = (readers: readonly Lagging[]): string =>
  table(
    ['reader', 'partitions', 'records', 'rows', 'oldest'],
    readers.map((one) => [one.reader, one.partitions.length, one.records, one.rows, ageText(one.ageMs)]),
  )

const byTopic = (readers: readonly Lagging[]): string =>
  table(
    ['topic', 'reader', 'records', 'rows', 'oldest'],
    readers
      .flatMap(({ reader, partitions }) =>
        [...Map.groupBy(partitions, (one) => one.topic)].map(([topic, all]) => {
          const { records, rows, ageMs } = totalOf(all)
          return [topic, reader, records, rows, ageText(ageMs)] as const
        }),
      )
      .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
  )

const byPartition = (readers: readonly Lagging[]): string =>
  table(
    ['topic', 'partition', 'reader', 'end', 'position', 'records', 'rows', 'oldest'],
    readers
      .flatMap(({ reader, partitions }) => partitions.map((one) => ({ reader, ...one })))
      .toSorted((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition))
      .map(({ topic, partition, reader, end, position, records, rows, ageMs }) => [
        topic,
        partition,
        reader,
        end,
        position,
        records,
        rows,
        ageText(ageMs),
      ]),
  )
