import { createHash } from 'node:crypto'
import type { KtError } from '../../graph/error.ts'
import type { Plan } from '../../graph/plan.ts'
import type { AnyTopic } from '../../graph/topic.ts'
import type { Log } from '../../graph/port.ts'
import type { ClickhouseSink } from '../../sinks/clickhouse/sink.ts'
import type { LakeReader } from '../../sinks/driver/duckdb.ts'
import { tableName } from '../../sinks/lake/schema.ts'
import { runningIn } from '../claim.ts'
import {
  differences,
  inClickhouse,
  inLake,
  inLog,
  loadedInClickhouse,
  loadedInLake,
  rangesOf,
} from '../compare.ts'
import type { Holding, Loaded, Range } from '../compare.ts'
import { openLake } from '../lake.ts'
import { openRun } from '../opened-run.ts'
import type { OpenedRun, Remade } from '../opened-run.ts'
import { EXIT, doing, print, printJson, say } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { differs, remadeFinding, remadeText } from '../rebuild-compare.ts'
import { gone, openServer } from '../server.ts'
import type { Server } from '../server.ts'
import { foldersOf, oneOf, runFolder } from '../settings.ts'
import { NONE, table } from '../table.ts'

interface VerifyOptions extends GlobalOptions {
  readonly digest?: boolean
  readonly on: string
  readonly data?: string
}

interface Checked {
  readonly topic: string
  /** Rows that each holds; undefined where the topic is not sent to an engine. */
  readonly log: number
  readonly clickhouse: number | undefined
  readonly lake: number | undefined
  readonly digest: string
}

/** Who is asked; an engine that the graph has no sink for is not opened. */
interface Engines {
  readonly log: Log
  readonly clickhouse: Server | undefined
  readonly lake: LakeReader | undefined
}

/** Host times are no part of a run's identity. */
const NOT_IDENTITY = new Set(['latency'])

/**
 * Compare the log with what its sinks hold, row for row and value for value. Topics, tables and schemas are
 * those of the graph that ran, the user's own among them. While a run goes on, its sinks are a little behind:
 * then the rows that they have loaded are compared.
 */
export const verify = async (options: VerifyOptions): Promise<number> => {
  const { root, run } = runFolder(options.data)
  const on = oneOf(options.on, '--on', ['both', 'clickhouse', 'lake'])
  const unreadable = new Map<string, KtError>()
  const opened = await openRun(root, run, {
    found: ({ topic, partition, offset }, error) =>
      void unreadable.set(`${topic}/${partition} at ${offset}`, error),
    kept: () => Promise.resolve(),
  })
  const { plan } = opened
  if (opened.changed())
    say(`! ${run.file} has changed since it ran (kt graph plan says how): it is compared as it is now`)
  const pid = await runningIn(root)
  const engines = await openEngines(root, opened, on)
  const checked: Checked[] = []
  const findings: string[] = []
  const again: Remade[] = []
  let behind = 0
  try {
    for (const topic of plan.topics) {
      if (options.quiet !== true)
        doing(`comparing ${topic.name}, ${checked.length + 1} of ${plan.topics.length}`)
      const ranges = await rangesOf(engines.log, topic)
      const whole = await inLog(engines.log, topic, ranges)
      const rows: { clickhouse?: number; lake?: number } = {}
      for (const { engine, loaded, holding } of askedOf(plan, topic, engines)) {
        const cut = pid === undefined ? ranges : cutAt(ranges, await loaded())
        const held = pid === undefined ? whole : await inLog(engines.log, topic, cut)
        const found = await holding(pid === undefined ? cut.map((one) => ({ ...one, next: Infinity })) : cut)
        findings.push(...differences(topic.name, engine, held, found))
        rows[engine] = found.rows
        behind += whole.rows - held.rows
      }
      const { clickhouse, lake } = rows
      checked.push({ topic: topic.name, log: whole.rows, clickhouse, lake, digest: whole.digest })
    }
    for (const [place, error] of unreadable) findings.push(`${place}: ${error.message}: ${error.why ?? ''}`)
    const remade = await opened.remade()
    findings.push(...remade.filter(differs).map(remadeFinding))
    again.push(...remade)
  } catch (error) {
    throw gone(error, engines.clickhouse?.url ?? '') ?? error
  } finally {
    doing('')
    engines.lake?.close()
    await engines.clickhouse?.close()
    await opened.close()
  }
  return report({ checked, findings, running: pid, behind, remade: again }, options)
}

/** What is compared while a run goes on: the records that the log had, and an engine has loaded. */
const cutAt = (ranges: readonly Range[], loaded: Loaded): readonly Range[] =>
  ranges.map((one) => ({ ...one, next: Math.min(one.next, loaded.get(one.partition) ?? one.first) }))

const openEngines = async (
  root: string,
  { plan, log }: OpenedRun,
  on: 'both' | 'clickhouse' | 'lake',
): Promise<Engines> => {
  const folders = foldersOf(root)
  const sinksOf = (engine: 'clickhouse' | 'lake') =>
    plan.sinks.map(({ sink }) => sink).filter((sink) => sink.engine === engine)
  const stored = sinksOf('lake').map((sink) => sink.schema)
  return {
    log,
    clickhouse: on === 'lake' || sinksOf('clickhouse').length === 0 ? undefined : await openServer(root),
    lake: on === 'clickhouse' || stored.length === 0 ? undefined : await openLake(folders.lake, stored),
  }
}

interface Asked {
  readonly engine: 'clickhouse' | 'lake'
  readonly loaded: () => Promise<Loaded>
  readonly holding: (ranges: readonly Range[]) => Promise<Holding>
}

/** The engines that a topic is sent to, and how each is asked for its rows. */
const askedOf = ({ sinks }: Plan, topic: AnyTopic, { clickhouse, lake }: Engines): readonly Asked[] =>
  sinks
    .filter((one) => one.topic.name === topic.name)
    .flatMap(({ sink }): readonly Asked[] => {
      if (sink.engine === 'lake') {
        const table = tableName(topic.schema)
        if (lake === undefined) return []
        const loaded = () => loadedInLake(lake, topic, table)
        return [{ engine: 'lake', loaded, holding: (ranges) => inLake(lake, topic, table, ranges) }]
      }
      const { table } = sink as ClickhouseSink
      if (clickhouse === undefined) return []
      const loaded = () => loadedInClickhouse(clickhouse, topic, table)
      const holding = (ranges: readonly Range[]) => inClickhouse(clickhouse, topic, table, ranges)
      return [{ engine: 'clickhouse', loaded, holding }]
    })

interface Verified {
  readonly checked: readonly Checked[]
  readonly findings: readonly string[]
  /** The process of a run that goes on. */
  readonly running: number | undefined
  /** Of a rebuild: what it made, and what the run made. */
  readonly remade: readonly Remade[]
  /** Rows of the log that are on their way, summed over the engines. */
  readonly behind: number
}

const report = (verified: Verified, options: VerifyOptions): number => {
  const { checked, findings, running, behind, remade } = verified
  const identity = createHash('sha256')
  for (const { topic, digest } of checked)
    if (!NOT_IDENTITY.has(topic.replace(/^kt\./, ''))) identity.update(`${topic} ${digest}\n`)
  const digest = identity.digest('hex')
  const ok = findings.length === 0
  if (options.json === true) {
    const again = remade.map((one) => ({
      topic: one.topic,
      new: one.run === undefined,
      equal: !differs(one),
    }))
    const rebuild = remade.length === 0 ? {} : { remade: again }
    printJson({ ok, digest, running: running ?? null, behind, topics: checked, ...rebuild, findings })
    return ok ? EXIT.ok : EXIT.findings
  }
  const cell = (count: number | undefined): unknown => count ?? NONE
  const shown = options.digest === true
  const heads = ['topic', 'log', 'clickhouse', 'lake', ...(shown ? ['digest'] : [])]
  const rows = checked.map((one) => {
    const counts = [one.topic, one.log, cell(one.clickhouse), cell(one.lake)]
    return shown ? [...counts, one.digest.slice(0, 16)] : counts
  })
  if (remade.length > 0) print(`${remadeText(remade)}\n`)
  print(table(heads, rows))
  for (const finding of findings) print(`! ${finding}`)
  if (shown) print(`digest ${digest}`)
  if (running !== undefined)
    print(`process ${running} goes on: compared as far as the sinks are; ${behind} rows are on their way`)
  print(ok ? equalText(checked) : `${findings.length} findings`)
  if (!ok && running === undefined)
    print('rows that are only missing are loaded when the run is started again')
  return ok ? EXIT.ok : EXIT.findings
}

/** Only engines that were compared are said to be equal. */
const equalText = (checked: readonly Checked[]): string => {
  const engines = [
    ...(checked.some((one) => one.clickhouse !== undefined) ? ['ClickHouse'] : []),
    ...(checked.some((one) => one.lake !== undefined) ? ['lake'] : []),
  ]
  if (engines.length === 0) return 'the graph has no sinks: there is nothing to compare the log with'
  return `${['log', ...engines].join(' = ')}, row for row: 0 lost, 0 duplicated`
}
