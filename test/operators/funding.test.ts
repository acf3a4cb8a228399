import { describe, expect, test } from 'vitest'
import type { Funding, FundingInterval, Mark } from '../../market/event.ts'
import { fundingRate } from '../../operators/funding.ts'
import { drive } from '../drive.ts'
import { MIDNIGHT, SECOND, mark } from './rows.ts'

const HOUR = 3_600 * SECOND
const at = (hours: number, seconds = 0): number => MIDNIGHT + hours * HOUR + seconds * SECOND

const every = (hours: number, time: number): FundingInterval => ({
  venue: 'binance',
  instrument: 'binance:perp:BTC-USDT',
  time,
  received: time,
  first: null,
  last: null,
  hours,
})

/** One line a row: `estimate 0.0001 for 8 h (venue) to 8`. It dies and comes back before each row. */
const rates = () => {
  const one = drive(fundingRate(), 'binance:perp:BTC-USDT')
  const rows = (...events: readonly (Mark | FundingInterval)[]): Funding[] =>
    events.flatMap((event) => {
      one.restart()
      return [...one.all<Funding>('funding', 'hours' in event ? 'fundingInterval' : 'mark', [event])]
    })
  const lines = (...events: readonly (Mark | FundingInterval)[]): string[] => rows(...events).map(line)
  return { rows, lines }
}
const line = ({ kind, rate, intervalHours, intervalFrom, fundingTime }: Funding): string =>
  `${kind} ${rate} for ${intervalHours} h (${intervalFrom}) to ${(fundingTime - MIDNIGHT) / HOUR}`

describe('a funding rate', () => {
  test('is given by the hour and by the year, for the interval that the venue says', () => {
    const [eight] = rates().rows(every(8, at(1)), mark(at(1), 0.0001, at(8)))
    expect(eight).toMatchObject({
      kind: 'estimate',
      rate: 0.0001,
      intervalHours: 8,
      intervalFrom: 'venue',
      fundingTime: at(8),
      predicted: null,
    })
    expect(eight!.ratePerHour).toBeCloseTo(0.0000125, 12)
    expect(eight!.apr).toBeCloseTo(0.1095, 10)
    const [one] = rates().rows(every(1, at(1)), mark(at(1), 0.0001, at(2)))
    expect(one!.apr).toBeCloseTo(0.876, 10)
  })

  test('is not given without an interval, which is never guessed', () => {
    expect(rates().lines(mark(at(1), 0.0001, at(8)), mark(at(2), 0.0002, at(8)))).toEqual([])
  })

  test('is given as soon as the venue says the interval', () => {
    expect(rates().lines(mark(at(1), 0.0001, at(8)), every(8, at(2)))).toEqual([
      'estimate 0.0001 for 8 h (venue) to 8',
    ])
  })

  test('is an estimate when the rate, the end or the interval changes, and not with every mark price', () => {
    expect(
      rates().lines(
        every(8, at(1)),
        mark(at(1), 1e-4, at(8)),
        mark(at(1, 1), 1e-4, at(8)),
        mark(at(1, 2), 2e-4, at(8)),
        every(8, at(2)),
        every(4, at(2)),
      ),
    ).toEqual([
      'estimate 0.0001 for 8 h (venue) to 8',
      'estimate 0.0002 for 8 h (venue) to 8',
      'estimate 0.0002 for 4 h (venue) to 8',
    ])
  })

  test('of a symbol that is no longer listed is not one', () => {
    expect(
      rates().lines(every(8, at(1)), mark(at(1), 0, 0), mark(at(1), null, at(8)), mark(at(1), 0.1, null)),
    ).toEqual([])
  })

  test('keeps its end where the venue jitters by milliseconds', () => {
    expect(
      rates().lines(every(8, at(1)), mark(at(1), 1e-4, at(8) + 1_000), mark(at(2), 1e-4, at(8) - 3_000)),
    ).toEqual(['estimate 0.0001 for 8 h (venue) to 8'])
  })
})

describe('the end of a period', () => {
  test('makes its last estimate final, with the first one that was seen', () => {
    const made = rates().rows(
      every(8, at(1)),
      mark(at(1), 1e-4, at(8)),
      mark(at(7, 3_599), 3e-4, at(8)),
      mark(at(8, 1), 5e-4, at(16)),
    )
    expect(made.map(line)).toEqual([
      'estimate 0.0001 for 8 h (venue) to 8',
      'estimate 0.0003 for 8 h (venue) to 8',
      'final 0.0003 for 8 h (venue) to 8',
      'estimate 0.0005 for 8 h (venue) to 16',
    ])
    expect(made[2]).toMatchObject({ predicted: 1e-4, time: at(8, 1) })
  })

  test('makes nothing final when the last estimate was long before it', () => {
    expect(rates().lines(every(8, at(1)), mark(at(7), 1e-4, at(8)), mark(at(8, 1), 5e-4, at(16)))).toEqual([
      'estimate 0.0001 for 8 h (venue) to 8',
      'estimate 0.0005 for 8 h (venue) to 16',
    ])
  })

  test('shows the interval of the next one', () => {
    expect(
      rates().lines(
        mark(at(7, 3_599), 1e-4, at(8)),
        mark(at(8, 1), 2e-4, at(12) + 1_000),
        mark(at(11, 3_599), 3e-4, at(12)),
        mark(at(12, 1), 4e-4, at(16)),
      ),
    ).toEqual([
      'final 0.0001 for 4 h (next) to 8',
      'estimate 0.0002 for 4 h (observed) to 12',
      'estimate 0.0003 for 4 h (observed) to 12',
      'final 0.0003 for 4 h (observed) to 12',
      'estimate 0.0004 for 4 h (observed) to 16',
    ])
  })

  test('is final for the interval of the next one, where nobody said its own', () => {
    const before = [mark(at(1), 1e-4, at(8)), mark(at(7, 3_599), 2e-4, at(8))]
    expect(rates().lines(...before, mark(at(8, 1), 3e-4, at(16)))).toEqual([
      'final 0.0002 for 8 h (next) to 8',
      'estimate 0.0003 for 8 h (observed) to 16',
    ])
  })

  test('is not final for the interval of the next one where it was seen to run for longer', () => {
    const before = [mark(at(1), 1e-4, at(8)), mark(at(7, 3_599), 2e-4, at(8))]
    expect(rates().lines(...before, mark(at(8, 1), 3e-4, at(12)))).toEqual([
      'estimate 0.0003 for 4 h (observed) to 12',
    ])
    const moved = [mark(at(1), 1e-4, at(12)), ...before.slice(1)]
    expect(rates().lines(...moved, mark(at(8, 1), 3e-4, at(12)))).toEqual([
      'estimate 0.0003 for 4 h (observed) to 12',
    ])
  })

  test('shows nothing when periods in between may have been missed', () => {
    expect(rates().lines(mark(at(7, 3_599), 1e-4, at(8)), mark(at(10), 2e-4, at(16)))).toEqual([])
  })

  test('shows nothing where the difference is not whole hours', () => {
    expect(rates().lines(mark(at(7, 3_599), 1e-4, at(8)), mark(at(8, 1), 2e-4, at(9.5)))).toEqual([])
  })

  test('counts more than a list of the venue that has not caught up', () => {
    expect(
      rates().lines(
        every(8, at(1)),
        mark(at(7), 1e-4, at(8)),
        mark(at(8, 1), 1e-4, at(12)),
        every(4, at(9)),
        mark(at(9), 2e-4, at(12)),
      ),
    ).toEqual([
      'estimate 0.0001 for 8 h (venue) to 8',
      'estimate 0.0001 for 4 h (observed) to 12',
      'estimate 0.0002 for 4 h (venue) to 12',
    ])
  })
})

describe('an interval that changes before its period ends', () => {
  test('is taken from the list where the list changed first', () => {
    expect(
      rates().lines(every(8, at(1)), mark(at(1), 1e-4, at(8)), every(4, at(2)), mark(at(2), 1e-4, at(4))),
    ).toEqual([
      'estimate 0.0001 for 8 h (venue) to 8',
      'estimate 0.0001 for 4 h (venue) to 8',
      'estimate 0.0001 for 4 h (venue) to 4',
    ])
  })

  test('is unknown once the end has moved until the list says it again, and nothing is final', () => {
    expect(
      rates().lines(
        every(8, at(1)),
        mark(at(1), 1e-4, at(8)),
        mark(at(2), 1e-4, at(4)),
        mark(at(2, 1), 2e-4, at(4)),
        every(4, at(3)),
      ),
    ).toEqual(['estimate 0.0001 for 8 h (venue) to 8', 'estimate 0.0002 for 4 h (venue) to 4'])
  })
})
