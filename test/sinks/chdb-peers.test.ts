import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { start } from './chdb-start.ts'

const run = promisify(execFile)
const peer = (name: string) => fileURLToPath(new URL(`../peers/${name}`, import.meta.url))
const python = process.env['KT_PYTHON'] ?? 'python3'
const importable = spawnSync(python, ['-c', 'import clickhouse_connect']).status === 0
/** Building the Go client takes a minute the first time, so it is asked for by name. */
const go = /\bgo\b/.test(process.env['KT_PEERS'] ?? '') && spawnSync('go', ['version']).status === 0

const started = importable || go ? await start() : undefined
afterAll(() => started?.end())

const talk = async (command: string, list: readonly string[], cwd: string) => {
  const { chdb, password } = started ?? expect.unreachable()
  const { hostname, port } = new URL(chdb.url)
  const found = await run(command, [...list, hostname, port, chdb.user, password()], { cwd }).catch(
    (error: unknown) => error as { stdout: string },
  )
  const lines = found.stdout.trim().split('\n')
  expect(lines.filter((line) => !/^(?:ok|skip) /.test(line))).toEqual([])
  expect(lines.length).toBeGreaterThan(20)
}

test.skipIf(!importable || started === undefined)(
  'clickhouse-connect talks to embedded ClickHouse (skipped unless the Python of KT_PYTHON has it)',
  { timeout: 60_000 },
  () => talk(python, [peer('chdb-python.py')], peer('.')),
)

test.skipIf(!go || started === undefined)(
  'clickhouse-go talks to embedded ClickHouse over HTTP (skipped unless KT_PEERS names go)',
  { timeout: 300_000 },
  () => talk('go', ['run', '.'], peer('chdb-go')),
)
