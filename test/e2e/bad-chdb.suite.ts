import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startChdb } from '../../sinks/driver/chdb.ts'
import { folder, root } from './bad-run.ts'
import type { Verified } from './bad-run.ts'
import type { Ended } from './command.ts'

test(
  'without chDB the run works and the sink waits; a server that comes later gets every row',
  { timeout: 240_000 },
  async () => {
    const [data, tree] = [folder(), folder()]
    for (const name of readdirSync(root))
      if (!['node_modules', 'data', '.git'].includes(name))
        cpSync(join(root, name), join(tree, name), { recursive: true })
    mkdirSync(join(tree, 'node_modules'))
    for (const name of readdirSync(join(root, 'node_modules'))) {
      if (!/chdb/.test(name)) symlinkSync(join(root, 'node_modules', name), join(tree, 'node_modules', name))
    }
    const there = (args: readonly string[], environment: Readonly<Record<string, string>> = {}): Ended => {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', join(tree, 'cli/main.ts'), ...args],
        {
          cwd: tree,
          encoding: 'utf8',
          env: { ...process.env, NO_COLOR: '1', KT_CLICKHOUSE_URL: undefined, ...environment },
        },
      )
      return { code: status ?? 137, out: stdout, err: stderr }
    }
    // A port on which nothing listens: the run must not find somebody else's server.
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((listening) => server.once('listening', listening))
    const { port } = server.address() as AddressInfo
    server.close()
    const small = ['--pairs', '2', '--rate', '60', '--port', String(port), '--data', data]
    const without = there(['dev', ...small, '--for', '5s'])
    expect(without.code, without.err).toBe(0)
    expect(without.err).toMatch(/no embedded ClickHouse: .*KT_CLICKHOUSE_URL/)
    const lake = there([
      'sql',
      '--on',
      'lake',
      '--json',
      'select count(*) as trades from trade',
      '--data',
      data,
    ])
    expect(Number((JSON.parse(lake.out) as { trades: number }[])[0]!.trades), lake.err).toBeGreaterThan(0)
    const none = there(['sql', 'select 1', '--data', data])
    expect([none.code, none.err]).toEqual([
      69,
      expect.stringMatching(/there is no ClickHouse to ask \[KT6901\][^]*fix/),
    ])

    const chdb = await startChdb({ dir: folder(), port: 0 })
    if (chdb.kind === 'absent') throw new Error(chdb.why)
    try {
      const named = {
        KT_CLICKHOUSE_URL: chdb.url,
        KT_CLICKHOUSE_PASSWORD: readFileSync(chdb.passwordFile, 'utf8').trim(),
      }
      // A server that has no table yet lacks all rows, and says no error of its own.
      const empty = there(['verify', '--json', '--data', data], named)
      expect([empty.code, empty.out]).toEqual([2, expect.stringMatching(/rows are not in clickhouse/)])
      const { code, err } = there(['dev', ...small, '--for', '2s'], named)
      expect(code, err).toBe(0)
      const checked = there(['verify', '--json', '--data', data], named)
      expect((JSON.parse(checked.out) as Verified).findings, checked.err).toEqual([])
    } finally {
      await chdb.stop()
    }
  },
)
