import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { gap } from '../../market/system.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { LakeReader } from '../../sinks/driver/duckdb.ts'
import { writeLake } from '../market-lake.ts'
import { GAP_ANSWERS, gapCaseRows } from './gap-cases.ts'
import { folders, lakeAt, smallLake } from './lake-small.ts'

const { make: folder, remove } = folders()

let small: LakeReader
let smallRoot: string
beforeAll(async () => {
  smallRoot = folder()
  small = await smallLake(smallRoot)
}, 60_000)
afterAll(() => {
  small.close()
  remove()
})
const rows = async (sql: string) => (await small.query(sql)).rows

describe('the views', () => {
  test('bars add trades up, by venue time and in base assets', async () => {
    const [bar] = await rows(
      "select * from bars(3600) where instrument = 'bybit:perp:SOL-USDT' order by start limit 1",
    )
    const [check] =
      await rows(`select count(*) as trades, sum(size) * 1000 as volume, min(price) / 1000 as low,
      first(price order by time) / 1000 as open, sum(price * size) as turnover from trade
      where instrument = 'bybit:perp:SOL-USDT' and time < '2026-01-05 01:00:00Z'`)
    expect(bar).toMatchObject({ start: '2026-01-05T00:00:00.000000Z', listed: true, trades: 30 })
    expect({ trades: bar!['trades'], volume: bar!['volume'], low: bar!['low'], open: bar!['open'] }).toEqual({
      trades: check!['trades'],
      volume: check!['volume'],
      low: check!['low'],
      open: check!['open'],
    })
    expect(bar!['turnover']).toBeCloseTo(check!['turnover'] as number, 6)
  })

  test('top of book has no price where there is no trust', async () => {
    expect(
      await rows(
        "select instrument, trust, bid, mid from top_of_book where pair = 'BTC-USDT' order by instrument",
      ),
    ).toEqual([
      { instrument: 'binance:perp:BTC-USDT', trust: 'live', bid: 60000, mid: 60003 },
      { instrument: 'bybit:perp:BTC-USDT', trust: 'gap', bid: null, mid: null },
    ])
  })

  test('basis history counts proven rows only, and says how many there were', async () => {
    const [hour] = await rows(
      "select *, bps_low <= bps_mean and bps_mean <= bps_high as ordered from basis_history(3600) where perp = 'binance:perp:BTC-USDT' order by start limit 1",
    )
    expect(hour).toMatchObject({ ordered: true, reference: 'binance:spot:BTC-USDT' })
    expect(hour!['live_share']).toBeCloseTo(59 / 60, 9)
    expect((await rows('select count(*) as n, min(time) = max(time) as same from basis_latest'))[0]).toEqual({
      n: 6,
      same: true,
    })
  })

  test('funding carry compares rates an hour, not rates a period', async () => {
    const sol = await rows(
      "select short, long, carry_apr, round(carry_apr / carry_per_hour) as hours from funding_carry where pair = 'SOL-USDT' order by carry_apr desc limit 1",
    )
    expect(sol[0]).toMatchObject({ short: 'bybit:perp:SOL-USDT', long: 'binance:perp:SOL-USDT', hours: 8760 })
    const eth = await rows(
      "select short, long from funding_carry where pair = 'ETH-USDT' order by short, long",
    )
    expect(eth.map((row) => `${row['short']} ${row['long']}`)).toEqual([
      'binance:perp:ETH-USDT binance:spot:ETH-USDT',
      'bybit:perp:ETH-USDT binance:perp:ETH-USDT',
      'bybit:perp:ETH-USDT binance:spot:ETH-USDT',
    ])
  })

  test('gaps say what healed them, and completeness explains every missing id', async () => {
    expect(await rows('select channel, ids, state from gaps order by channel')).toEqual([
      { channel: 'bookDelta', ids: 6, state: 'healed' },
      { channel: 'trade', ids: 3, state: 'open' },
    ])
    const complete = await rows(
      'select instrument, numbered, present, in_gaps, unexplained from completeness order by instrument',
    )
    expect(complete[0]).toEqual({
      instrument: 'binance:perp:BTC-USDT',
      numbered: 723,
      present: 720,
      in_gaps: 3,
      unexplained: 0,
    })
    expect(complete.find((row) => row['instrument'] === 'bybit:perp:BTC-USDT')).toMatchObject({
      numbered: null,
      unexplained: null,
    })
  })

  test('a hole is healed by what contains it, as on ClickHouse', async () => {
    const root = folder()
    await writeLake(fileStore(root), [[gap, gapCaseRows()]])
    const reader = await LakeReader.open(lakeAt(root))
    const found = (await reader.query('select instrument, state from gaps order by instrument')).rows
    expect(found.map((row) => `${row['instrument']} ${row['state']}`)).toEqual(GAP_ANSWERS)
    reader.close()
  })

  test('freshness and positions are by instrument and by partition', async () => {
    expect(
      await rows("select count(*) as n, min(age_ms) > 0 as aged from freshness where channel = 'trade'"),
    ).toEqual([{ n: 6, aged: true }])
    expect(await rows('select topic, "offset", rows from loaded where "table" = \'trade\'')).toEqual([
      { topic: 'trade', offset: 23, rows: 4320 },
    ])
  })
})
