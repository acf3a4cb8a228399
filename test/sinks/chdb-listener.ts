import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ChdbOptions, RunningChdb } from '../../sinks/driver/chdb.ts'

/** What tests ask of an embedded ClickHouse, whoever answers for it. */
export type Embedded = Omit<RunningChdb, 'kind' | 'user' | 'version'> & { readonly user: string }

const program = fileURLToPath(new URL('../peers/chdb-listen.py', import.meta.url))
const python = process.env['KT_PYTHON'] ?? 'python3'
const USER = 'kt'
const READY_MS = 30_000

/** The engine's library in the package of chDB for this machine. */
const libraryOf = (): string | undefined => {
  try {
    const packages = join(dirname(createRequire(import.meta.url).resolve('chdb/package.json')), '..', '@chdb')
    return readdirSync(packages)
      .map((name) => join(packages, name, 'libchdb.so'))
      .find((path) => existsSync(path))
  } catch {
    return undefined
  }
}

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '::1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/**
 * The query that keeps the engine up is asked from 127.0.0.1 by a `default` without a password. So it
 * listens on ::1, where only users with one are let in.
 */
const usersFile = (
  password: string,
  { queryMaxSeconds = 300, memoryMaxBytes = 2 ** 31 }: Partial<ChdbOptions>,
) => `
<clickhouse>
  <profiles>
    <default/>
    <asked>
      <max_execution_time>${queryMaxSeconds}</max_execution_time>
      <max_memory_usage>${Math.floor(memoryMaxBytes * 0.75)}</max_memory_usage>
      <output_format_json_quote_64bit_integers>1</output_format_json_quote_64bit_integers>
      <output_format_json_quote_decimals>1</output_format_json_quote_decimals>
      <cancel_http_readonly_queries_on_client_close>1</cancel_http_readonly_queries_on_client_close>
      <constraints>
        <max_execution_time><min>1</min><max>${queryMaxSeconds}</max></max_execution_time>
      </constraints>
    </asked>
  </profiles>
  <users>
    <default>
      <password/>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile><quota>default</quota>
    </default>
    <${USER}>
      <password>${password}</password>
      <networks><ip>::1</ip></networks>
      <profile>asked</profile><quota>default</quota><default_database>kt</default_database>
    </${USER}>
    <reader>
      <password>${password}</password>
      <networks><ip>::1</ip></networks>
      <profile>asked</profile><quota>default</quota><default_database>kt</default_database>
      <grants><query>GRANT SELECT ON kt.*</query></grants>
    </reader>
  </users>
  <quotas><default/></quotas>
</clickhouse>
`

const configFile = (users: string, { memoryMaxBytes = 2 ** 31 }: Partial<ChdbOptions>) => `
<clickhouse>
  <users_config>${users}</users_config>
  <max_server_memory_usage>${memoryMaxBytes}</max_server_memory_usage>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
  </merge_tree>
</clickhouse>
`

const answers = (url: string): Promise<boolean> =>
  fetch(`${url}/ping`).then(
    ({ ok }) => ok,
    () => false,
  )

/** Start ClickHouse's own listener; undefined where there is no Python, no chDB, or no IPv6 loopback. */
export const startListener = async (
  dir: string,
  options: Partial<ChdbOptions>,
): Promise<Embedded | undefined> => {
  const library = libraryOf()
  const port = await freePort().catch(() => undefined)
  const here =
    library !== undefined && port !== undefined && spawnSync(python, ['-c', 'import ctypes']).status === 0
  if (!here) return undefined
  const passwordFile = join(dir, 'password')
  const [users, config] = [join(dir, 'users.xml'), join(dir, 'config.xml')]
  const password = randomBytes(12).toString('hex')
  writeFileSync(passwordFile, password, { mode: 0o600 })
  writeFileSync(users, usersFile(password, options), { mode: 0o600 })
  writeFileSync(config, configFile(users, options))
  const url = `http://[::1]:${port}`
  const launch = (): ChildProcess =>
    spawn(python, [program, library, dir, String(port), config], { stdio: ['pipe', 'ignore', 'inherit'] })
  return kept(url, passwordFile, launch)
}

/** A process that is started again when it dies. */
const kept = async (url: string, passwordFile: string, launch: () => ChildProcess): Promise<Embedded> => {
  const listeners: ((restarts: number) => void)[] = []
  let child = launch()
  let stopping = false
  let restarts = 0
  const watch = (one: ChildProcess): void =>
    void one.once('exit', () => {
      if (stopping) return
      child = launch()
      watch(child)
      void listening().then(() => {
        restarts++
        for (const listener of listeners) listener(restarts)
      })
    })
  const listening = async (): Promise<void> => {
    for (const until = Date.now() + READY_MS; !(await answers(url)); await pause(20))
      if (Date.now() > until) throw new Error('the listener does not answer')
  }
  watch(child)
  await listening().catch((error: unknown) => {
    stopping = true
    child.kill('SIGKILL')
    throw error
  })
  return {
    url,
    user: USER,
    passwordFile,
    get pid() {
      return child.pid ?? 0
    },
    onRestart: (listener) => void listeners.push(listener),
    stop: async () => {
      stopping = true
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.stdin?.end()
      const late = setTimeout(() => child.kill('SIGKILL'), 7000)
      await ended
      clearTimeout(late)
    },
  }
}
