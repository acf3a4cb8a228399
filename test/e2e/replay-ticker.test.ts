import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Recorded } from '../../sources/replay.ts'
import { hasRecordings, recordings } from '../recordings.ts'
import { of, play, tickerPlan } from './replay-run.ts'

const SET_A = join(recordings, 'binance/demo-20230405-funding')
const a = hasRecordings('replays of set A', SET_A)
const PERP = 'binance:perp:BTC-USDT'

describe.skipIf(!a)('a replay of Binance of 2023-04-05 through the graph of best prices', () => {
  const SPOT = 'binance:spot:BTC-USDT'
  const END = 1_680_653_209_400_000
  const whole = a ? play({ paths: [SET_A], of: tickerPlan }) : undefined

  test('has each best price that the venue printed, trusted one level deep until the recording ends', async () => {
    const played = await whole!
    expect(played.deadLetters).toBe(0)
    expect(played.rows['gap'] ?? []).toEqual([])
    for (const [instrument, printed] of [
      [SPOT, 8015],
      [PERP, 44_205],
    ] as const) {
      expect(of(played, 'ticker', instrument)).toHaveLength(printed)
      const quotes = of(played, 'quote', instrument)
      expect(quotes.at(-1)).toMatchObject({ trust: 'stale', why: 'session down', bid: null, ask: null })
      const trusted = quotes.slice(0, -1).map((row) => [row['trust'], row['trustedDepth'], row['last']])
      expect(trusted).toEqual(of(played, 'ticker', instrument).map((row) => ['live', 1, row['last']]))
    }
  })

  test('has a live basis from the first spot price on, with the funding of the perpetual', async () => {
    const basis = (await whole!).rows['basis']!
    const live = basis.filter((row) => row['state'] === 'live')
    console.info(`set A, best prices: ${live.length} live rows of ${basis.length}`)
    expect(live.length).toBeGreaterThan(900)
    expect(basis.filter((row) => row['state'] !== 'live')).toMatchObject([
      { kind: 'spot-perp', why: 'reference session down', bps: null },
    ])
    const [first, last] = [live[0]!, live.at(-1)!]
    expect(Number(first['received'])).toBe(Number(of(await whole!, 'ticker', SPOT)[0]!['received']))
    expect(END - Number(last['received'])).toBeLessThan(1_000_000)
    expect(last['carryApr']).toBe(last['perpApr'])
    for (const row of live) expect(Math.abs(Number(row['bps']))).toBeLessThan(20)
  })

  test('trusts a best price no longer than its card says while the venue is silent about it', async () => {
    const from = 1_680_652_900_000_000
    const lost = ({ received, source }: Recorded): boolean =>
      source === 'binance.spot' && received > from && received < from + 60_000_000
    const late = ({ received }: Recorded): boolean => received > from + 70_000_000
    const { rows } = await play({ paths: [SET_A], of: tickerPlan, drop: (one) => lost(one) || late(one) })
    const spot = rows['quote']!.filter(({ instrument }) => instrument === SPOT)
    const at = spot.findIndex(({ trust }) => trust === 'stale')
    const [before, stale, after] = [spot[at - 1]!, spot[at]!, spot[at + 1]!]
    expect(stale).toMatchObject({ why: 'silent', bid: null, ask: null, last: before['last'] })
    const waited = Number(stale['received']) - Number(before['received'])
    expect(waited).toBeGreaterThan(15_000_000)
    expect(waited).toBeLessThan(17_000_000)
    expect(after).toMatchObject({ trust: 'live', trustedDepth: 1 })
    const shown = rows['basis']!.map(({ state, why }) => `${String(state)} ${String(why)}`)
    expect(new Set(shown)).toEqual(new Set(['live ', 'withheld reference stale']))
    expect(shown.at(-1)).toBe('live ')
    const told = rows['control']!.map(({ kind }) => kind).filter(
      (kind) => kind === 'stale' || kind === 'live',
    )
    expect(told).toEqual(['stale', 'live'])
  })

  test('has the same rows when it is killed in the middle, and taken up again', async () => {
    const late = ({ received }: Recorded): boolean => received > 1_680_652_810_000_000
    const how = { paths: [SET_A], of: tickerPlan, drop: late }
    const [once, twice] = [await play(how), await play({ ...how, stops: [4000, 7500], killed: true })]
    expect(twice.digest).toBe(once.digest)
    expect(once.rows['basis']!.length).toBeGreaterThan(20)
  })

  test('has the best prices of the book that is proven, at each id that both have', async () => {
    const books = of(await play({ paths: [SET_A] }), 'quote', PERP)
    const printed = new Map(of(await whole!, 'ticker', PERP).map((row) => [row['last'], row]))
    const shared = books.filter((row) => row['trust'] === 'live' && printed.has(row['last']))
    console.info(`set A: ${shared.length} live quotes of the book have a best price of the same id`)
    expect(shared.length).toBeGreaterThan(500)
    for (const row of shared) {
      const { bid, bidSize, ask, askSize } = printed.get(row['last'])!
      expect(row).toMatchObject({ bid, bidSize, ask, askSize })
    }
  })
})
