import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { KtError } from '../../graph/error.ts'
import type { FrontOptions, FrontReport } from './chdb-front.ts'

export interface ChdbOptions {
  /** Everything is kept here: tables, rows on their way in, the password. One process at a time. */
  readonly dir: string
  /** Default 8123, ClickHouse's; 0 takes any that is free. */
  readonly port?: number
  /** Default `<dir>/password`. Made when missing, readable by its owner alone. */
  readonly passwordFile?: string
  /** Of the whole engine; one query gets three quarters. Default 2 GiB, at most half of the machine. */
  readonly memoryMaxBytes?: number
  /** A query that runs longer is ended. Default 300. */
  readonly queryMaxSeconds?: number
  /** Of one insert's body, uncompressed. Default 256 MiB. */
  readonly spoolMaxBytes?: number
  /** Statements that run at once; 64 more may wait. Default 8. */
  readonly queriesMax?: number
  /** The engine's own words, and what the supervisor does, line by line. */
  readonly log?: (line: string) => void
}

export interface RunningChdb {
  readonly kind: 'running'
  /** `http://127.0.0.1:port`, the same after a restart. */
  readonly url: string
  readonly user: 'default'
  readonly passwordFile: string
  /** Of the engine, such as `26.7.2.1`. */
  readonly version: string
  /** Of the front's process, now. */
  readonly pid: number
  /**
   * Called after the front died and answers again. What was under way has failed: look what arrived before
   * sending it again.
   */
  onRestart(listener: (restarts: number) => void): void
  /** Let running statements end (5 s at most), then stop. */
  stop(): Promise<void>
}

/**
 * No build of chDB for this machine, or it is not installed. Everything but the embedded ClickHouse works
 * without.
 */
export interface AbsentChdb {
  readonly kind: 'absent'
  readonly why: string
  readonly fix: string
}

const startMs = 30_000
/** A killed predecessor's front leaves within a second; it may hold the directory or the port until then. */
const patienceMs = 2500
const restartMs = [100, 200, 500, 1000, 2000, 5000] as const

interface Front {
  readonly child: ChildProcess
  readonly ended: Promise<string>
  readonly first: Promise<FrontReport>
  /** What it said, the first lines. */
  readonly heard: readonly string[]
}

const source = fileURLToPath(new URL('./chdb-front.ts', import.meta.url))

const lines = (stream: NodeJS.ReadableStream | null, log: (line: string) => void) => {
  let rest = ''
  stream?.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) if (part.trim() !== '') log(part)
  })
}

const launch = (options: FrontOptions, log: (line: string) => void): Front => {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', source, JSON.stringify(options)],
    {
      // Streams, compression and files share libuv's threads with the queries, and must not wait for them.
      env: { ...process.env, UV_THREADPOOL_SIZE: String(options.queriesMax * 2 + 8) },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    },
  )
  const heard: string[] = []
  const hear = (line: string) => {
    if (heard.length < 50) heard.push(line)
    log(`chdb: ${line}`)
  }
  lines(child.stdout, hear)
  lines(child.stderr, hear)
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code ?? '?'}`))
  })
  const other = (text: string): FrontReport => ({ kind: 'failed', cause: 'other', text })
  const first = Promise.race([
    new Promise<FrontReport>((resolve) => child.once('message', (report) => resolve(report as FrontReport))),
    ended.then((how) => other(`the process ended (${how}): ${heard.slice(-3).join(' | ')}`)),
    pause(startMs, undefined, { ref: false }).then(() => other(`no answer within ${startMs / 1000} s`)),
  ])
  return { child, ended, first, heard }
}

/** The engine's own words when it cannot read its files; a directory that is in use is said in other ones. */
const isDamage = (line: string): boolean =>
  line.includes('DB::Exception') && !/Cannot lock|already running|CANNOT_OPEN_FILE/.test(line)

type Failed =
  | Extract<FrontReport, { kind: 'failed' }>
  | { readonly kind: 'failed'; readonly cause: 'damage'; readonly text: string }

const explain = (failed: Failed, options: FrontOptions): KtError => {
  const about = { where: options.dir, why: failed.text, facts: { dir: options.dir, port: options.port } }
  if (failed.cause === 'directory') {
    return new KtError(
      'KT5202',
      'the ClickHouse directory cannot be opened, most likely because another process has it open',
      {
        ...about,
        fix: 'Stop the other kt that uses this directory, or give this one a directory of its own.',
      },
    )
  }
  if (failed.cause === 'damage') {
    return new KtError('KT5206', 'the embedded ClickHouse cannot read its own files', {
      ...about,
      fix: `Move ${options.dir} away and start again: tables are made anew from what the log still holds.`,
    })
  }
  if (failed.cause === 'port') {
    return new KtError('KT5203', `port ${options.port} for the embedded ClickHouse is taken`, {
      ...about,
      fix: 'Choose another port, or stop what listens there; 0 takes any free port.',
    })
  }
  if (failed.cause === 'disk') {
    return new KtError('KT5204', 'the disk is too full for the embedded ClickHouse', {
      ...about,
      fix: 'Free some space, or move the directory to a larger disk.',
    })
  }
  return new KtError('KT5205', 'the embedded ClickHouse did not start', {
    ...about,
    fix: 'Read the log lines before this one.',
  })
}

/** Start a front and wait until it answers. What a dying predecessor may still hold is asked for again. */
const startFront = async (options: FrontOptions, log: (line: string) => void) => {
  const until = performance.now() + patienceMs
  for (;;) {
    const front = launch(options, log)
    const report = await front.first
    if (report.kind === 'ready') return { front, report }
    const damage = report.cause === 'directory' ? front.heard.findLast(isDamage) : undefined
    front.child.kill('SIGKILL')
    await front.ended
    if (damage !== undefined) {
      return { front: undefined, report: { kind: 'failed', cause: 'damage', text: damage } as const }
    }
    const passing = report.cause === 'directory' || report.cause === 'port'
    if (!passing || performance.now() > until) return { front: undefined, report }
    await pause(200)
  }
}

const filled = (options: ChdbOptions): FrontOptions => {
  const dir = resolve(options.dir)
  return {
    dir,
    port: options.port ?? 8123,
    passwordFile: resolve(options.passwordFile ?? join(dir, 'password')),
    memoryMaxBytes: options.memoryMaxBytes ?? Math.min(2 ** 31, Math.floor(totalmem() / 2)),
    queryMaxSeconds: options.queryMaxSeconds ?? 300,
    spoolMaxBytes: options.spoolMaxBytes ?? 256 << 20,
    queriesMax: options.queriesMax ?? 8,
  }
}

/**
 * Start the embedded ClickHouse: chDB in a process of its own, answering the ClickHouse HTTP protocol on
 * loopback. It is started again when it dies, and ends with the process that started it, however that one
 * ends.
 *
 * Works with @clickhouse/client, curl, clickhouse-connect (Python, as it comes) and clickhouse-go over HTTP
 * (Go; none, gzip, deflate or brotli). Sessions, temporary tables, parameters, KILL QUERY by query id,
 * compression both ways. Not spoken: the native TCP protocol, `compress=1` (JDBC: `compress=false`), input(),
 * users other than `default`. Rows stream in formats without beginning or end (JSONEachRow, CSV, TSV,
 * RowBinary, Native), and in JSONCompactEachRow and TSV with names; JSON, Parquet and Arrow answers are made
 * whole first and are bounded by an eighth of the memory.
 * @throws KtError KT5202 (directory in use), KT5203 (port taken), KT5204 (disk full), KT5205 (did not start),
 * KT5206 (damaged files)
 */
export const startChdb = async (options: ChdbOptions): Promise<RunningChdb | AbsentChdb> => {
  const log = options.log ?? (() => {})
  const wanted = filled(options)
  mkdirSync(wanted.dir, { recursive: true, mode: 0o700 })
  const started = await startFront(wanted, log)
  if (started.front === undefined) {
    const { report } = started
    if (report.kind !== 'failed' || report.cause !== 'chdb') throw explain(report as Failed, wanted)
    const fix =
      'Run `npm install chdb` (Linux with glibc, macOS), or set KT_CLICKHOUSE_URL to a ClickHouse server.'
    return { kind: 'absent', why: report.text, fix }
  }
  return supervise({ ...wanted, port: started.report.port }, started.front, started.report.version, log)
}

const supervise = (
  options: FrontOptions,
  first: Front,
  version: string,
  log: (line: string) => void,
): RunningChdb => {
  const listeners: ((restarts: number) => void)[] = []
  let front = first
  let stopping = false
  let restarts = 0

  const again = async () => {
    for (let attempt = 0; !stopping; attempt += 1) {
      await pause(restartMs[Math.min(attempt, restartMs.length - 1)])
      if (stopping) return undefined
      const next = await startFront(options, log)
      if (next.front !== undefined) return next.front
      log(`chdb: not restarted yet: ${explain(next.report as Failed, options).message}`)
    }
    return undefined
  }
  const watch = async () => {
    while (!stopping) {
      const how = await front.ended
      if (stopping) return
      log(`chdb: the front ended (${how}); starting it again`)
      const next = await again()
      if (next === undefined) return
      front = next
      restarts += 1
      for (const listener of listeners) listener(restarts)
    }
  }
  const watched = watch()
  const stop = async () => {
    stopping = true
    front.child.send('stop', () => {})
    const late = setTimeout(() => front.child.kill('SIGKILL'), 7000)
    await front.ended
    clearTimeout(late)
    await watched
    front.child.kill('SIGKILL')
  }
  return {
    kind: 'running',
    url: `http://127.0.0.1:${options.port}`,
    user: 'default',
    passwordFile: options.passwordFile,
    version,
    get pid() {
      return front.child.pid ?? 0
    },
    onRestart: (listener) => void listeners.push(listener),
    stop,
  }
}
