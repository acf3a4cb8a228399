import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import {
  begin,
  checkpoints,
  drained,
  folder,
  logOf,
  nothingRuns,
  rowsOf,
  says,
  SMALL,
  verified,
} from './bad-run.ts'
import { holesIn } from './holes.ts'
import { kt } from './command.ts'

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
    expect((await holesIn(data)).unexplained).toBe(0)
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
    expect((await holesIn(data)).unexplained).toBe(0)
  },
)

test('sinks that are down when a run is asked to stop load all that it wrote', { timeout: 120_000 }, async () => {
  const data = folder()
  const run = await begin(data)
  await pause(4000)
  process.kill(run.pid('sink-lake'), 'SIGKILL')
  process.kill(run.pid('sink-clickhouse'), 'SIGKILL')
  const ended = await drained(run)
  expect(ended.code, ended.err).toBe(0)
  const { findings, topics } = await verified(data)
  expect(findings).toEqual([])
  expect(topics.find(({ topic }) => topic === 'trade')!.log).toBeGreaterThan(0)
  await nothingRuns(data)
})

test('SIGTERM to every process of a run, and twice to its first, drains it', { timeout: 120_000 }, async () => {
  const data = folder()
  const run = await begin(data)
  await pause(4000)
  // As `timeout` and systemd do, and the process of `npm start` once more.
  process.kill(-run.child.pid!, 'SIGTERM')
  process.kill(run.child.pid!, 'SIGTERM')
  const ended = await run.ended
  expect(ended.code, ended.err).toBe(0)
  expect(ended.err).not.toContain('was started again')
  const { findings, topics } = await verified(data)
  expect(findings).toEqual([])
  expect(topics.find(({ topic }) => topic === 'trade')!.log).toBeGreaterThan(0)
  await nothingRuns(data)
})
