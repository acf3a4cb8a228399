import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync, statfsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { loadEngine, refusal } from './chdb-engine.ts'
import type { Connection, Engine } from './chdb-engine.ts'
import type { Identity } from './chdb-answer.ts'
import { Pool } from './chdb-pool.ts'
import { serve } from './chdb-serve.ts'
import { openSpool } from './chdb-spool.ts'
import { watchWrites } from './chdb-writes.ts'

/** What the supervisor tells a front, as JSON in its first argument. */
export interface FrontOptions {
  readonly dir: string
  readonly port: number
  readonly passwordFile: string
  readonly memoryMaxBytes: number
  readonly queryMaxSeconds: number
  readonly spoolMaxBytes: number
  readonly queriesMax: number
}
/** What a front tells its supervisor. */
export type FrontReport =
  | { readonly kind: 'ready'; readonly port: number; readonly version: string }
  | {
      readonly kind: 'failed'
      readonly cause: 'chdb' | 'directory' | 'disk' | 'port' | 'other'
      readonly text: string
    }

type Cause = Extract<FrontReport, { kind: 'failed' }>['cause']

/** Less room than this, and ClickHouse cannot even write its own files. */
const diskMinBytes = 64 << 20
const stopGraceMs = 5000

const tell = (report: FrontReport) =>
  new Promise<void>((resolve) => (process.send ? process.send(report, () => resolve()) : resolve()))

/**
 * Without a clean way out of a process with the engine loaded (its exit code crashes), end it hard; parts on
 * disk are whole.
 */
const leave = () => process.kill(process.pid, 'SIGKILL')

const failed = async (cause: Cause, thrown: unknown): Promise<never> => {
  await tell({ kind: 'failed', cause, text: thrown instanceof Error ? thrown.message : String(thrown) })
  leave()
  return new Promise(() => {})
}

/**
 * The password in a file that only its owner can read; made up when the file is missing, also when it goes
 * missing later: deleting the file is how a password is changed.
 */
const passwordIn = (file: string): (() => string) => {
  let known = ''
  let changed = -1
  return () => {
    const now = statSync(file, { throwIfNoEntry: false })?.mtimeMs
    if (now === undefined) {
      writeFileSync(file, `${randomBytes(18).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
      return (known = readFileSync(file, 'utf8').trim())
    }
    if (now !== changed) known = readFileSync(file, 'utf8').trim()
    changed = now
    return known
  }
}

/**
 * Durable inserts are the default of every table: a part is synced to disk before the insert is acknowledged.
 */
const configuration = `<clickhouse>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
  </merge_tree>
</clickhouse>
`

const openRoot = (engine: Engine, directory: string, options: FrontOptions): Connection => {
  const file = join(options.dir, 'config.xml')
  writeFileSync(file, configuration)
  const memory = `--max_server_memory_usage=${options.memoryMaxBytes}`
  const root = engine.open(directory, [`--config-file=${file}`, memory])
  root.set('CREATE DATABASE IF NOT EXISTS kt ENGINE = Atomic')
  return root
}

/**
 * Who has the directory open, for the one who finds it locked. The lock itself is the engine's, and dies with
 * its process.
 */
const owner = (options: FrontOptions) => {
  const file = join(options.dir, 'owner')
  return {
    sign: (port: number) => {
      const since = new Date().toISOString()
      writeFileSync(
        file,
        `process ${process.pid}, port ${port}, since ${since}, started by process ${process.ppid}`,
      )
    },
    read: () => (existsSync(file) ? readFileSync(file, 'utf8') : 'process unknown'),
  }
}

const identify = async (root: Connection): Promise<Identity> => {
  const { bytes } = await root.whole('SELECT version(), timezone()', 'TSV')
  const [version = '', timezone = ''] = Buffer.from(bytes).toString('utf8').trim().split('\t')
  return { version, timezone }
}

const anew = (): void => {
  process.stderr.write('the disk was full, and the engine wrote parts that are not whole: it starts anew\n')
  // Who waits for an answer hears of it first.
  setTimeout(leave, 50)
}

const start = async (options: FrontOptions) => {
  const directory = join(options.dir, 'engine')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const { bavail, bsize } = statfsSync(options.dir)
  if (bavail * bsize < diskMinBytes)
    return failed('disk', `${Math.floor((bavail * bsize) / 1e6)} MB are free`)
  const engine = await Promise.resolve()
    .then(loadEngine)
    .catch((thrown: unknown) => failed('chdb', thrown))
  const root = await Promise.resolve()
    .then(() => openRoot(engine, directory, options))
    .catch((thrown: unknown) => {
      if (/ENOSPC|No space left/.test(String(thrown))) return failed('disk', thrown)
      return failed('directory', `${String(thrown)}; last opened by ${owner(options).read()}`)
    })
  const password = passwordIn(options.passwordFile)
  password()
  const pool = new Pool(directory, options.queriesMax, 64, leave)
  const identity = await identify(root)
  const writes = watchWrites(engine.open(directory), options.dir, anew)
  const answer = serve({
    identity,
    pool,
    root,
    spool: openSpool(join(options.dir, 'spool'), options.spoolMaxBytes),
    writes,
    password,
    passwordFile: options.passwordFile,
    limits: {
      queryMemoryMaxBytes: Math.floor(options.memoryMaxBytes * 0.75),
      queryMaxSeconds: options.queryMaxSeconds,
      documentMaxBytes: Math.floor(options.memoryMaxBytes / 8),
    },
  })
  const server = createServer(
    { maxHeaderSize: 1 << 20, requestTimeout: 3_600_000, keepAliveTimeout: 30_000 },
    answer,
  )
  server.maxConnections = 256
  server.on('error', (error) => void failed('port', error))
  server.listen(options.port, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    owner(options).sign(port)
    void tell({ kind: 'ready', port, version: identity.version })
  })
  const stop = async () => {
    server.close()
    server.closeIdleConnections()
    const until = performance.now() + stopGraceMs
    while (pool.busy > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 20))
    // The last answers are on their way.
    await new Promise((resolve) => setTimeout(resolve, 50))
    server.closeAllConnections()
    leave()
  }
  process.once('message', () => void stop())
}

// Signals reach the whole group of a terminal or a service; the supervisor says when the sinks have written.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('SIGHUP', () => {})
// The supervisor is gone, perhaps killed: give the directory free at once for its successor.
process.on('disconnect', leave)

const [text] = process.argv.slice(2)
if (text === undefined)
  throw refusal(36, 'BAD_ARGUMENTS', 'chdb-front.ts is started by the supervisor, with its options as JSON')
await start(JSON.parse(text) as FrontOptions).catch((thrown: unknown) => failed('other', thrown))
