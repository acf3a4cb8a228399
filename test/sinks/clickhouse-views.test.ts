import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createViews } from '../../sinks/clickhouse/views.ts'
import { start } from './chdb-start.ts'
import { GAP_ANSWERS, gapCaseRows } from './gap-cases.ts'

const started = await start()
afterAll(() => started?.end())

const BINANCE = 'binance:perp:BTC-USDT'
const SPOT = 'binance:spot:BTC-USDT'
const OKX = 'okx:perp:BTC-USDT'
const PEPE = 'binance:perp:PEPE-USDT'
const INVERSE = 'bybit:perp:BTC-USD:BTC'
const at = (clock: string): string => `2026-03-01 ${clock}`
const venueOf = (instrument: string): string => instrument.split(':')[0]!

describe.skipIf(started === undefined)('views on the embedded ClickHouse (skipped where it cannot run)', () => {
  if (started === undefined) return
  const tables = started.tables()
  const client = started.client()
  const sql = readFileSync(new URL('../../sql/clickhouse/views.sql', import.meta.url), 'utf8')
  let offset = 0
  const insert = (table: string, rows: readonly Readonly<Record<string, unknown>>[]) => {
    const place = { _topic: table, _part: 0, _step: 1, _epoch: 1 }
    const values = rows.map((row, i) => ({ received: row['time'], ...place, _off: offset, _row: i, _order: i, ...row }))
    offset++
    return client.insert({ table, values, format: 'JSONEachRow' })
  }
  const ask = (query: string) => tables.query(query, {})

  beforeAll(async () => {
    await createViews(tables, [], sql)
    const listing = { source: 's', symbol: 'x', settle: 'USDT', contract_size: 1, multiplier: 1, inverse: false, status: 'trading' }
    const listed = (instrument: string, more: object = {}) => {
      const [base, quote] = instrument.split(':')[2]!.split('-')
      const kind = instrument.split(':')[1]
      return { venue: venueOf(instrument), instrument, kind, base, quote, time: at('00:00:00'), ...listing, ...more }
    }
    await insert('instrument', [
      listed(BINANCE), listed(SPOT), listed(PEPE, { multiplier: 10 }), listed(OKX, { contract_size: 0.01 }),
      listed(INVERSE, { contract_size: 100, inverse: true, settle: 'BTC' }),
    ])
    await insert('instrument', [listed(PEPE, { multiplier: 1000, time: at('00:00:01') })])
  })

  test('are all there when they are created again', async () => {
    await createViews(tables, [], sql)
    expect(await ask("SELECT count() AS views FROM system.tables WHERE database = 'kt' AND engine = 'View'")).toEqual([{ views: '12' }])
  })

  test('listing: the newest row of an instrument counts', async () => {
    expect(await ask(`SELECT pair, multiplier FROM listing WHERE instrument = '${PEPE}'`)).toEqual([{ pair: 'PEPE-USDT', multiplier: 1000 }])
  })

  test('bars: of any length, in base assets, in the order of the venue', async () => {
    const trade = (instrument: string, clock: string, price: number, size: number, side = 'buy') =>
      ({ venue: venueOf(instrument), instrument, time: at(clock), id: clock, side, price, size, first: null, last: null })
    await insert('trade', [
      trade(BINANCE, '10:00:59.999999', 103, 4), trade(BINANCE, '10:00:00', 100, 1), trade(BINANCE, '10:00:10', 98, 2, 'sell'),
      trade(BINANCE, '10:01:00', 105, 1), trade(PEPE, '10:00:00', 0.01, 5), trade(OKX, '10:00:00', 100, 300), trade(INVERSE, '10:00:00', 50, 2),
    ])
    expect(await ask(`SELECT * EXCEPT (venue, vwap) FROM bars(seconds = 60) WHERE instrument = '${BINANCE}' ORDER BY start`)).toEqual([
      { instrument: BINANCE, start: at('10:00:00'), open: 100, high: 103, low: 98, close: 103, volume: 7, turnover: 708, buy_volume: 5, trades: '3', listed: 1 },
      { instrument: BINANCE, start: at('10:01:00'), open: 105, high: 105, low: 105, close: 105, volume: 1, turnover: 105, buy_volume: 1, trades: '1', listed: 1 },
    ])
    expect(await ask(`SELECT trades FROM bars(seconds = 3600) WHERE instrument = '${BINANCE}'`)).toEqual([{ trades: '4' }])
    expect(await ask(`SELECT instrument, close, volume, turnover FROM bars(seconds = 60)
      WHERE instrument IN ('${PEPE}', '${OKX}', '${INVERSE}') ORDER BY instrument`)).toEqual([
      { instrument: PEPE, close: 0.00001, volume: 5000, turnover: 0.05 },
      { instrument: INVERSE, close: 50, volume: 4, turnover: 200 },
      { instrument: OKX, close: 100, volume: 3, turnover: 300 },
    ])
  })

  test('top_of_book: the newest quote of each instrument, with its trust', async () => {
    const quote = (instrument: string, clock: string, bid: number | null, more: object = {}) => ({
      venue: venueOf(instrument), instrument, time: at(clock), trust: 'live', why: '', bid, ask: bid === null ? null : bid + 2,
      bid_size: bid === null ? null : 3, ask_size: bid === null ? null : 4, trusted_depth: 20, first: null, last: null, ...more,
    })
    await insert('quote', [
      quote(BINANCE, '10:00:01', 99), quote(BINANCE, '10:00:00', 50), quote(OKX, '10:00:00', 99),
      quote(PEPE, '10:00:00', null, { trust: 'gap', why: 'gap' }),
    ])
    expect(await ask('SELECT pair, instrument, trust, why, bid, ask, bid_size, mid, spread_bps FROM top_of_book ORDER BY instrument')).toEqual([
      { pair: 'BTC-USDT', instrument: BINANCE, trust: 'live', why: '', bid: 99, ask: 101, bid_size: 3, mid: 100, spread_bps: 200 },
      { pair: 'PEPE-USDT', instrument: PEPE, trust: 'gap', why: 'gap', bid: null, ask: null, bid_size: null, mid: null, spread_bps: null },
      { pair: 'BTC-USDT', instrument: OKX, trust: 'live', why: '', bid: 99, ask: 101, bid_size: 0.03, mid: 100, spread_bps: 200 },
    ])
  })

  test('basis: the newest of each two legs, and its history without what was withheld', async () => {
    const basis = (clock: string, state: string, bps: number | null) =>
      ({ pair: 'BTC-USDT', perp: BINANCE, reference: SPOT, kind: 'spot-perp', time: at(clock), state, why: '', bps, net_bps: bps, carry_apr: 0.1 })
    await insert('basis', [basis('10:00:00', 'live', 5), basis('10:00:20', 'withheld', null), basis('10:00:30', 'live', 9), basis('10:00:40', 'live', 7)])
    await insert('basis', [basis('10:01:00', 'withheld', null)])
    expect(await ask('SELECT pair, perp, reference, state, bps FROM basis_latest')).toEqual([
      { pair: 'BTC-USDT', perp: BINANCE, reference: SPOT, state: 'withheld', bps: null },
    ])
    expect(await ask('SELECT start, bps_open, bps_high, bps_low, bps_close, bps_mean, live_share FROM basis_history(seconds = 60) ORDER BY start')).toEqual([
      { start: at('10:00:00'), bps_open: 5, bps_high: 9, bps_low: 5, bps_close: 7, bps_mean: 7, live_share: 0.75 },
      { start: at('10:01:00'), bps_open: null, bps_high: null, bps_low: null, bps_close: null, bps_mean: null, live_share: 0 },
    ])
  })

  test('funding_carry: every dear perpetual against every cheaper leg, spot among them', async () => {
    const funding = (instrument: string, clock: string, apr: number, next: string, kind = 'estimate') => ({
      venue: venueOf(instrument), instrument, time: at(clock), kind, rate: apr / 1095, interval_hours: 8, interval_from: 'venue',
      funding_time: at(next), rate_per_hour: apr / 8760, apr, predicted: null, first: null, last: null,
    })
    await insert('funding', [
      funding(BINANCE, '10:00:00', 0.2, '16:00:00'), funding(BINANCE, '10:00:05', 0.3, '16:00:00'),
      funding(BINANCE, '10:00:06', 0.9, '08:00:00', 'final'), funding(OKX, '10:00:00', 0.1, '12:00:00'),
    ])
    const rows = await ask('SELECT pair, short, long, round(carry_apr, 9) AS carry, short_next, long_next FROM funding_carry ORDER BY carry DESC')
    expect(rows).toEqual([
      { pair: 'BTC-USDT', short: BINANCE, long: SPOT, carry: 0.3, short_next: at('16:00:00.000000'), long_next: null },
      { pair: 'BTC-USDT', short: BINANCE, long: OKX, carry: 0.2, short_next: at('16:00:00.000000'), long_next: at('12:00:00.000000') },
      { pair: 'BTC-USDT', short: OKX, long: SPOT, carry: 0.1, short_next: at('12:00:00.000000'), long_next: null },
    ])
  })

  test('a hole is healed by what contains it, as on the lake', async () => {
    const clock = (micros: number): string => new Date(micros / 1000).toISOString().replace('T', ' ').replace('Z', '')
    await insert('gap', gapCaseRows().map(({ fromTime, toTime, time, received, ...row }) => (
      { ...row, from_time: clock(fromTime), to_time: clock(toTime), time: clock(time), received: clock(received) }
    )))
    const found = await ask("SELECT instrument, state FROM gaps WHERE venue = 'cases' ORDER BY instrument")
    expect(found.map((row) => `${row['instrument']} ${row['state']}`)).toEqual(GAP_ANSWERS)
  })

  test('gaps and completeness: what a venue numbered is here, or in an open gap, or unexplained', async () => {
    const gap = (clock: string, event: string, ids: readonly [number, number] | null, channel = 'trade') => ({
      venue: 'deribit', instrument: 'deribit:perp:BTC-USD', channel, event, proof: ids === null ? 'possible' : 'proven',
      first: ids?.[0] ?? null, last: ids?.[1] ?? null, from_time: at(clock), to_time: at(clock), cause: 'lost', repair: 'backfill', time: at(clock),
    })
    await insert('gap', [
      gap('10:00:00', 'opened', [4, 5]), gap('10:00:01', 'opened', [8, 8]), gap('10:00:02', 'opened', null),
      gap('10:00:03', 'opened', [7, 90], 'bookDelta'), gap('10:00:09', 'healed', [4, 5]), gap('10:00:09', 'healed', null, 'bookDelta'),
    ])
    const gaps = await ask("SELECT channel, proof, first, ids, state, healed FROM gaps WHERE venue = 'deribit' ORDER BY opened")
    expect(gaps).toEqual([
      { channel: 'trade', proof: 'proven', first: '4', ids: '2', state: 'healed', healed: at('10:00:09.000000') },
      { channel: 'trade', proof: 'proven', first: '8', ids: '1', state: 'open', healed: null },
      { channel: 'trade', proof: 'possible', first: null, ids: null, state: 'open', healed: null },
      { channel: 'bookDelta', proof: 'proven', first: '7', ids: '84', state: 'healed', healed: at('10:00:09.000000') },
    ])
    const trade = (first: number, last: number) => ({
      venue: 'deribit', instrument: 'deribit:perp:BTC-USD', time: at('10:00:00'), id: '', side: 'buy', price: 1, size: 1, first, last,
    })
    await insert('trade', [trade(1, 3), trade(4, 5), trade(6, 6), trade(7, 7), trade(10, 10)])
    expect(await ask("SELECT * EXCEPT (instrument) FROM completeness WHERE venue = 'deribit'")).toEqual([{
      venue: 'deribit', rows: '5', first_id: '1', last_id: '10', numbered: '10', present: '8', in_gaps: '1', unexplained: '1', possible_gaps: '1',
    }])
    expect(await ask(`SELECT rows, first_id, in_gaps, unexplained FROM completeness WHERE instrument = '${PEPE}'`)).toEqual([
      { rows: '1', first_id: null, in_gaps: null, unexplained: null },
    ])
  })

  test('freshness and loaded: how old, and how far', async () => {
    const [row] = await ask(`SELECT newest, age_ms FROM freshness WHERE instrument = '${BINANCE}' AND channel = 'trade'`)
    expect(row?.['newest']).toBe(at('10:01:00.000000'))
    expect(row?.['age_ms']).toBeGreaterThan(0)
    expect(await ask("SELECT * FROM loaded WHERE table = 'basis'")).toEqual([
      { table: 'basis', topic: 'basis', partition: 0, offset: expect.any(String), rows: '5' },
    ])
  })
})
