import { createHash } from 'node:crypto'
import type { KtError } from '../../graph/error.ts'
import type { End } from '../../runtime/records.ts'
import { BooksCheck } from '../check/books.ts'
import type { Check, Seen } from '../check/check.ts'
import { compareCounts, twiceIn } from '../check/counts.ts'
import type { Counted, Counts, Engines } from '../check/counts.ts'
import { DupesCheck } from '../check/dupes.ts'
import { FundingCheck } from '../check/funding.ts'
import { GapsCheck } from '../check/gaps.ts'
import { newestTime, since, walk } from '../check/walk.ts'
import { runningIn } from '../claim.ts'
import { openLake } from '../lake.ts'
import { openRun } from '../opened-run.ts'
import type { OpenedRun, Remade } from '../opened-run.ts'
import { EXIT, doing, print, printJson, say } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { differs, remadeFinding, remadeText } from '../rebuild-compare.ts'
import { gone, openServer } from '../server.ts'
import { durationMs, foldersOf, oneOf, runFolder } from '../settings.ts'
import { NONE, table } from '../table.ts'

interface VerifyOptions extends GlobalOptions {
  readonly digest?: boolean
  readonly on: string
  readonly since?: string
  readonly data?: string
}

const WHATS = ['counts', 'gaps', 'dupes', 'books', 'funding', 'all'] as const
type What = (typeof WHATS)[number]

/** Host times are no part of a run's identity. */
const NOT_IDENTITY = new Set(['latency'])

/**
 * Look whether a run's data are right: `counts` compares the log with what its sinks hold, row for row and
 * value for value; the others look at the rows themselves, in the log (cli/check). Topics, tables and schemas
 * are those of the graph that ran, the user's own among them.
 */
export const verify = async (asked: string, options: VerifyOptions): Promise<number> => {
  const what = oneOf(asked, 'verify', WHATS)
  const { root, run } = runFolder(options.data)
  const on = oneOf(options.on, '--on', ['both', 'clickhouse', 'lake'])
  const backMs = options.since === undefined ? undefined : durationMs(options.since, '--since')
  const unreadable = new Map<string, KtError>()
  const opened = await openRun(root, run, {
    found: ({ topic, partition, offset }, error) =>
      void unreadable.set(`${topic}/${partition} at ${offset}`, error),
    kept: () => Promise.resolve(),
  })
  if (opened.changed())
    say(`! ${run.file} has changed since it ran (kt graph plan says how): it is compared as it is now`)
  const pid = await runningIn(root)
  const engines = await openEngines(root, opened, counted(what) || what === 'dupes' ? on : 'none')
  const note = (text: string): void => void (options.quiet !== true && doing(text))
  try {
    const ends = await endsSince(opened, backMs)
    const seen = await look(what, opened, ends, note)
    const counts = counted(what)
      ? await compareCounts(opened.plan, engines, ends, pid !== undefined, note)
      : undefined
    const twice = what === 'dupes' || what === 'all' ? await twiceIn(opened.plan, engines, ends) : []
    const remade = counted(what) ? await opened.remade() : []
    const findings = [
      ...(counts?.findings ?? []),
      ...Array.from(seen.values(), (one) => one.findings).flat(),
      ...twice,
      ...Array.from(unreadable, ([place, error]) => `${place}: ${error.message}: ${error.why ?? ''}`),
      ...remade.filter(differs).map(remadeFinding),
    ]
    doing('')
    return report({ counts, seen, findings, running: pid, remade }, options)
  } catch (error) {
    throw gone(error, engines.clickhouse?.url ?? '') ?? error
  } finally {
    doing('')
    engines.lake?.close()
    await engines.clickhouse?.close()
    await opened.close()
  }
}

const counted = (what: What): boolean => what === 'counts' || what === 'all'

/** The records that are looked at: all there are now, or those of so long before the newest. */
const endsSince = async ({ log }: OpenedRun, backMs: number | undefined): Promise<readonly End[]> => {
  const ends = await log.ends()
  if (backMs === undefined) return ends
  const from = (await newestTime(log, ends)) - backMs * 1000
  const found: End[] = []
  for (const end of ends) found.push(await since(log, end, from))
  return found
}

/** Look at the rows of the log, once for all that was asked for. */
const look = async (
  what: What,
  { log, plan }: OpenedRun,
  ends: readonly End[],
  note: (text: string) => void,
): Promise<ReadonlyMap<string, Seen>> => {
  const checks = new Map<string, Check>()
  const asked = (name: What, check: () => Check): void =>
    void (what === name || what === 'all' ? checks.set(name, check()) : undefined)
  asked('gaps', () => new GapsCheck())
  asked('dupes', () => new DupesCheck())
  asked('books', () => new BooksCheck())
  asked('funding', () => new FundingCheck())
  if (checks.size === 0) return new Map()
  note(`looking at ${[...checks.keys()].join(', ')}`)
  await walk(log, plan, ends, [...checks.values()])
  return new Map(Array.from(checks, ([name, check]) => [name, check.done()]))
}

const openEngines = async (
  root: string,
  { plan, log }: OpenedRun,
  on: 'both' | 'clickhouse' | 'lake' | 'none',
): Promise<Engines> => {
  const folders = foldersOf(root)
  const sinksOf = (engine: 'clickhouse' | 'lake') =>
    plan.sinks.map(({ sink }) => sink).filter((sink) => sink.engine === engine)
  const stored = sinksOf('lake').map((sink) => sink.schema)
  const [inClickhouse, inLake] = [on === 'both' || on === 'clickhouse', on === 'both' || on === 'lake']
  return {
    log,
    clickhouse: inClickhouse && sinksOf('clickhouse').length > 0 ? await openServer(root) : undefined,
    lake: inLake && stored.length > 0 ? await openLake(folders.lake, stored) : undefined,
  }
}

interface Verified {
  /** Undefined: they were not asked for. */
  readonly counts: Counts | undefined
  /** What each check of the rows has seen. */
  readonly seen: ReadonlyMap<string, Seen>
  readonly findings: readonly string[]
  /** The process of a run that goes on. */
  readonly running: number | undefined
  /** Of a rebuild: what it made, and what the run made. */
  readonly remade: readonly Remade[]
}

const report = (verified: Verified, options: VerifyOptions): number => {
  const { counts, seen, findings, running, remade } = verified
  const ok = findings.length === 0
  if (options.json === true) {
    const again = remade.map((one) => ({
      topic: one.topic,
      new: one.run === undefined,
      equal: !differs(one),
    }))
    const rebuild = remade.length === 0 ? {} : { remade: again }
    const { checked: topics, behind } = counts ?? {}
    const compared = counts === undefined ? {} : { digest: digestOf(counts.checked), behind, topics }
    const looked = Object.fromEntries(Array.from(seen, ([name, { rows }]) => [name, rows]))
    printJson({ ok, running: running ?? null, ...compared, ...looked, ...rebuild, findings })
    return ok ? EXIT.ok : EXIT.findings
  }
  if (remade.length > 0) print(`${remadeText(remade)}\n`)
  if (counts !== undefined) printCounts(counts, options.digest === true)
  for (const [name, { rows }] of seen)
    print(`${counts === undefined && seen.size === 1 ? '' : '\n'}${rowsText(name, rows)}`)
  for (const finding of findings) print(`! ${finding}`)
  if (running !== undefined && counts !== undefined)
    print(
      `process ${running} goes on: compared as far as the sinks are; ${counts.behind} rows are on their way`,
    )
  print(ok ? rightText(counts, seen) : `${findings.length} findings`)
  if (!ok && running === undefined && counts !== undefined && counts.findings.length > 0)
    print('rows that are only missing are loaded when the run is started again')
  return ok ? EXIT.ok : EXIT.findings
}

const printCounts = ({ checked }: Counts, shown: boolean): void => {
  const cell = (count: number | undefined): unknown => count ?? NONE
  const heads = ['topic', 'log', 'clickhouse', 'lake', ...(shown ? ['digest'] : [])]
  const rows = checked.map((one) => {
    const counts = [one.topic, one.log, cell(one.clickhouse), cell(one.lake)]
    return shown ? [...counts, one.digest.slice(0, 16)] : counts
  })
  print(table(heads, rows))
  if (shown) print(`digest ${digestOf(checked)}`)
}

const digestOf = (checked: readonly Counted[]): string => {
  const identity = createHash('sha256')
  for (const { topic, digest } of checked)
    if (!NOT_IDENTITY.has(topic.replace(/^kt\./, ''))) identity.update(`${topic} ${digest}\n`)
  return identity.digest('hex')
}

const rowsText = (name: string, rows: Seen['rows']): string => {
  const [first] = rows
  if (first === undefined) return `${name}: the log has no rows to look at`
  return `${name}\n${table(
    Object.keys(first),
    rows.map((row) => Object.values(row)),
  )}`
}

const rightText = (counts: Counts | undefined, seen: ReadonlyMap<string, Seen>): string => {
  const looked = seen.size === 0 ? [] : [`${[...seen.keys()].join(', ')}: nothing found`]
  return [...(counts === undefined ? [] : [equalText(counts.checked)]), ...looked].join('; ')
}

/** Only engines that were compared are said to be equal. */
const equalText = (checked: readonly Counted[]): string => {
  const engines = [
    ...(checked.some((one) => one.clickhouse !== undefined) ? ['ClickHouse'] : []),
    ...(checked.some((one) => one.lake !== undefined) ? ['lake'] : []),
  ]
  if (engines.length === 0) return 'the graph has no sinks: there is nothing to compare the log with'
  return `${['log', ...engines].join(' = ')}, row for row: 0 lost, 0 duplicated`
}
