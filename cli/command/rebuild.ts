import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe } from '../../graph/describe.ts'
import { KtError } from '../../graph/error.ts'
import type { ClickhouseSink } from '../../sinks/clickhouse/sink.ts'
import { startChdb } from '../../sinks/driver/chdb.ts'
import { claimFolder } from '../claim.ts'
import { openRun } from '../opened-run.ts'
import { command, EXIT, print, printJson, say } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { differs, remadeText } from '../rebuild-compare.ts'
import { dropRebuild } from '../rebuild-drop.ts'
import { lakePlace } from '../rebuild-past.ts'
import type { PastPlace } from '../rebuild-past.ts'
import { planned, runRebuild } from '../rebuild.ts'
import type { Access } from '../rebuild.ts'
import { onCluster } from '../../sinks/clickhouse/replication.ts'
import { openServer, replicationAsked, replicationBeside } from '../server.ts'
import type { Server } from '../server.ts'
import { durationMs, foldersOf, loadRun, runFolder, saveRun, wholeNumber, writeRun } from '../settings.ts'
import type { RunFile } from '../settings.ts'

/** Flags of `kt replay --from-topic`. */
export interface RebuildFlags extends GlobalOptions {
  readonly fromTopic?: readonly string[]
  readonly into?: string
  readonly switch?: boolean
  readonly drop?: boolean
  readonly follow?: boolean
  readonly for?: string
  readonly graph?: string
  readonly data?: string
}

const NAME = /^[a-z][a-z0-9_]{0,40}$/
const LINE_MS = 10_000
/** The end of the names of views that a switch replaces. */
const CURRENT = '_current'

/**
 * Make again what follows from topics of a run, beside it: its rows in `rebuilds/NAME` of the data folder,
 * its tables in the database `kt_NAME` of the run's ClickHouse. Then show that it is what the run made.
 */
export const replayTopics = async (flags: RebuildFlags): Promise<number> => {
  const { root, run } = runFolder(flags.data)
  const name = nameOf(flags.into)
  if (flags.fromTopic === undefined && flags.drop === true) return drop(root, name)
  if (flags.fromTopic === undefined) return switchTo(root, run, name)
  const to = join(root, 'rebuilds', name)
  const topics = flags.fromTopic.flatMap((one) => one.split(',')).filter((one) => one !== '')
  const file = resolve(flags.graph ?? run.file)
  const { live } = await planned(file, topics)
  const release = await claimFolder(to)
  let server: Server | undefined
  try {
    server = await serverOf(root)
    const database = `kt_${name}`
    await server?.client.command({
      query: `CREATE DATABASE IF NOT EXISTS ${database}${onCluster(replicationBeside())} ENGINE = Atomic`,
    })
    const clickhouse = { url: server?.url ?? '', user: server?.user ?? '', database, of: root }
    const rebuild = { kind: 'log', where: root, topics } as const
    checkSame(loadRun(to), rebuild)
    const file_ = { graph: live.name, file, source: `topics:${topics.join(',')}`, plan: describe(live) }
    writeRun(to, { ...file_, clickhouse, rebuild })
    const access =
      server === undefined ? undefined : { ...server, database, replication: replicationBeside() }
    const step = await make({ root: to, file, place: rebuild, topics, access, flags })
    writeRun(to, { ...file_, clickhouse, rebuild: { ...rebuild, ...stepOf(step) } })
  } finally {
    await server?.close()
    await release()
  }
  const code = await compared(to, flags)
  if (code === EXIT.ok && flags.switch === true) return switchTo(root, run, name)
  if (flags.json !== true) say(nextText(to, name))
  return code
}

/** `kt graph run --source lake:...`: everything that the graph makes, from the rows that a lake holds. */
export const runOnLake = async (
  file: string,
  source: string,
  root: string,
  flags: GlobalOptions & { readonly port: string },
): Promise<number> => {
  const place = lakePlace(source.slice('lake:'.length))
  const { live } = await planned(file, [])
  const folders = foldersOf(root)
  const release = await claimFolder(root)
  const chdb =
    process.env['KT_CLICKHOUSE_URL'] === undefined
      ? await startChdb({ dir: folders.clickhouse, port: wholeNumber(flags.port, '--port', 0, 65_535) })
      : undefined
  try {
    if (chdb?.kind === 'absent') say(`! no embedded ClickHouse: ${chdb.why}; its tables are not filled`)
    const rebuild = { ...place, topics: [] }
    checkSame(loadRun(root), rebuild)
    const own =
      chdb?.kind === 'running'
        ? { url: chdb.url, user: chdb.user, passwordFile: chdb.passwordFile }
        : undefined
    const url = process.env['KT_CLICKHOUSE_URL']
    const user = process.env['KT_CLICKHOUSE_USER'] ?? 'default'
    const clickhouse = own ?? (url === undefined ? undefined : { url, user })
    const run: RunFile = { graph: live.name, file: resolve(file), source, plan: describe(live), clickhouse }
    saveRun(folders, { ...run, rebuild })
    const password =
      own === undefined
        ? (process.env['KT_CLICKHOUSE_PASSWORD'] ?? '')
        : readFileSync(own.passwordFile, 'utf8').trim()
    const access =
      clickhouse === undefined
        ? undefined
        : { ...clickhouse, password, database: 'kt', replication: replicationAsked() }
    const step = await make({ root, file, place, topics: [], access, flags })
    saveRun(folders, { ...run, rebuild: { ...rebuild, ...stepOf(step) } })
  } finally {
    if (chdb?.kind === 'running') await chdb.stop()
    await release()
  }
  const code = await compared(root, flags)
  if (flags.quiet !== true && flags.json !== true) say(nextText(root))
  return code
}

const stepOf = (step: number): { readonly step?: number } => (Number.isFinite(step) ? { step } : {})

const nameOf = (text: string | undefined): string => {
  if (text !== undefined && NAME.test(text)) return text
  const what = text === undefined ? 'a rebuild needs a name' : `"${text}" cannot name a rebuild`
  throw new KtError('KT6414', what, {
    where: '--into',
    fix: 'Use small letters, digits and underscores, such as candles_v2.',
  })
}

/** A folder holds one rebuild: what else it is made of would mix with it. */
const checkSame = (before: RunFile | undefined, now: NonNullable<RunFile['rebuild']>): void => {
  if (before === undefined) return
  const told = ({ kind, where, topics }: NonNullable<RunFile['rebuild']>): string =>
    JSON.stringify([kind, where, [...topics].sort()])
  if (before.rebuild !== undefined && told(before.rebuild) === told(now)) return
  throw new KtError('KT5031', 'the folder holds something else than this rebuild', {
    why: `It was made of ${before.rebuild === undefined ? before.source : told(before.rebuild)}.`,
    fix: 'Use another name or folder, or remove it: kt does not overwrite what was made.',
  })
}

/** The ClickHouse of the run: its rebuilds go there too. Without one only the lake is filled. */
const serverOf = async (root: string): Promise<Server | undefined> => {
  try {
    return await openServer(root)
  } catch (error) {
    if (!(error instanceof KtError && error.code === 'KT6901')) throw error
    say(`! ${error.message}: its tables are not filled`)
    return undefined
  }
}

interface Making {
  readonly root: string
  readonly file: string
  readonly place: PastPlace
  readonly topics: readonly string[]
  readonly access: Access | undefined
  readonly flags: GlobalOptions & { readonly follow?: boolean; readonly for?: string }
}

const make = async ({ root, file, place, topics, access, flags }: Making): Promise<number> => {
  const follow = flags.follow === true
  let stopped = false
  const stop = (): void => {
    say('\nstopping: run the same command again, and it goes on where it is')
    // What is not durable yet is made again.
    if (stopped || !follow) process.exit(EXIT.interrupted)
    stopped = true
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  if (flags.for !== undefined)
    void pause(durationMs(flags.for, '--for'), undefined, { ref: false }).then(() => (stopped = true))
  const begun = performance.now()
  let lined = begun
  return runRebuild({
    root,
    file,
    place,
    named: topics,
    clickhouse: access,
    follow,
    stopped: () => stopped,
    told: ({ rows, step }) => {
      if (performance.now() - lined < LINE_MS || flags.quiet === true) return
      lined = performance.now()
      const upTo = Number.isFinite(step) ? `, up to step ${step}` : ''
      say(`${rows} rows made again in ${((lined - begun) / 1000).toFixed(0)} s${upTo}`)
    },
  })
}

/** What was made again against what the run made: exit code 2 where they differ. */
const compared = async (root: string, flags: GlobalOptions): Promise<number> => {
  const opened = await openRun(root, loadRun(root)!)
  const remade = await opened.remade().finally(() => opened.close())
  const findings = remade.filter(differs).map(({ topic }) => topic)
  if (flags.json === true) {
    const topics = remade.map(({ topic, rebuilt, run }) => ({
      topic,
      rows: rebuilt.rows,
      digest: rebuilt.digest,
      run: run === undefined ? null : { rows: run.rows, digest: run.digest },
    }))
    printJson({ ok: findings.length === 0, folder: root, topics })
  } else print(remadeText(remade))
  return findings.length === 0 ? EXIT.ok : EXIT.findings
}

const nextText = (root: string, name?: string): string =>
  [
    `next: ${command()} verify --data ${root}`,
    `      ${command()} sql --data ${root} "show tables"`,
    ...(name === undefined ? [] : [`      ${command()} replay --into ${name} --switch`]),
  ].join('\n')

/**
 * Point the views that people read at a rebuild, or back at the run (`live`): `candle_current` for each
 * table that it made. A view is replaced as a whole, so no question sees half of a switch.
 */
const switchTo = async (root: string, run: RunFile, name: string): Promise<number> => {
  const made = name === 'live' ? run : madeAs(root, name)
  const tables = name === 'live' ? await liveTables(root) : await tablesOf(made)
  const server = await openServer(root)
  try {
    for (const one of tables) {
      const from = name === 'live' ? `kt.${one}` : `kt_${name}.${one}`
      const view = `kt.${one}${CURRENT}${onCluster(replicationAsked())}`
      const query = `CREATE OR REPLACE VIEW ${view} AS SELECT * FROM ${from}`
      await server.client.command({ query })
      print(`${one}${CURRENT} is ${from}`)
    }
  } finally {
    await server.close()
  }
  return EXIT.ok
}

/** What was made under a name. Throws KT6415. */
const madeAs = (root: string, name: string): RunFile => {
  const folder = join(root, 'rebuilds', name)
  const made = existsSync(folder) ? loadRun(folder) : undefined
  if (made !== undefined) return made
  throw new KtError('KT6415', `there is no rebuild "${name}"`, {
    where: folder,
    fix: `Make it first: kt replay --from-topic TOPIC --into ${name}.`,
  })
}

const drop = async (root: string, name: string): Promise<number> => {
  const made = madeAs(root, name)
  const server = await serverOf(root)
  try {
    await dropRebuild(server, `kt_${name}`, join(root, 'rebuilds', name), made)
  } finally {
    await server?.close()
  }
  say(`${name} is gone: its tables, its rows, and what the log kept for it`)
  return EXIT.ok
}

const tablesOf = async ({ file, rebuild }: RunFile): Promise<readonly string[]> => {
  const { rebuild: of, sinks } = await planned(file, rebuild?.topics ?? [])
  const made = new Set(of.makes.map(({ name }) => name))
  return sinks.flatMap(({ sink, topic }) =>
    sink.engine === 'clickhouse' && made.has(topic.name) ? [(sink as ClickhouseSink).table] : [],
  )
}

/** Tables whose views were switched to some rebuild. */
const liveTables = async (root: string): Promise<readonly string[]> => {
  const server = await openServer(root)
  try {
    const query = `SELECT name FROM system.tables
      WHERE database = 'kt' AND engine = 'View' AND endsWith(name, '${CURRENT}')`
    const rows = await (await server.client.query({ query, format: 'JSONEachRow' })).json<{ name: string }>()
    return rows.map(({ name }) => name.slice(0, -CURRENT.length))
  } finally {
    await server.close()
  }
}
