import { describe, expect, test } from 'vitest'
import { bookDelta, mark as marks, trade as trades } from '../../market/event.ts'
import type { BookDelta, Mark, Trade } from '../../market/event.ts'
import type { Gap } from '../../market/system.ts'
import { sequence } from '../../operators/sequence.ts'
import { drive } from '../drive.ts'
import type { Driven } from '../drive.ts'
import { MIDNIGHT, SECOND, control, delta, listing, mark, snapshot, trade, whole } from './rows.ts'

const SPOT = 'binance:spot:BTC-USDT'
const traded = (...rows: readonly [id: number, time: number][]): Trade[] =>
  rows.map(([id, time]) => trade(id, time, 100, 1))
const passed = (one: Driven, rows: readonly Trade[]): number[] =>
  one.all<Trade>('trade', 'trade', rows).map(({ first }) => first!)
const gaps = (one: Driven, input: string, rows: readonly object[]): Gap[] => [
  ...one.all<Gap>('gap', input, rows),
]
/** A trade of Bybit has an id that is not a number. */
const bybit = (id: string, time: number): Trade =>
  trade(0, time, 100, 1, { id, first: null, last: null, instrument: 'bybit:spot:BTC-USDT' })

describe('numbered rows', () => {
  test('each pass once, whatever is repeated, also after a restart', () => {
    const one = drive(sequence(trades), SPOT)
    expect(passed(one, traded([1, 1], [2, 2], [2, 2], [1, 1], [3, 3]))).toEqual([1, 2, 3])
    one.restart()
    expect(passed(one, traded([2, 2], [3, 3], [4, 4]))).toEqual([4])
  })

  test('that leave a hole make one proven gap with the missing ids, and go on', () => {
    const one = drive(sequence(trades), SPOT)
    passed(one, traded([10, SECOND]))
    one.restart()
    expect(one.feed('trade', trade(14, 3 * SECOND, 100, 1)).map(({ schema }) => schema)).toEqual([
      'gap',
      'trade',
    ])
    expect(gaps(one, 'trade', traded([16, 4 * SECOND]))).toMatchObject([
      {
        venue: 'binance',
        instrument: SPOT,
        channel: 'trade',
        event: 'opened',
        proof: 'proven',
        first: 15,
        last: 15,
        fromTime: 3 * SECOND,
        toTime: 4 * SECOND,
        cause: 'lost',
        repair: 'none',
      },
    ])
  })

  test('of a book are repaired by a seed', () => {
    const one = drive(sequence(bookDelta), SPOT)
    expect(gaps(one, 'bookDelta', [delta(1, 5, {}, {}), delta(9, 12, {}, {})])).toMatchObject([
      { first: 6, last: 8, repair: 'seed' },
    ])
  })

  test('say what happened before the hole, and forget it once a row continues', () => {
    const one = drive(sequence(trades), SPOT)
    const cause = (kinds: Parameters<typeof control>[0][], id: number): string[] => {
      for (const kind of kinds) one.feed('control', control(kind))
      return gaps(one, 'trade', traded([id, id])).map((row) => row.cause)
    }
    passed(one, traded([1, 1]))
    expect(cause(['down', 'up'], 3)).toEqual(['disconnect'])
    expect(cause(['drop'], 5)).toEqual(['dropped'])
    expect(cause(['start', 'up'], 7)).toEqual(['restart'])
    one.feed('control', control('down'))
    one.restart()
    expect(cause([], 9)).toEqual(['disconnect'])
    expect(cause(['down', 'up'], 10)).toEqual([])
    expect(cause(['tick'], 12)).toEqual(['lost'])
  })

  test('are not concerned by the sessions of other sources and channels', () => {
    const one = drive(sequence(trades), SPOT)
    one.feed('instrument', listing(SPOT))
    one.restart()
    passed(one, traded([1, 1]))
    one.feed('control', control('down', { source: 'binance.usdm' }))
    one.feed('control', control('down', { source: 'binance.spot', channel: 'book' }))
    expect(gaps(one, 'trade', traded([3, 3]))).toMatchObject([{ cause: 'lost' }])
  })

  test('that begin a new numbering are let through, with a possible gap', () => {
    const one = drive(sequence(trades), SPOT)
    passed(one, traded([500, 10 * SECOND], [501, 11 * SECOND]))
    one.restart()
    expect(gaps(one, 'trade', traded([1, 20 * SECOND]))).toMatchObject([
      {
        proof: 'possible',
        first: null,
        last: null,
        fromTime: 11 * SECOND,
        toTime: 20 * SECOND,
        cause: 'venue',
      },
    ])
    expect(passed(one, traded([1, 20 * SECOND], [2, 20 * SECOND], [3, 21 * SECOND]))).toEqual([2, 3])
  })

  test('of a second connection that is behind the first are repeats, also after a reconnect', () => {
    const one = drive(sequence(trades), SPOT)
    passed(one, traded([500, 10 * SECOND], [501, 11 * SECOND]))
    for (const kind of ['down', 'up', 'start'] as const) one.feed('control', control(kind))
    expect(one.feed('trade', trade(500, 10 * SECOND, 100, 1))).toEqual([])
    expect(one.feed('trade', trade(501, 11 * SECOND + 900_000, 100, 1))).toEqual([])
    expect(one.feed('trade', trade(500, 11 * SECOND + 900_000, 100, 1))).toEqual([])
  })
})

describe('snapshots of a book', () => {
  const book = (rows: readonly BookDelta[]) => {
    const one = drive(sequence(bookDelta), SPOT)
    const made = rows.flatMap((row, i) => {
      if (i === 1) one.restart()
      return one.feed('bookDelta', row)
    })
    return made.map(({ schema, row }) =>
      schema === 'gap' ? `gap ${row['first']}-${row['last']}` : `${row['first']}-${row['last']}`,
    )
  }

  test('that were asked for over REST do not move the numbering', () => {
    expect(
      book([
        delta(1, 5, {}, {}),
        snapshot(100, {}, {}),
        delta(6, 9, {}, {}),
        snapshot(3, {}, {}),
        delta(10, 10, {}, {}),
      ]),
    ).toEqual(['1-5', '100-100', '6-9', '3-3', '10-10'])
  })

  test('within the stream take it over, and prove the hole before them', () => {
    expect(
      book([whole(10, {}, {}), delta(11, 11, {}, {}), whole(20, {}, {}), delta(21, 21, {}, {})]),
    ).toEqual(['10-10', '11-11', 'gap 12-19', '20-20', '21-21'])
  })

  test('within the stream begin a new numbering where the venue restarted', () => {
    const later = { time: MIDNIGHT + 60 * SECOND }
    expect(
      book([
        whole(900, {}, {}),
        whole(1, {}, {}, later),
        delta(2, 2, {}, {}, later),
        delta(4, 4, {}, {}, later),
      ]),
    ).toEqual(['900-900', 'gap null-null', '1-1', '2-2', 'gap 3-3', '4-4'])
  })

  test('within the stream that are older than it, from another connection, are repeats', () => {
    expect(
      book([whole(10, {}, {}), delta(11, 11, {}, {}), whole(10, {}, {}), delta(12, 12, {}, {})]),
    ).toEqual(['10-10', '11-11', '12-12'])
  })

  test('within the stream are let through again at the same id: a broken book waits for one', () => {
    expect(book([whole(10, {}, {}), whole(10, {}, {}), delta(11, 11, {}, {})])).toEqual([
      '10-10',
      '10-10',
      '11-11',
    ])
  })
})

describe('rows with an id that is not a number', () => {
  test('each pass once', () => {
    const one = drive(sequence(trades), 'bybit:spot:BTC-USDT')
    const ids = (rows: Trade[]) => one.all<Trade>('trade', 'trade', rows).map(({ id }) => id)
    expect(ids([bybit('a', 1), bybit('b', 1), bybit('a', 1)])).toEqual(['a', 'b'])
    one.restart()
    expect(ids([bybit('b', 1), bybit('c', 1)])).toEqual(['c'])
  })

  test('are remembered 1,000 at a time, so the state stays small', () => {
    const one = drive(sequence(trades), 'bybit:spot:BTC-USDT')
    const fed = (id: number) => one.feed('trade', bybit(`id-${id}`, id)).length
    for (let id = 0; id < 5_000; id++) expect(fed(id)).toBe(1)
    one.restart()
    expect([fed(4_000), fed(4_999), fed(3_999)]).toEqual([0, 0, 1])
    expect(one.bytes()).toBeLessThan(20_000)
  })

  test('have a possible gap from the last row before an interruption to the first after', () => {
    const one = drive(sequence(trades), 'bybit:spot:BTC-USDT')
    one.feed('control', control('start'))
    expect(gaps(one, 'trade', [bybit('a', SECOND)])).toEqual([])
    for (const kind of ['down', 'up'] as const) one.feed('control', control(kind))
    one.restart()
    expect(
      gaps(one, 'trade', [bybit('a', SECOND), bybit('b', 9 * SECOND), bybit('c', 9 * SECOND)]),
    ).toMatchObject([
      {
        proof: 'possible',
        first: null,
        last: null,
        fromTime: SECOND,
        toTime: 9 * SECOND,
        cause: 'disconnect',
      },
    ])
  })
})

describe('rows without any id', () => {
  test('are repeats only when all that the venue said is the same', () => {
    const one = drive(sequence(marks), 'binance:perp:BTC-USDT')
    const [end, later] = [MIDNIGHT, MIDNIGHT + SECOND]
    one.feed('mark', mark(1, 0.0001, end))
    one.restart()
    const rows = [
      mark(1, 0.0001, end, { received: 7 }),
      mark(2, 0.0001, end),
      mark(2, 0.0002, end),
      mark(2, 0.0002, later),
    ]
    expect(one.all<Mark>('mark', 'mark', rows).length).toBe(3)
  })

  test('have a possible gap where the session was interrupted', () => {
    const one = drive(sequence(marks), 'binance:perp:BTC-USDT')
    one.feed('mark', mark(1, 0.0001, MIDNIGHT))
    one.feed('control', control('drop'))
    expect(gaps(one, 'mark', [mark(5, 0.0001, MIDNIGHT), mark(6, 0.0001, MIDNIGHT)])).toMatchObject([
      { proof: 'possible', fromTime: 1, toTime: 5, cause: 'dropped', channel: 'mark' },
    ])
  })
})
