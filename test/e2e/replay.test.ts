import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { BookDelta } from '../../market/event.ts'
import { cut } from '../../sources/driver/cut.ts'
import { binance } from '../../sources/index.ts'
import type { Recorded } from '../../sources/replay.ts'
import { recorded as printed } from '../operators/recorded.ts'
import { hasRecordings, recordings } from '../recordings.ts'
import { differing, standing } from './replay-quotes.ts'
import { ReferenceBook } from './replay-seed.ts'
import { of, play } from './replay-run.ts'
import type { Played, Row } from './replay-run.ts'

const SET_B = join(recordings, 'binance/demo-20240808-btc')
const SPOT_AND_USDM = join(SET_B, '{spot,usdm}*')
const b = hasRecordings('replays of set B', SET_B)

const SPOT = 'binance:spot:BTC-USDT'
const PERP = 'binance:perp:BTC-USDT'
const OF_PERP = [
  ['trade', PERP],
  ['bookDelta', PERP],
  ['quote', PERP],
  ['candle', PERP],
] as const
const LONG = 180_000
const SECOND = 1_000_000

const idsOf = (rows: readonly Row[]): readonly number[] => rows.map((row) => Number(row['id']))
const until =
  (time: number) =>
  (one: Recorded): boolean =>
    one.received > time
/** Rows as they are, wherever their step was cut. */
const before = (rows: readonly Row[], time: number): readonly Row[] =>
  rows.flatMap((row) => (Number(row['received']) < time ? [{ ...row, _order: 0 }] : []))
const runsOf = (ids: readonly number[]): readonly (readonly [number, number])[] => {
  const runs: [number, number][] = []
  for (const id of ids) {
    const run = runs.at(-1)
    if (run?.[1] === id - 1) run[1] = id
    else runs.push([id, id])
  }
  return runs
}

describe.skipIf(!b)('the recorded spot and futures of August 2024, through the whole graph', () => {
  let whole: Played
  const spot = b ? printed('spot_btcusdt_20240808.gz', 'spot_btcusdt_20240809.gz')! : undefined
  const perp = b ? printed('usdm_btcusdt_20240808.gz')! : undefined
  beforeAll(async () => void (whole = await play({ paths: [SPOT_AND_USDM] })), LONG)

  test.each([
    ['spot', SPOT, 300],
    ['usdm', PERP, 300],
  ] as const)(
    'every live quote of %s equals the best prices that the venue printed at its id',
    (market, instrument, least) => {
      const { tickers } = market === 'spot' ? spot! : perp!
      const states = standing(of(whole, 'bookDelta', instrument), of(whole, 'quote', instrument))
      const { shared, different } = differing(states, tickers)
      console.info(`${market}: ${shared} ids with a live quote and a bookTicker, ${different.length} differ`)
      expect(different).toEqual([])
      expect(shared).toBeGreaterThan(least)
    },
  )

  test('every trade of the recording is in the log once, in order', () => {
    const spots = runsOf(idsOf(of(whole, 'trade', SPOT)))
    expect(spots.map(([first, last]) => last - first + 1)).toEqual([9757 + 10_147])
    const perps = idsOf(of(whole, 'trade', PERP))
    expect(perps).toHaveLength(21_313)
    expect(perps).toEqual([...new Set(perps)].toSorted((one, other) => one - other))
    expect(whole.rows['gap'] ?? []).toEqual([])
    expect(whole.deadLetters).toBe(0)
  })

  test('a venue clock ahead of ours is kept: messages come before they were sent', () => {
    const lags = whole.rows['trade']!.map((row) => Number(row['received']) - Number(row['time']))
    const median = lags.toSorted((one, other) => one - other)[lags.length >> 1]!
    console.info(`received - time: median ${median / 1000} ms`)
    expect(median / SECOND).toBeCloseTo(-1.27, 1)
  })

  test(
    '5,000 lost trades are one gap row with just their ids, and nothing else changes',
    async () => {
      const trades = of(whole, 'trade', SPOT)
      const first = Number(trades[1000]!['id'])
      const hole = { source: binance.spot, channel: 'trade', symbol: 'BTCUSDT', first, last: first + 4999 }
      const end = Number(trades[7000]!['received'])
      const [lost, late] = [cut(hole), until(end)]
      const played = await play({ paths: [SPOT_AND_USDM], drop: (one) => late(one) || lost(one) })
      const gap = { instrument: SPOT, channel: 'trade', first, last: first + 4999 }
      expect(played.rows['gap']).toMatchObject([
        { ...gap, event: 'opened', proof: 'proven', cause: 'lost', repair: 'none' },
      ])
      expect(played.rows['gap']).toHaveLength(1)
      const kept = trades.filter((row) => Number(row['id']) < first || Number(row['id']) > first + 4999)
      expect(before(of(played, 'trade', SPOT), end)).toEqual(before(kept, end))
      const others = [['bookDelta', SPOT], ['quote', SPOT], ...OF_PERP] as const
      for (const [schema, instrument] of others)
        expect(before(of(played, schema, instrument), end)).toEqual(
          before(of(whole, schema, instrument), end),
        )
      // A trade is a sign of life of its connection, so that the ages of legs may differ.
      const prices = (rows: readonly Row[]) => before(rows, end).map((row) => ({ ...row, referenceAgeMs: 0 }))
      expect(prices(played.rows['basis']!)).toEqual(prices(whole.rows['basis']!))
    },
    LONG,
  )

  describe('a hole of 5,000 ids in a book', () => {
    const deltas = spot?.deltas.filter((row) => !row.snapshot) ?? []
    // Messages are lost whole: begin with one, where another ends just before the last of the ids.
    const ends = deltas.map((row) => row.last!)
    const fits = ({ first }: BookDelta): boolean =>
      first! > 50_093_248_000 && ends.some((last) => last <= first! + 4999 && last > first! + 4950)
    const begin = deltas.find(fits)?.first ?? 0
    const ids = { first: begin, last: begin + 4999 }
    const lost = deltas.filter((row) => row.first! >= ids.first && row.last! <= ids.last)
    const missing = { first: lost[0]?.first, last: lost.at(-1)?.last }
    const after = deltas.filter((row) => row.last! > ids.last)
    const found = after[0]?.received ?? 0
    const seeded = after[10] ?? ({ last: 0, received: 0 } as BookDelta)
    const end = seeded.received + 30 * SECOND
    let played: Played
    beforeAll(async () => {
      const dropped = cut({ source: binance.spot, channel: 'book', symbol: 'BTCUSDT', ...ids })
      const book = new ReferenceBook(spot!.deltas, seeded.last!)
      const asked = { source: 'binance.spot', symbol: 'BTCUSDT', limit: 1000 }
      const seed = book.tape({ received: seeded.received + 1, ...asked })
      const late = until(end)
      played = await play({ paths: [SPOT_AND_USDM], drop: (one) => late(one) || dropped(one), extra: [seed] })
    }, LONG)

    test('is one gap row with just the missing ids, and a snapshot heals it', () => {
      const row = { instrument: SPOT, channel: 'bookDelta', proof: 'proven', ...missing, repair: 'seed' }
      expect(played.rows['gap']).toMatchObject([
        { ...row, event: 'opened', received: found },
        { ...row, event: 'healed', received: seeded.received + 1 },
      ])
      expect(played.rows['gap']).toHaveLength(2)
      expect(missing.last! - missing.first! + 1).toBeGreaterThan(4950)
    })

    test('leaves no quote with trust while the book is broken', () => {
      const meanwhile = ({ received }: Row): boolean =>
        Number(received) >= found && Number(received) <= seeded.received
      const broken = of(played, 'quote', SPOT).filter(meanwhile)
      expect(broken.length).toBeGreaterThan(0)
      for (const row of broken)
        expect(row).toMatchObject({ trust: 'gap', bid: null, ask: null, trustedDepth: 0 })
      const withheld = played.rows['basis']!.filter(meanwhile).map((row) => [row['state'], row['bps']])
      expect(withheld).toEqual([['withheld', null]])
    })

    test('leaves a book that is live again after it, and equal to the printed best prices', () => {
      const [rows, quotes] = [of(played, 'bookDelta', SPOT), of(played, 'quote', SPOT)]
      const states = standing(
        rows.filter((row) => Number(row['last']) > seeded.last!),
        quotes,
      )
      const { shared, different } = differing(states, spot!.tickers)
      console.info(
        `after the hole: ${shared} ids with a live quote and a bookTicker, ${different.length} differ`,
      )
      expect(different).toEqual([])
      expect(shared).toBeGreaterThan(20)
      expect(quotes.at(-1)).toMatchObject({ trust: 'live' })
    })

    test('leaves the rows of the other market, and the trades of this one, as they were', () => {
      for (const [schema, instrument] of [['trade', SPOT], ...OF_PERP] as const)
        expect(before(of(played, schema, instrument), end)).toEqual(
          before(of(whole, schema, instrument), end),
        )
    })
  })
})
