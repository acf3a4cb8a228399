import { describe, expect, test } from 'vitest'
import type { Frame } from '../../graph/source.ts'
import { Meter } from '../../runtime/meter.ts'

const SECOND = 1_000_000
const frame = (source: string, channel: string, received: number): Frame<never> =>
  ({ source, channel, received }) as Frame<never>
const row = (time: number, received: number, more: object = {}) => ({
  instrument: 'binance:spot:BTC-USDT',
  time,
  received,
  ...more,
})

describe('the hop ledger', () => {
  test('names sources and channels as the graph does, from the venue to the rows, and steps by themselves', () => {
    const { report, hops } = bound(new Meter())
    for (const late of [1000, 3000]) {
      report.row('trade', row(4 * SECOND, 4 * SECOND + late))
      report.row('trade', row(0, 4 * SECOND + late))
      report.frame(frame('binance.spot', 'trade', 4 * SECOND + late), 5 * SECOND)
    }
    report.row('bookDelta', row(4 * SECOND, 4 * SECOND - 20))
    report.frame(frame('binance.usdm', 'book', 5 * SECOND - 7), 5 * SECOND)
    report.durable({ rows: 3, bytes: 1, us: 900 })
    expect(hops(6 * SECOND)).toEqual([
      line('binance.spot', 'trade', 'venue', 2, 3000, 3000),
      line('binance.spot', 'trade', 'normalize', 2, 999_000, 999_000),
      line('binance.usdm', 'book', 'venue', 1, -20, -20),
      line('binance.usdm', 'book', 'normalize', 1, 7, 7),
      line('', '', 'log', 1, 900, 900),
    ])
    expect(hops(7 * SECOND)).toEqual([])
  })

  test('takes no answer over REST, and no row of our own, for a message of the venue', () => {
    const { report, hops } = bound(new Meter())
    report.row('bookDelta', row(1, 9, { origin: 'rest' }))
    report.row('quote', row(1, 9, { trust: 'live' }))
    report.row('ticker', row(9, 9))
    report.frame(frame('binance.spot', 'book', 4), 10)
    expect(hops(SECOND)).toEqual([{ ...line('binance.spot', 'book', 'normalize', 1, 6, 6), time: SECOND }])
  })
})

describe('the count of compared legs', () => {
  test('tells rows with prices from those without, by the reason', () => {
    const { report, meter } = bound(new Meter())
    const states = [
      ['live', ''],
      ['withheld', 'perp gap'],
      ['withheld', 'perp gap'],
      ['withheld', 'reference stale'],
    ] as const
    for (const [state, why] of states) report.row('basis', row(0, 0, { state, why }))
    expect(meter.status().basis).toEqual({ live: 1, withheld: { 'perp gap': 2, 'reference stale': 1 } })
  })
})

const bound = (meter: Meter) => ({ meter, report: meter.report, hops: (time: number) => meter.hops(time) })
const line = (source: string, channel: string, hop: string, count: number, p50Us: number, maxUs: number) => ({
  source,
  channel,
  hop,
  time: 6 * SECOND,
  count,
  p50Us,
  p99Us: maxUs,
  maxUs,
})
