import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { BooksCheck } from '../../cli/check/books.ts'
import type { Check, Seen } from '../../cli/check/check.ts'
import { DupesCheck } from '../../cli/check/dupes.ts'
import { FundingCheck } from '../../cli/check/funding.ts'
import { GapsCheck } from '../../cli/check/gaps.ts'
import { newestTime, since, walk } from '../../cli/check/walk.ts'
import { MemoryLog } from '../../runtime/memory-log.ts'
import { recordsOf } from '../../runtime/records.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { runWorld, worldOf } from '../world/world.ts'
import type { Outcome, Row, WorldOptions } from '../world/world.ts'

const CHECKS = {
  gaps: () => new GapsCheck(),
  dupes: () => new DupesCheck(),
  books: () => new BooksCheck(),
  funding: () => new FundingCheck(),
} as const
type Name = keyof typeof CHECKS

/** A row with its event, as a check sees it. */
type Made = readonly [event: string, row: Row]

const logOf = ({ store, end }: Outcome): MemoryLog =>
  new MemoryLog(new VirtualClock(end), { store, commitMs: 0 })

const seenIn = async (
  outcome: Outcome,
): Promise<Readonly<Record<Name, Seen>> & { readonly made: readonly Made[] }> => {
  const made: Made[] = []
  const all = Object.entries(CHECKS).map(([name, make]) => [name as Name, make()] as const)
  const events = [...new Set(all.flatMap(([, check]) => check.events))]
  const recorder: Check = {
    events,
    take: (event, row) => void made.push([event, row as Row]),
    done: () => ({ rows: [], findings: [] }),
  }
  const log = logOf(outcome)
  await walk(log, outcome.plan, await log.ends(), [...all.map(([, check]) => check), recorder])
  const seen = Object.fromEntries(all.map(([name, check]) => [name, check.done()])) as Record<Name, Seen>
  return { ...seen, made }
}

const looked = (name: Name, made: readonly Made[]): Seen => {
  const check: Check = CHECKS[name]()
  for (const [event, row] of made) if (check.events.includes(event)) check.take(event, row)
  return check.done()
}

const sum = ({ rows }: Seen, column: string): number =>
  rows.reduce((all, row) => all + Number(row[column]), 0)
const isOpen = (finding: string): boolean => / ids are missing in \d+ proven gaps \(/.test(finding)

describe('what kt verify looks at', () => {
  test.each([
    ...[1, 2, 3, 4, 5].map((seed): WorldOptions => worldOf(seed)),
    ...[2, 3].map((seed): WorldOptions => ({ ...worldOf(seed), graph: 'stages' })),
    { ...worldOf(3), graph: 'ticker-basis' as const },
  ])('finds nothing in a cruel world but what the gap ledger says (%o)', async (world) => {
    const { gaps, dupes, books, funding } = await seenIn(await runWorld(world))
    expect(gaps.findings.filter((finding) => !isOpen(finding))).toEqual([])
    expect(sum(gaps, 'unexplained')).toBe(0)
    expect([dupes.findings, books.findings, funding.findings]).toEqual([[], [], []])
    expect(sum(funding, 'marks')).toBeGreaterThan(50)
    if (world.graph === 'ticker-basis') return
    expect(sum(gaps, 'rows')).toBeGreaterThan(100)
    expect(sum(books, 'compared')).toBeGreaterThan(sum(books, 'quotes') / 2)
  })
})

describe('a planted fault', () => {
  let made: readonly Made[] = []
  beforeAll(async () => {
    ;({ made } = await seenIn(await runWorld({ ...worldOf(2), seconds: 30 })))
  })

  /** What a check finds of these rows and did not find before. */
  const found = (name: Name, planted: readonly Made[]): readonly string[] => {
    const before = new Set(looked(name, made).findings)
    return looked(name, planted).findings.filter((finding) => !before.has(finding))
  }
  const places = (is: (event: string, row: Row) => boolean): readonly number[] =>
    made.flatMap(([event, row], at) => (is(event, row) ? [at] : []))
  const without = (at: number): readonly Made[] => made.toSpliced(at, 1)
  const anywhere = (all: readonly number[], holds: (at: number) => void): void => {
    expect(all.length).toBeGreaterThan(0)
    fc.assert(
      fc.property(fc.constantFrom(...all), (at) => {
        holds(at)
      }),
      { numRuns: 30 },
    )
  }
  /** Rows with numbers that have such rows of their instrument before and behind them. */
  const inner = (event: string): readonly number[] => {
    const of = Map.groupBy(
      places((name, row) => name === event && row['first'] !== null && row['snapshot'] !== true),
      (at) => made[at]![1]['instrument'],
    )
    return [...of.values()].flatMap((all) => all.slice(1, -1))
  }
  const idOf = (at: number): number => made[at]![1]['first'] as number

  test.each(['trade', 'bookDelta'])('a %s that is gone is a hole that the ledger does not explain', (event) =>
    anywhere(inner(event), (at) => {
      const said = found('gaps', without(at))
      if (event === 'trade' || said.length > 0)
        expect(said[0]).toMatch(/missing, and the gap ledger|goes back/)
      if (event === 'trade') expect(said[0]).toContain(String(idOf(at)))
    }),
  )

  test('a row of the ledger that is gone leaves its hole unexplained', () => {
    const said = places(
      (event, row) => event === 'gap' && row['event'] === 'opened' && row['proof'] === 'proven',
    )
    anywhere(said, (at) =>
      expect(found('gaps', without(at)).join()).toMatch(
        new RegExp(`${idOf(at)}\\D.*the gap ledger does not say so`),
      ),
    )
  })

  test('a trade that is there twice is found, whether venues number it or name it', () => {
    for (const venue of ['binance', 'bybit'])
      anywhere(
        places((event, row) => event === 'trade' && row['venue'] === venue),
        (at) => expect(found('dupes', made.toSpliced(at + 1, 0, made[at]!))).toHaveLength(1),
      )
  })

  test('a quote with another price, and one whose sides cross, are told from the book', () => {
    const quotes = places((event, row) => event === 'quote' && row['trust'] === 'live')
    let told = 0
    anywhere(quotes, (at) => {
      const row = made[at]![1]
      const bid = (row['bid'] as number) * 0.999
      told += found('books', made.with(at, ['quote', { ...row, bid }])).length
      const crossed = made.with(at, ['quote', { ...row, bid: (row['ask'] as number) * 1.001 }])
      expect(found('books', crossed).join()).toContain('is not below ask')
    })
    expect(told).toBeGreaterThan(20)
  })

  test('a change of a level that the log has otherwise makes its book differ', () => {
    let told = 0
    const changes = places((event, row) => event === 'bookDelta' && row['snapshot'] !== true)
    anywhere(changes, (at) => {
      const row = made[at]![1]
      const bidSizes = Array.from(row['bidSizes'] as ArrayLike<number>, (size) => size + 1)
      const bidPrices = Array.from(row['bidPrices'] as ArrayLike<number>, (price) => price)
      told += Math.min(
        1,
        found('books', made.with(at, ['bookDelta', { ...row, bidPrices, bidSizes }])).length,
      )
    })
    expect(told).toBeGreaterThan(5)
  })

  test('a final rate that is another, is there twice, or is not there', () => {
    const HOUR = 3_600_000_000
    const row = (time: number, fundingTime: number, rate: number): Made => [
      'mark',
      { instrument: 'a:perp:X-Y', time, fundingTime, rate },
    ]
    const rate = (kind: string, fundingTime: number, value: number, intervalHours = 8): Made => [
      'funding',
      { instrument: 'a:perp:X-Y', kind, fundingTime, rate: value, intervalHours },
    ]
    const [one, two, three] = [8 * HOUR, 16 * HOUR, 24 * HOUR]
    const good: readonly Made[] = [
      ...[
        rate('estimate', one, 0.1),
        row(one - 1e6, one, 0.1),
        row(one + 1e6, two, 0.2),
        rate('final', one, 0.1),
      ],
      ...[
        rate('estimate', two, 0.2),
        row(two - 1e6, two, 0.3),
        row(two + 1e6, three, 0.4),
        rate('final', two, 0.3),
      ],
      row(two + 100e6, three, 0.4),
    ]
    const seen = looked('funding', good)
    expect([seen.findings, sum(seen, 'compared')]).toEqual([[], 2])
    for (const [planted, why] of [
      [good.with(7, rate('final', two, 0.31)), 'its last mark said 0.3'],
      [good.toSpliced(8, 0, good[7]!), 'has two final rates'],
      [good.toSpliced(7, 1), 'has no final rate'],
      [good.toSpliced(3, 1), 'has no final rate'],
      [good.with(7, rate('final', two, 0.3, 12)), 'the interval is 12 h'],
    ] as const)
      expect(looked('funding', planted).findings.join()).toContain(why)
    const late = [row(one - 60e6, one, 0.1), row(one + 1e6, two, 0.2), row(one + 100e6, two, 0.2)]
    expect(looked('funding', [rate('estimate', one, 0.1), ...late]).findings).toEqual([])
  })
})

test('--since begins with the first record that is young enough', async () => {
  const log = logOf(await runWorld({ ...worldOf(1), seconds: 10 }))
  const ends = (await log.ends()).filter(({ next }) => next > 3)
  const newest = await newestTime(log, ends)
  for (const end of ends) {
    const times: number[] = []
    for await (const { time } of recordsOf(log, { ...end, offset: end.first }, end.next)) times.push(time)
    expect(Math.max(...times)).toBeLessThanOrEqual(newest)
    const some = times.filter((_, i) => i % Math.ceil(times.length / 10) === 0)
    for (const time of [0, ...some, ...some.map((one) => one + 1), Infinity]) {
      const first = times.findIndex((one) => one >= time)
      expect((await since(log, end, time)).first).toBe(first < 0 ? end.next : end.first + first)
    }
  }
})
