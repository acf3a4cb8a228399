import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, globSync, renameSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import {
  begin,
  checkpoints,
  children,
  drained,
  flip,
  folder,
  logOf,
  nothingRuns,
  says,
  SMALL,
  verified,
} from './bad-run.ts'
import { holesIn } from './holes.ts'
import { killTree, kt, temporary } from './command.ts'
import type { Ended } from './command.ts'

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

    // Both sinks have these rows; then one of them has to read them again.
    const segment = globSync(join(data, 'log/*.segment'))[0]!
    flip(segment, 50_000)
    const unread = await verified(data)
    expect(unread.findings).toContainEqual(expect.stringMatching(/ cannot be read: Its bytes do not have/))
    rmSync(join(data, 'clickhouse'), { recursive: true })
    const beyond = await short()
    expect([beyond.code, beyond.out]).toEqual([0, expect.stringMatching(/sink-clickhouse: .* unreadable/)])
    const [, at, length] = /"file":".*","at":(\d+),"bytes":(\d+)/
      .exec(logOf(data, 'sink-clickhouse'))!
      .map(Number)
    expect([at! <= 50_000, at! + length! > 50_000]).toEqual([true, true])
    const letters = await kt('dlq', 'list', '--data', data)
    expect(letters.out).toMatch(/log\.\w+ .*KT3001/)
    for (const finding of (await verified(data)).findings)
      expect(finding).toMatch(/cannot be read: Its bytes|lake has rows that the log has not/)
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

test.skipIf(!mountable)('a folder that is read-only is said before anything is started', async () => {
  const disk = folder()
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', disk])
  try {
    for (const data of [disk, join(disk, 'deep', 'run')]) {
      const { code, err } = await kt('dev', '--data', data, ...SMALL)
      expect([code, err]).toEqual([1, expect.stringMatching(/\(EROFS\) \[KT5005\][^]*read-only[^]*fix/)])
    }
  } finally {
    execFileSync('umount', [disk])
  }
})

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
      expect((await holesIn(data)).unexplained).toBe(0)
    } finally {
      for (const child of children) killTree(child)
      await pause(500)
      execFileSync('umount', ['-l', disk])
    }
  },
)
