import { execFileSync, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { startChdb } from '../../sinks/driver/chdb.ts'
import { kt, killTree, start, temporary } from './command.ts'
import type { Ended } from './command.ts'

const root = resolve(import.meta.dirname, '../..')
const SMALL = ['--port', '0', '--pairs', '2', '--rate', '60']

interface Verified {
  readonly ok: boolean
  readonly findings: readonly string[]
  readonly topics: readonly { readonly topic: string; readonly log: number }[]
}

/** A run whose words are read while it goes on. */
interface Run {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  readonly said: () => string
  readonly pid: (part: string) => number
}

const children: ChildProcess[] = []
const folders: { readonly [Symbol.dispose]: () => void }[] = []
afterEach(async () => {
  for (const child of children.splice(0)) killTree(child)
  await pause(300)
  for (const folder of folders.splice(0)) folder[Symbol.dispose]()
})

const folder = (): string => {
  const made = temporary()
  folders.push(made)
  return made.path
}

const begin = async (data: string, ...flags: readonly string[]): Promise<Run> => {
  const { child, ended } = start(['dev', '--data', data, ...SMALL, ...flags])
  children.push(child)
  let text = ''
  child.stderr!.on('data', (part: string) => (text += part))
  const run: Run = {
    child,
    ended,
    said: () => text,
    pid: (part) => Number(new RegExp(`^ +${part} .*process (\\d+)`, 'm').exec(text)?.[1]),
  }
  await says(run, /kt verify/)
  return run
}

/** Wait until a run has said something. */
const says = async (run: Pick<Run, 'said'>, what: RegExp, withinMs = 60_000): Promise<void> => {
  for (const until = Date.now() + withinMs; !what.test(run.said());) {
    if (Date.now() > until) throw new Error(`no word of ${String(what)} in:\n${run.said()}`)
    await pause(50)
  }
}

const drained = async (run: Run): Promise<Ended> => {
  process.kill(run.child.pid!, 'SIGINT')
  return run.ended
}

/** Processes that name this folder on their command line. */
const alive = (data: string): readonly string[] =>
  readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        return line.includes(data) ? [line.replaceAll('\0', ' ')] : []
      } catch {
        return []
      }
    })

/** What a command started ends with it, within a moment: nothing is left running. */
const nothingRuns = async (data: string): Promise<void> => {
  for (const until = Date.now() + 5000; alive(data).length > 0 && Date.now() < until;) await pause(100)
  expect(alive(data)).toEqual([])
}

const verified = async (data: string): Promise<Verified> => {
  const { out, err } = await kt('verify', '--json', '--data', data)
  if (!out.startsWith('{')) throw new Error(`${err}${out}`)
  return JSON.parse(out) as Verified
}

const rowsOf = ({ topics }: Verified, name: string): number => topics.find(({ topic }) => topic === name)!.log

/** Trades that follow another one with a hole between them that no gap row explains. */
const unexplained = async (data: string): Promise<number> => {
  const query = `
    WITH t AS (SELECT instrument, first, lag(first) OVER (PARTITION BY instrument ORDER BY _part, _off, _row) AS before FROM trade WHERE first IS NOT NULL)
    SELECT count(*) AS holes FROM t WHERE before IS NOT NULL AND first <> before + 1 AND NOT EXISTS (
      SELECT 1 FROM gap WHERE gap.instrument = t.instrument AND channel = 'trade' AND event = 'opened' AND gap.first = t.before + 1 AND gap.last = t.first - 1)`
  const { out, err } = await kt('sql', '--on', 'lake', '--json', query, '--data', data)
  if (out === '') throw new Error(err)
  return Number((JSON.parse(out) as { holes: number }[])[0]!.holes)
}

const flip = (file: string, at: number): void => {
  const bytes = readFileSync(file)
  for (let i = at; i < at + 4; i++) bytes[i]! ^= 0xff
  writeFileSync(file, bytes)
}

const checkpoints = (data: string): readonly string[] =>
  globSync(join(data, 'state/checkpoints/*/*.ckpt')).toSorted()
const logOf = (data: string, part: string): string => readFileSync(join(data, 'logs', `${part}.log`), 'utf8')

describe('a run that cannot begin', () => {
  test('for its port names it, what to do, and leaves nothing running', async () => {
    const data = folder()
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((listening) => server.once('listening', listening))
    const { port } = server.address() as AddressInfo
    const { code, err } = await kt('dev', '--data', data, '--pairs', '2', '--port', String(port))
    server.close()
    expect([code, err]).toEqual([
      1,
      expect.stringContaining(`port ${port} for the embedded ClickHouse is taken [KT5203]`),
    ])
    expect(err).toMatch(/fix {4}Choose another port/)
    await nothingRuns(data)
  })

  test.each([
    [['dev', '--prot', '1'], 64, /unknown option '--prot'\n\(Did you mean --port\?\)/],
    [['dev', 'grahp/basis.ts'], 65, /there is no graph file "grahp\/basis.ts" \[KT1050\][^]*fix/],
    [['dev', 'cli/settings.ts'], 65, /has no graph \[KT1052\][^]*fix/],
    [['dev', '--faults', 'crool'], 64, /no fault is called "crool"[^]*fix/],
    [
      ['dev', '--data', 'package.json/run'],
      1,
      /the data folder refused a write \(ENOTDIR\) \[KT5005\][^]*fix/,
    ],
  ] as const)('%j: code %i', async (args, code, sentence) => {
    const ended = await kt(...args)
    expect([ended.code, ended.err]).toEqual([code, expect.stringMatching(sentence)])
  })
})

test(
  'parts that are killed come back one by one, a second run is refused, Ctrl-C loses nothing',
  { timeout: 240_000 },
  async () => {
    const data = folder()
    const run = await begin(data)
    await pause(3000)

    const second = await kt('dev', '--data', data, ...SMALL)
    expect([second.code, second.err]).toEqual([
      1,
      expect.stringMatching(
        new RegExp(`process ${run.child.pid!} runs in this data folder \\[KT5004\\][^]*fix`),
      ),
    ])

    process.kill(run.pid('sink-lake'), 'SIGKILL')
    process.kill(run.pid('sink-clickhouse'), 'SIGKILL')
    await says(run, /part "sink-lake" died and was started again \(1\)/)
    await says(run, /part "sink-clickhouse" died and was started again \(1\)/)
    process.kill(run.pid('shard'), 'SIGKILL')
    await says(run, /part "shard" died and was started again \(1\)/)
    await pause(3000)
    process.kill(run.pid('clickhouse'), 'SIGKILL')
    await says(run, /the embedded ClickHouse died and was started again \(1\)/)
    await pause(3000)
    const ended = await drained(run)
    expect(ended.code, ended.err).toBe(0)
    await nothingRuns(data)
    expect(checkpoints(data).length).toBeGreaterThan(0)
    const first = await verified(data)
    expect(first.findings).toEqual([])
    expect(rowsOf(first, 'kt.gap')).toBeGreaterThan(0)
    expect(await unexplained(data)).toBe(0)
    for (const part of ['sink-clickhouse', 'sink-lake', 'shard'])
      expect(logOf(data, part)).not.toContain('garbage collection')

    const again = await kt('dev', '--data', data, ...SMALL, '--for', '3s')
    expect(again.code, again.err).toBe(0)
    // The checkpoint was the last thing: nothing had to be read again.
    const recovered = logOf(data, 'shard')
      .split('\n')
      .findLast((line) => line.includes('recovered'))
    expect(recovered).toMatch(/"rows":0\b/)
    const next = await verified(data)
    expect(next.findings).toEqual([])
    expect(rowsOf(next, 'trade')).toBeGreaterThan(rowsOf(first, 'trade'))
    expect(await unexplained(data)).toBe(0)
  },
)

test(
  'what is broken on the disk is passed over where another is whole, and named where none is',
  { timeout: 240_000 },
  async () => {
    const data = folder()
    const short = (...flags: readonly string[]): Promise<Ended> =>
      kt('dev', '--data', data, ...SMALL, '--for', '2s', ...flags)
    expect((await short()).code).toBe(0)
    expect((await short()).code).toBe(0)
    expect(checkpoints(data)).toHaveLength(2)

    const newest = checkpoints(data).at(-1)!
    flip(newest, 500)
    const passed = await short()
    expect(passed.code, passed.err).toBe(0)
    expect(logOf(data, 'shard')).toMatch(
      new RegExp(
        `${newest.split('/').at(-1)!}.*broken checkpoint passed over|broken checkpoint passed over.*${newest.split('/').at(-1)!}`,
      ),
    )
    expect((await verified(data)).findings).toEqual([])

    for (const file of checkpoints(data)) flip(file, 500)
    const none = await short()
    expect([none.code, none.err]).toEqual([
      1,
      expect.stringMatching(
        /no checkpoint of shard "basis\/0\/0" can be read \[KT4002\][^]*fix {4}Start with --rebuild/,
      ),
    ])
    expect(none.err).not.toContain('started again')
    const rebuilt = await short('--rebuild')
    expect(rebuilt.code, rebuilt.err).toBe(0)
    expect((await verified(data)).findings).toEqual([])

    // ClickHouse leaves such a file when the disk is full while it makes a table.
    truncateSync(globSync(join(data, 'clickhouse/engine/store/*/*/trade.sql'))[0]!, 0)
    const damaged = await short()
    expect([damaged.code, damaged.err]).toEqual([
      1,
      expect.stringMatching(/cannot read its own files \[KT5206\][^]*trade\.sql[^]*fix {4}Move /),
    ])
    renameSync(join(data, 'clickhouse'), join(data, 'clickhouse.old'))
    expect((await short()).code).toBe(0)
    expect((await verified(data)).findings).toEqual([])

    const segment = globSync(join(data, 'log/*.segment'))[0]!
    flip(segment, 50_000)
    for (const broken of [await short(), await kt('verify', '--data', data)]) {
      expect([broken.code, broken.err]).toEqual([
        1,
        expect.stringMatching(/a frame of the log is damaged at byte \d+ \[KT3003\]/),
      ])
      expect(broken.err).toContain(segment)
      const at = Number(/at byte (\d+)/.exec(broken.err)![1])
      expect(at).toBeGreaterThan(40_000)
      expect(at).toBeLessThanOrEqual(50_004)
    }
    await nothingRuns(data)
  },
)

const mounted = (path: string): boolean =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=160m', 'tmpfs', path]).status === 0
const mountable = ((): boolean => {
  const probe = temporary()
  const may = mounted(probe.path)
  if (may) execFileSync('umount', [probe.path])
  probe[Symbol.dispose]()
  return may
})()

test.skipIf(!mountable)(
  'a disk that is full is said, nothing is half-written, and all goes on when there is space',
  { timeout: 240_000 },
  async () => {
    const disk = folder()
    expect(mounted(disk)).toBe(true)
    try {
      const data = join(disk, 'run')
      const run = await begin(data)
      await says(
        {
          said: () =>
            existsSync(join(data, 'logs/sink-clickhouse.log')) ? logOf(data, 'sink-clickhouse') : '',
        },
        /clickhouse.basis.*idle/,
      )
      await pause(2000)
      spawnSync('dd', ['if=/dev/zero', `of=${join(disk, 'filler')}`, 'bs=4k'])
      await says(run, /part "shard": the disk of the log refused a write \(ENOSPC\)/)
      await pause(5000)
      const notes = run
        .said()
        .split('\n')
        .filter((line) => line.startsWith('!'))
      expect(notes.length).toBeLessThan(30)
      expect(run.child.exitCode).toBe(null)
      rmSync(join(disk, 'filler'))
      await pause(8000)
      const ended = await drained(run)
      expect(ended.code, ended.err).toBe(0)
      expect((await verified(data)).findings).toEqual([])
      expect(await unexplained(data)).toBe(0)
    } finally {
      for (const child of children) killTree(child)
      await pause(500)
      execFileSync('umount', ['-l', disk])
    }
  },
)

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
      const { code, err } = there(['dev', ...small, '--for', '2s'], named)
      expect(code, err).toBe(0)
      const checked = there(['verify', '--json', '--data', data], named)
      expect((JSON.parse(checked.out) as Verified).findings, checked.err).toEqual([])
    } finally {
      await chdb.stop()
    }
  },
)
