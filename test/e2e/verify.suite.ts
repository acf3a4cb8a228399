import { expect, test } from 'vitest'
import { folder, SMALL } from './bad-run.ts'
import { kt } from './command.ts'

interface Verified {
  readonly ok: boolean
  readonly topics?: readonly { readonly topic: string; readonly log: number; readonly clickhouse: number }[]
  readonly gaps?: readonly { readonly unexplained: number; readonly rows: number }[]
  readonly books?: readonly { readonly compared: number; readonly differing: number }[]
  readonly findings: readonly string[]
}

test(
  'kt verify looks at what it is asked for, and exits with 2 where it finds something',
  { timeout: 120_000 },
  async () => {
    const data = folder()
    const run = await kt(
      'dev',
      '--data',
      data,
      ...SMALL,
      '--rate',
      '400',
      '--faults',
      'cruel',
      '--for',
      '15s',
    )
    expect(run.code, run.err).toBe(0)
    const verify = async (...words: readonly string[]): Promise<readonly [number | null, Verified]> => {
      const { code, out, err } = await kt('verify', ...words, '--json', '--data', data)
      if (!out.startsWith('{')) throw new Error(err)
      return [code, JSON.parse(out) as Verified]
    }
    const [code, all] = await verify('all')
    expect(code).toBe(all.ok ? 0 : 2)
    expect(all.findings.filter((one) => !/ids are missing in \d+ proven gaps/.test(one))).toEqual([])
    expect(Object.keys(all)).toEqual(
      expect.arrayContaining(['digest', 'topics', 'gaps', 'dupes', 'books', 'funding']),
    )
    expect(all.gaps!.reduce((sum, one) => sum + one.unexplained, 0)).toBe(0)
    expect(all.books!.reduce((sum, one) => sum + one.compared, 0)).toBeGreaterThan(100)
    const rows = ({ topics }: Verified): number => topics!.find(({ topic }) => topic === 'trade')!.log
    const [young, last] = await verify('counts', '--since', '3s')
    expect([young, last.findings]).toEqual([0, []])
    expect([rows(last) > 0, rows(last) < rows(all) / 2]).toEqual([true, true])
    expect(Object.keys((await verify('funding'))[1])).toEqual(['ok', 'running', 'funding', 'findings'])

    expect((await verify('dupes'))[0]).toBe(0)
    const again = await kt(
      'sql',
      '--data',
      data,
      'INSERT INTO trade SELECT * FROM trade LIMIT 1 SETTINGS insert_deduplicate = 0',
    )
    expect(again.code, again.err).toBe(0)
    const [found, { findings }] = await verify('dupes')
    expect([found, findings]).toEqual([
      2,
      [
        expect.stringMatching(/^trade: clickhouse has twice, by _part/),
        expect.stringMatching(/^trade: clickhouse has twice, by instrument, id: /),
      ],
    ])

    const wrong = await kt('verify', 'book', '--data', data)
    expect([wrong.code, wrong.err]).toEqual([
      64,
      expect.stringContaining('counts, gaps, dupes, books, funding, all'),
    ])
  },
)
