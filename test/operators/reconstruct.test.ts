import { describe, expect, test } from 'vitest'
import type { Quote } from '../../market/event.ts'
import { reconstruct } from '../../operators/reconstruct.ts'
import { drive } from '../drive.ts'
import { ASKS, BIDS, books } from './copies.ts'
import { MIDNIGHT, SECOND, control, delta, snapshot, whole } from './rows.ts'
import type { Side } from './rows.ts'

describe('a book with a snapshot within the stream', () => {
  test('is live at once, and moves with each change that continues it', () => {
    expect(
      books().lines(whole(1, BIDS, ASKS), delta(2, 4, { 100: 1 }, {}), delta(5, 5, { 100: 0 }, { 101: 0 })),
    ).toEqual(['live 99 x 5 / 101 x 5 @ 1', 'live 100 x 1 / 101 x 5 @ 4', 'live 99 x 5 / 102 x 2 @ 5'])
  })

  test('makes no quote where the best of both sides stays the same', () => {
    expect(books().lines(whole(1, BIDS, ASKS), delta(2, 2, { 98: 7 }, { 103: 1 })).length).toBe(1)
  })

  test('makes one as a sign of life when deeper levels change after a second', () => {
    const later = { received: MIDNIGHT + 2 * SECOND }
    expect(
      books().lines(
        whole(1, BIDS, ASKS),
        delta(2, 2, { 98: 7 }, {}, later),
        delta(3, 3, { 98: 8 }, {}, later),
      ),
    ).toEqual(['live 99 x 5 / 101 x 5 @ 1', 'live 99 x 5 / 101 x 5 @ 2'])
  })

  test('ignores a repeat', () => {
    expect(books().lines(whole(5, BIDS, ASKS), delta(3, 5, { 100: 1 }, {})).length).toBe(1)
  })

  test('loses trust, and its prices, at a hole, and is healed by the next snapshot', () => {
    expect(
      books().lines(
        whole(1, BIDS, ASKS),
        delta(3, 3, { 100: 1 }, {}),
        delta(4, 4, { 100: 2 }, {}),
        whole(9, { 97: 1 }, ASKS),
      ),
    ).toEqual([
      'live 99 x 5 / 101 x 5 @ 1',
      'gap: changes missing',
      'healed 2-2 lost',
      'healed 5-8 lost',
      'live 97 x 1 / 101 x 5 @ 9',
    ])
  })

  test('is not replaced by an older one of another connection', () => {
    expect(
      books().lines(whole(1, BIDS, ASKS), delta(2, 2, { 100: 1 }, {}), whole(1, BIDS, ASKS)).length,
    ).toBe(2)
  })

  test('follows a numbering that the venue began anew', () => {
    const later = { time: MIDNIGHT + 60 * SECOND }
    expect(
      books().lines(
        whole(900, BIDS, ASKS),
        whole(1, { 97: 1 }, ASKS, later),
        delta(2, 2, { 98: 1 }, {}, later),
      ),
    ).toEqual([
      'live 99 x 5 / 101 x 5 @ 900',
      'healed null-null venue',
      'live 97 x 1 / 101 x 5 @ 1',
      'live 98 x 1 / 101 x 5 @ 2',
    ])
  })

  test('is not live where the numbering began anew without a snapshot', () => {
    const later = { time: MIDNIGHT + 60 * SECOND }
    expect(
      books()
        .lines(whole(900, BIDS, ASKS), delta(2, 2, { 98: 1 }, {}, later))
        .at(-1),
    ).toBe('gap: renumbered')
  })

  test('keeps as many levels as the venue keeps us told about', () => {
    const book = books()
    book.lines(whole(1, { 99: 1, 98: 1 }, ASKS, { horizon: 2 }), delta(2, 2, { 100: 1 }, {}))
    expect(book.lines(delta(3, 3, { 100: 0, 99: 0 }, {}), delta(4, 4, { 96: 1 }, {}))).toEqual([
      'live null x null / 101 x 5 @ 3',
      'live 96 x 1 / 101 x 5 @ 4',
    ])
  })
})

describe('a book with a snapshot over REST', () => {
  /** The test vector of the venue's page: a snapshot at 160 amid these changes. */
  const around = [delta(150, 158, { 90: 1 }, {}), delta(159, 161, { 100: 1 }, {})]

  test('is syncing until then, and takes what lies beyond it from its backlog', () => {
    expect(
      books().lines(
        ...around,
        snapshot(160, BIDS, ASKS),
        delta(162, 165, { 100: 3 }, {}),
        delta(162, 165, { 100: 3 }, {}),
        delta(167, 170, {}, {}),
      ),
    ).toEqual([
      'syncing: no snapshot yet',
      'live 100 x 1 / 101 x 5 @ 161',
      'live 100 x 3 / 101 x 5 @ 165',
      'gap: changes missing',
    ])
  })

  test('takes a change that directly continues it', () => {
    expect(
      books()
        .lines(snapshot(160, BIDS, ASKS), delta(161, 165, { 100: 1 }, {}))
        .at(-1),
    ).toBe('live 100 x 1 / 101 x 5 @ 165')
  })

  test('links by the id before, as futures do: the rule is the same', () => {
    const linked = (before: number, last: number, bids: Side) => delta(before + 1, last, bids, {})
    const rows = [linked(979, 990, { 91: 1 }), linked(990, 1004, { 100: 1 }), linked(1004, 1020, { 100: 2 })]
    expect(books().lines(...rows, snapshot(1000, BIDS, ASKS), linked(1021, 1040, {}))).toEqual([
      'syncing: no snapshot yet',
      'live 100 x 2 / 101 x 5 @ 1020',
      'gap: changes missing',
    ])
    expect(
      books()
        .lines(snapshot(1000, BIDS, ASKS), linked(1000, 1010, { 100: 1 }))
        .at(-1),
    ).toBe('live 100 x 1 / 101 x 5 @ 1010')
    expect(
      books().lines(
        linked(990, 1000, { 100: 9 }),
        snapshot(1000, BIDS, ASKS),
        linked(1000, 1010, { 100: 1 }),
      ),
    ).toEqual(['syncing: no snapshot yet', 'live 99 x 5 / 101 x 5 @ 1000', 'live 100 x 1 / 101 x 5 @ 1010'])
  })

  test('waits for the next one where it is older than the backlog', () => {
    expect(
      books().lines(...around, snapshot(148, BIDS, ASKS), delta(162, 165, {}, {}), snapshot(163, BIDS, ASKS)),
    ).toEqual(['syncing: no snapshot yet', 'live 99 x 5 / 101 x 5 @ 165'])
    expect(
      books()
        .lines(...around, snapshot(149, BIDS, ASKS))
        .at(-1),
    ).toBe('live 100 x 1 / 101 x 5 @ 161')
  })

  test('that is ahead of the stream takes later changes only', () => {
    expect(
      books().lines(
        ...around,
        snapshot(170, BIDS, ASKS),
        delta(162, 170, { 100: 9 }, {}),
        delta(171, 171, { 100: 1 }, {}),
      ),
    ).toEqual(['syncing: no snapshot yet', 'live 99 x 5 / 101 x 5 @ 170', 'live 100 x 1 / 101 x 5 @ 171'])
  })

  test('that is ahead of a stream which does not catch up is not live for long', () => {
    const late = { received: MIDNIGHT + 9 * SECOND }
    expect(
      books()
        .lines(snapshot(500, BIDS, ASKS), delta(162, 170, {}, {}, late))
        .at(-1),
    ).toBe('gap: stream behind snapshot')
  })

  test('heals a hole iff it lies beyond it', () => {
    const book = books()
    book.lines(...around, snapshot(160, BIDS, ASKS))
    expect(
      book.lines(
        control('down'),
        control('up'),
        delta(170, 175, { 100: 7 }, {}),
        snapshot(165, BIDS, ASKS),
        delta(176, 180, {}, {}),
      ),
    ).toEqual(['stale: session down', 'gap: changes missing'])
    expect(book.lines(snapshot(172, BIDS, ASKS))).toEqual([
      'healed 162-169 disconnect',
      'live 100 x 7 / 101 x 5 @ 180',
    ])
  })

  test('renews a live book only where it is newer', () => {
    expect(
      books().lines(
        whole(5, BIDS, ASKS),
        delta(6, 6, { 100: 1 }, {}),
        snapshot(5, { 90: 1 }, ASKS),
        snapshot(7, { 97: 3 }, ASKS),
      ),
    ).toEqual(['live 99 x 5 / 101 x 5 @ 5', 'live 100 x 1 / 101 x 5 @ 6', 'live 97 x 3 / 101 x 5 @ 7'])
  })

  test('is not taken from a symbol that has no book yet', () => {
    expect(books().lines(snapshot(-1, {}, {}))).toEqual(['syncing: no snapshot yet'])
  })

  test('is not taken when the backlog had to forget what came after it', () => {
    const book = drive(reconstruct(), 'binance:spot:BTC-USDT')
    for (let id = 1; id <= 10_005; id++) book.feed('bookDelta', delta(id, id, { 90: id }, {}))
    book.restart()
    expect(book.feed('bookDelta', snapshot(3, BIDS, ASKS))).toEqual([])
    expect(book.all<Quote>('quote', 'bookDelta', [snapshot(5, { 89: 1 }, ASKS)])).toMatchObject([
      { trust: 'live', bid: 90, bidSize: 10_005, last: 10_005 },
    ])
  })
})

test.each([0, -1, 1.5, NaN])('a depthMax of %s is refused', (depthMax) => {
  expect(() => reconstruct({ depthMax })).toThrow(`reconstruct has a depthMax of ${depthMax}`)
})
