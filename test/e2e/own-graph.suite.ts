import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { kt, temporary } from './command.ts'
import { OWN_GRAPH } from './own-graph.ts'

interface Verified {
  readonly ok: boolean
  readonly findings: readonly string[]
  readonly topics: readonly {
    readonly topic: string
    readonly log: number
    readonly clickhouse?: number
    readonly lake?: number
  }[]
}

const QUESTION = `SELECT count(*) AS n, sum(bps) AS bps, count(last_bps) AS before,
  count(DISTINCT instrument) AS instruments FROM quoted_spread`

test("an event of the user's own is in the log, ClickHouse and the lake, row for row", async () => {
  using folder = temporary()
  const file = join(folder.path, 'own.ts')
  const data = ['--data', join(folder.path, 'run')]
  writeFileSync(file, OWN_GRAPH)
  const sim = ['--pairs', '3', '--rate', '300', '--port', '0', '--for', '8s']
  const ran = await kt('graph', 'run', file, ...data, ...sim)
  expect(ran.err).not.toContain('error')
  expect(ran.code).toBe(0)

  const verified = JSON.parse((await kt('verify', '--json', ...data)).out) as Verified
  expect(verified.findings).toEqual([])
  const own = verified.topics.find(({ topic }) => topic === 'spread')!
  expect(own.log).toBeGreaterThan(20)
  expect([own.clickhouse, own.lake]).toEqual([own.log, own.log])

  const answers = await Promise.all(
    ['clickhouse', 'lake'].map(async (on) => {
      const { out, err } = await kt('sql', QUESTION, '--on', on, '--json', ...data)
      if (!out.startsWith('[')) throw new Error(err)
      return (JSON.parse(out) as Readonly<Record<string, unknown>>[])[0]!
    }),
  )
  for (const { n, before, instruments } of answers)
    expect({ n, before, instruments }).toEqual({ n: own.log, before: own.log - 2, instruments: 2 })
  expect(Number(answers[0]!['bps'])).toBeCloseTo(Number(answers[1]!['bps']), 6)

  // The lake alone is enough: it says itself what its tables hold.
  writeFileSync(file, 'export default 1')
  const alone = await kt('sql', 'select count(*) as n from quoted_spread', '--on', 'lake', '--json', ...data)
  expect(JSON.parse(alone.out)).toEqual([{ n: own.log }])
}, 120_000)
