import { describe, expect, test } from 'vitest'
import { ticker as tickers } from '../../market/event.ts'
import type { Quote, Ticker } from '../../market/event.ts'
import type { Control, Gap } from '../../market/system.ts'
import { sequence } from '../../operators/sequence.ts'
import { topOfBook } from '../../operators/ticker.ts'
import { drive } from '../drive.ts'
import { MIDNIGHT, SECOND, control, listing } from './rows.ts'

const SPOT = 'binance:spot:BTC-USDT'
const at = (seconds: number): number => MIDNIGHT + seconds * SECOND
const ticker = (
  last: number,
  seconds: number,
  bid: number | null,
  ask: number | null,
  more: Partial<Ticker> = {},
): Ticker => ({
  venue: 'binance',
  instrument: SPOT,
  time: at(seconds),
  received: at(seconds),
  first: null,
  last,
  bid,
  bidSize: bid === null ? null : 1,
  ask,
  askSize: ask === null ? null : 1,
  ...more,
})
const told = (kind: Control['kind'], seconds: number, more: Partial<Control> = {}): Control =>
  control(kind, {
    channel: 'ticker',
    source: 'binance.spot',
    time: at(seconds),
    received: at(seconds),
    ...more,
  })

/** One line a quote: `1 live 99/101 deep 1`. It dies and comes back before each row. */
const lines = (...rows: readonly (Ticker | Control)[]): string[] => {
  const one = drive(topOfBook(), SPOT)
  one.feed('instrument', listing(SPOT))
  return rows.flatMap((row) => {
    one.restart()
    const quotes = one.all<Quote>('quote', 'kind' in row ? 'control' : 'ticker', [row])
    return quotes.map(
      ({ last, trust, why, bid, ask, trustedDepth, received }) =>
        `${(received - MIDNIGHT) / SECOND} s: ${last} ${why || trust} ${bid}/${ask} deep ${trustedDepth}`,
    )
  })
}

describe('a quote of the best prices that a venue prints', () => {
  test('is trusted one level deep, and follows when a price or a size changes', () => {
    expect(
      lines(
        ticker(1, 0, 99, 101),
        ticker(2, 0.1, 99, 101),
        ticker(3, 0.2, 99, 101, { askSize: 2 }),
        ticker(4, 0.3, 98, 101),
      ),
    ).toEqual(['0 s: 1 live 99/101 deep 1', '0.2 s: 3 live 99/101 deep 1', '0.3 s: 4 live 98/101 deep 1'])
  })

  test('follows as a sign of life after a second without one', () => {
    const same = [0, 0.5, 1, 1.5].map((seconds, id) => ticker(id, seconds, 99, 101))
    expect(lines(...same)).toEqual(['0 s: 0 live 99/101 deep 1', '1 s: 2 live 99/101 deep 1'])
  })

  test('shows life in the same way where the venue gives no ids', () => {
    const same = [0, 0.5, 1, 1.5].map((seconds) => ticker(0, seconds, 99, 101, { last: null }))
    expect(lines(...same)).toEqual(['0 s: null live 99/101 deep 1', '1 s: null live 99/101 deep 1'])
  })

  test('has no prices on a side that is empty', () => {
    expect(lines(ticker(1, 0, null, 101))).toEqual(['0 s: 1 live null/101 deep 1'])
  })

  test('has no prices, and no trust, when the bid is not below the ask', () => {
    expect(lines(ticker(1, 0, 101, 101), ticker(2, 1, 99, 101))).toEqual([
      '0 s: 1 crossed null/null deep 0',
      '1 s: 2 live 99/101 deep 1',
    ])
  })

  test.each([
    ['down', 'session down'],
    ['start', 'restarted'],
    ['drop', 'frames dropped'],
    ['stale', 'silent'],
  ] as const)('is stale after "%s", and only another message heals it', (kind, why) => {
    const well = (['up', 'live', 'alive', 'tick'] as const).map((one) => told(one, 3))
    expect(
      lines(ticker(1, 0, 99, 101), told(kind, 2), told('down', 2.5), ...well, ticker(2, 4, 99, 101)),
    ).toEqual(['0 s: 1 live 99/101 deep 1', `2 s: 1 ${why} null/null deep 0`, '4 s: 2 live 99/101 deep 1'])
  })

  test('is not doubted for other channels, other sources, or another instrument', () => {
    const others = [
      told('down', 1, { channel: 'book' }),
      told('down', 1, { source: 'binance.usdm' }),
      told('down', 1, { instrument: 'binance:spot:ETH-USDT' }),
    ]
    expect(lines(ticker(1, 0, 99, 101), ...others)).toHaveLength(1)
  })

  test('is not made before the venue has said a price', () => {
    expect(lines(told('up', 0), told('down', 1))).toEqual([])
  })
})

describe('ids that only say what is newer', () => {
  const fed = (...rows: readonly (Ticker | Control)[]) => {
    const one = drive(sequence(tickers), SPOT)
    one.feed('instrument', listing(SPOT))
    const made = rows.flatMap((row) => {
      one.restart()
      return one.feed('kind' in row ? 'control' : 'ticker', row)
    })
    return {
      ids: made.flatMap(({ schema, row }) => (schema === 'ticker' ? [row['last']] : [])),
      gaps: made.flatMap(({ schema, row }) => (schema === 'gap' ? [row as unknown as Gap] : [])),
    }
  }

  test('leave no holes when they jump', () => {
    expect(fed(ticker(5, 0, 1, 2), ticker(90, 1, 1, 2))).toEqual({ ids: [5, 90], gaps: [] })
  })

  test('drop what was overtaken, and what is said again', () => {
    const again = ticker(9, 1, 1, 2)
    expect(fed(again, ticker(8, 1.01, 1, 3), again, ticker(10, 1.02, 1, 4))).toEqual({
      ids: [9, 10],
      gaps: [],
    })
  })

  test('pass when the venue says the same id at a later time', () => {
    expect(fed(ticker(9, 1, 1, 2), ticker(9, 4, 1, 2)).ids).toEqual([9, 9])
  })

  test('begin anew when an older one comes later, with a possible gap', () => {
    const { ids, gaps } = fed(ticker(900, 1, 1, 2), ticker(1, 3, 1, 2), ticker(2, 4, 1, 2))
    expect(ids).toEqual([900, 1, 2])
    expect(gaps).toMatchObject([{ proof: 'possible', first: null, cause: 'venue', channel: 'ticker' }])
  })

  test('leave a possible gap where the session was interrupted', () => {
    const { ids, gaps } = fed(ticker(1, 1, 1, 2), told('down', 2), ticker(7, 5, 1, 2))
    expect(ids).toEqual([1, 7])
    expect(gaps).toMatchObject([{ proof: 'possible', cause: 'disconnect', fromTime: at(1), toTime: at(5) }])
  })
})
