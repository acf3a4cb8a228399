import { describe, expect, test } from 'vitest'
import type { Candle, Trade } from '../../market/event.ts'
import type { Control } from '../../market/system.ts'
import { bars } from '../../operators/bars.ts'
import type { BarOptions } from '../../operators/bars.ts'
import { drive } from '../drive.ts'
import { MIDNIGHT, SECOND, control, tick, trade } from './rows.ts'
import { randomOf } from '../random.ts'

const at = (seconds: number): number => MIDNIGHT + seconds * SECOND

/** It dies and comes back before each row. */
const minutes = (options?: BarOptions) => {
  const one = drive(bars('1m', options), 'binance:spot:BTC-USDT')
  return (...rows: readonly (Trade | Control)[]): Candle[] =>
    rows.flatMap((row) => {
      one.restart()
      return [...one.all<Candle>('candle', 'kind' in row ? 'control' : 'trade', [row])]
    })
}
const line = ({ start, open, high, low, close, volume, revision }: Candle): string =>
  `${(start - MIDNIGHT) / SECOND}: ${open} ${high} ${low} ${close} ${volume} r${revision}`

describe('a bar', () => {
  test('adds up the trades of its minute, by the clock of the venue', () => {
    const feed = minutes()
    const [bar] = feed(
      trade(1, at(0), 100, 2),
      trade(2, at(10), 105, 1, { side: 'sell' }),
      trade(3, at(59.999999), 95, 1),
      trade(4, at(60), 99, 1),
      trade(5, at(62), 99, 1),
    )
    expect(bar).toEqual({
      venue: 'binance',
      instrument: 'binance:spot:BTC-USDT',
      time: at(60),
      received: at(62),
      first: 1,
      last: 3,
      frame: '1m',
      start: at(0),
      open: 100,
      high: 105,
      low: 95,
      close: 95,
      volume: 4,
      turnover: 400,
      buyVolume: 3,
      trades: 3,
      revision: 0,
    })
  })

  test('waits for late trades, and is closed by a tick as well', () => {
    const feed = minutes()
    expect(
      feed(trade(1, at(30), 100, 1), tick(at(61)), trade(3, at(61), 90, 1), trade(2, at(59), 101, 1)),
    ).toEqual([])
    expect(feed(control('alive', { time: at(99) }), tick(at(61.9)))).toEqual([])
    expect(feed(tick(at(62))).map(line)).toEqual(['0: 100 101 100 101 2 r0'])
    expect(feed(tick(at(63)), tick(at(64)))).toEqual([])
  })

  test('opens and closes with its first and last trade, in whatever order they came', () => {
    const feed = minutes()
    feed(
      trade(2, at(20), 102, 1),
      trade(1, at(10), 101, 1),
      trade(4, at(40), 104, 1),
      trade(3, at(40), 103, 1),
      trade(5, at(30), 1, 1),
    )
    expect(feed(tick(at(90))).map(line)).toEqual(['0: 101 104 1 104 5 r0'])
  })

  test('is revised by each trade that comes too late for it, while it is one of the last', () => {
    const feed = minutes({ keptMax: 2 })
    feed(trade(1, at(0), 100, 1), tick(at(70)), trade(3, at(70), 90, 1), tick(at(130)))
    expect(feed(trade(2, at(50), 110, 1), trade(4, at(100), 80, 1)).map(line)).toEqual([
      '0: 100 110 100 110 2 r1',
      '60: 90 90 80 80 2 r1',
    ])
    expect(feed(trade(5, at(130), 70, 1), tick(at(190))).map(line)).toEqual(['120: 70 70 70 70 1 r0'])
    expect(feed(trade(6, at(51), 1, 1), trade(7, at(101), 1, 1)).map(line)).toEqual(['60: 90 90 1 1 3 r2'])
  })

  test('is not made of nothing', () => {
    const feed = minutes()
    expect(
      feed(trade(1, at(0), 100, 1), tick(at(600)), trade(2, at(600), 100, 1), tick(at(700))).map(line),
    ).toEqual(['0: 100 100 100 100 1 r0', '600: 100 100 100 100 1 r0'])
  })

  test('begins on the hour, half-day or day in UTC', () => {
    const day = drive(bars('1d'), 'x')
    day.feed('trade', trade(1, at(5_000), 1, 1))
    expect(day.all<Candle>('candle', 'control', [tick(at(86_402))])).toMatchObject([
      { start: MIDNIGHT, time: at(86_400), frame: '1d' },
    ])
  })
})

test('bars are the same sums in whatever order trades come, once all have come', () => {
  for (let seed = 0; seed < 60; seed++) {
    const random = randomOf(seed)
    const trades = Array.from({ length: 80 }, (_, id) =>
      trade(id, at(id * 3), 100 + random(50), 1 + random(5), { side: random(2) === 0 ? 'buy' : 'sell' }),
    )
    const shuffled = trades
      .map((row) => [row, row.time + random(100 * SECOND)] as const)
      .sort(([, a], [, b]) => a - b)
      .map(([row]) => row)
    const last = (rows: readonly Trade[]): readonly object[] => {
      const newest = new Map(minutes({ keptMax: 10 })(...rows, tick(at(900))).map((bar) => [bar.start, bar]))
      return [...newest.values()]
        .sort((a, b) => a.start - b.start)
        .map(({ revision: _, received: __, ...bar }) => bar)
    }
    expect(last(shuffled)).toEqual(last(trades))
  }
})

test.each(['7m', '0m', '1.5h', 'm', '2d', '25h'])('a bar of %s is refused', (frame) => {
  expect(() => bars(frame as '1m')).toThrow(`"${frame}" is no length of a bar`)
})

test('options that mean nothing are refused', () => {
  expect(() => bars('1m', { latenessMs: -1 })).toThrow('latenessMs of -1')
  expect(() => bars('1m', { keptMax: 0 })).toThrow('keptMax of 0')
})
