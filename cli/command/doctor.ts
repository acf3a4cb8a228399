import { createConnection } from 'node:net'
import { existsSync, readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { CLIENT, hasClient } from '../../runtime/driver/kafka-client.ts'
import { findTopics } from '../../runtime/driver/kafka-settings.ts'
import { accessOf, kafkaAsked } from '../kafka.ts'
import { lookAtLog } from '../look.ts'
import { openRunLake, tablesIn } from '../lake.ts'
import { runningIn } from '../claim.ts'
import { EXIT, paint, print, printJson } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { registryAsked, registryOf } from '../registry.ts'
import { openServer } from '../server.ts'
import { dataFolder, foldersOf, loadRun } from '../settings.ts'

interface Check {
  readonly name: string
  /** `ok`, `note` (works without it), `bad` (does not work). */
  readonly state: 'ok' | 'note' | 'bad'
  readonly found: string
  readonly fix?: string
}

const GIGABYTE = 1e9

/** Look at what kt needs, and say what to do about what is missing. */
export const doctor = async (options: GlobalOptions & { readonly data?: string }): Promise<number> => {
  const checks = [
    ...[node(), packages(), chdb(), await disk(), await port(8123)],
    ...(await kafka()),
    ...(await registry()),
    ...(await run(options.data)),
  ]
  if (options.json === true) printJson({ ok: checks.every((one) => one.state !== 'bad'), checks })
  else {
    const sign = { ok: paint('green', '✓'), note: paint('yellow', '!'), bad: paint('red', '✗') }
    for (const { name, state, found, fix } of checks)
      print(`${sign[state]} ${name.padEnd(14)} ${found}${fix === undefined ? '' : `\n    fix  ${fix}`}`)
  }
  return checks.some((one) => one.state === 'bad') ? EXIT.failed : EXIT.ok
}

const node = (): Check => {
  const [major = 0] = process.versions.node.split('.').map(Number)
  return major >= 24
    ? { name: 'node', state: 'ok', found: process.version }
    : {
        name: 'node',
        state: 'bad',
        found: process.version,
        fix: 'Start with npm start or bin/kt, which fetch Node 24.',
      }
}

const packages = (): Check => {
  const root = resolve(import.meta.dirname, '../..')
  const { dependencies } = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const wrong = Object.entries(dependencies).filter(([name, version]) => {
    const file = resolve(root, 'node_modules', name, 'package.json')
    return (
      !existsSync(file) || (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version !== version
    )
  })
  if (wrong.length === 0)
    return { name: 'packages', state: 'ok', found: `${Object.keys(dependencies).length} as pinned` }
  return {
    name: 'packages',
    state: 'bad',
    found: `missing or of another version: ${wrong.map(([name]) => name).join(', ')}`,
    fix: 'Run npm install.',
  }
}

const chdb = (): Check => {
  try {
    createRequire(import.meta.url).resolve('chdb')
    return { name: 'chdb', state: 'ok', found: 'installed: ClickHouse is embedded' }
  } catch {
    return {
      name: 'chdb',
      state: 'note',
      found: 'absent: the ClickHouse sink waits for a server',
      fix: 'Run npm install --include=optional, or set KT_CLICKHOUSE_URL.',
    }
  }
}

/** The Kafka that the next run would have its log in, when one is named. */
const kafka = async (): Promise<readonly Check[]> => {
  if (process.env['KT_KAFKA_BROKERS'] === undefined) return []
  const client: Check = hasClient()
    ? { name: 'kafka client', state: 'ok', found: `${CLIENT.name} ${CLIENT.version}` }
    : { name: 'kafka client', state: 'bad', found: 'absent', fix: 'Run npm run setup:kafka.' }
  const brokers = await look('kafka', async () => {
    const place = kafkaAsked('kt')!
    const found = await findTopics(accessOf(place), [])
    return `${found.brokers} brokers at ${place.brokers}`
  })
  return [client, brokers]
}

/** The schema registry that the next run would ask, when one is named. */
const registry = async (): Promise<readonly Check[]> => {
  if (process.env['KT_SCHEMA_REGISTRY_URL'] === undefined) return []
  const check = await look('registry', async () => {
    const place = registryAsked()!
    // Nobody has such a subject: that it says so is an answer.
    await registryOf(place).standing('kt.doctor-value', { type: 'AVRO', text: '"string"' })
    return `answers at ${place.url}`
  })
  return [check]
}

const disk = async (): Promise<Check> => {
  const { bavail, bsize } = await statfs('.')
  const free = (bavail * bsize) / GIGABYTE
  const found = `${free.toFixed(1)} GB free`
  return free > 10
    ? { name: 'disk', state: 'ok', found }
    : {
        name: 'disk',
        state: free > 2 ? 'note' : 'bad',
        found,
        fix: 'The log keeps up to 5 GB, and the lake grows: make room.',
      }
}

const port = async (number: number): Promise<Check> => {
  const taken = await new Promise<boolean>((known) => {
    const socket = createConnection({ host: '127.0.0.1', port: number }, () => {
      socket.destroy()
      known(true)
    })
    socket.on('error', () => known(false))
  })
  if (!taken) return { name: `port ${number}`, state: 'ok', found: 'free for ClickHouse' }
  return {
    name: `port ${number}`,
    state: 'note',
    found: 'in use, perhaps by a run of kt',
    fix: 'Choose another for a second run with --port (0 takes any).',
  }
}

interface Totals {
  readonly tables: string
  readonly rows: string
}
const TOTALS = `SELECT countIf(total_rows > 0) AS tables, coalesce(sum(total_rows), 0) AS rows
  FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'`

/** The last run, if there is one. */
const run = async (named: string | undefined): Promise<readonly Check[]> => {
  let root: string
  try {
    root = dataFolder(named)
  } catch {
    return [{ name: 'run', state: 'note', found: 'none yet', fix: 'npm start' }]
  }
  const folders = foldersOf(root)
  const state = loadRun(root)
  if (state === undefined)
    return [{ name: 'run', state: 'note', found: `nothing in ${root}`, fix: 'npm start' }]
  const log = await look('log', async () => {
    const opened = await lookAtLog(root)
    const ends = await opened.ends().finally(() => opened.close())
    // Kafka does not count rows.
    if (state.kafka !== undefined)
      return `${ends.length} partitions in Kafka, topics ${state.kafka.prefix}* of ${state.kafka.brokers}`
    return `${ends.length} partitions, ${ends.reduce((sum, end) => sum + end.rows, 0)} rows`
  })
  const lake = await look('lake', async () => {
    const tables = tablesIn(folders.lake)
    if (tables.length === 0) return 'empty: a file is written a while after its rows'
    const opened = await openRunLake(root, state)
    const counts = tables.map((table) => `SELECT count(*) AS n FROM "${table}"`).join(' UNION ALL ')
    const { rows } = await opened.query(`SELECT sum(n) AS rows FROM (${counts})`)
    opened.close()
    return `${tables.length} tables, ${String(rows[0]?.['rows'])} rows`
  })
  const engine = await look('clickhouse', async () => {
    const server = await openServer(root)
    try {
      const { data } = await (await server.client.query({ query: TOTALS, format: 'JSON' })).json<Totals>()
      return `${String(data[0]?.tables)} tables, ${String(data[0]?.rows)} rows, ${server.url}`
    } finally {
      await server.close()
    }
  })
  const pid = await runningIn(root)
  const goes = pid === undefined ? 'ended' : `process ${pid} goes on`
  return [
    { name: 'run', state: 'ok', found: `graph ${state.graph} on ${state.source}, ${goes}; ${root}` },
    log,
    lake,
    engine,
  ]
}

const look = async (name: string, look: () => Promise<string>): Promise<Check> => {
  try {
    return { name, state: 'ok', found: await look() }
  } catch (error) {
    const { message, fix } = error as { message: string; fix?: string }
    return { name, state: 'bad', found: message, ...(fix === undefined ? {} : { fix }) }
  }
}
