import { describe, expect, test } from 'vitest'
import type { BookDelta, Quote } from '../../market/event.ts'
import type { Control } from '../../market/system.ts'
import { reconstruct } from '../../operators/reconstruct.ts'
import type { ReconstructOptions } from '../../operators/reconstruct.ts'
import { drive } from '../drive.ts'
import { MIDNIGHT, SECOND, control, delta, listing, snapshot, whole } from './rows.ts'
import type { Side } from './rows.ts'

/** One line a quote: `live 99 x 5 / 101 x 5 @ 12`. It dies and comes back before each row. */
const books = (options?: ReconstructOptions) => {
  const one = drive(reconstruct(options), 'binance:spot:BTC-USDT')
  const lines = (rows: readonly (BookDelta | Control)[]): string[] =>
    rows.flatMap((row) => {
      one.restart()
      return one.feed('kind' in row ? 'control' : 'bookDelta', row).map((made) => (made.schema === 'gap' ? healed(made.row) : line(made.row as unknown as Quote)))
    })
  return { ...one, lines: (...rows: readonly (BookDelta | Control)[]) => lines(rows) }
}
const healed = (row: Readonly<Record<string, unknown>>): string => `${row['event']} ${row['first']}-${row['last']} ${row['cause']}`
const line = ({ trust, why, bid, bidSize, ask, askSize, last }: Quote): string =>
  trust === 'live' ? `live ${bid} x ${bidSize} / ${ask} x ${askSize} @ ${last}` : `${trust}: ${why}${bid === null && ask === null ? '' : ' WITH PRICES'}`

const BIDS: Side = { 99: 5, 98: 2 }
const ASKS: Side = { 101: 5, 102: 2 }

describe('a book with a snapshot within the stream', () => {
  test('is live at once, and moves with each change that continues it', () => {
    expect(books().lines(whole(1, BIDS, ASKS), delta(2, 4, { 100: 1 }, {}), delta(5, 5, { 100: 0 }, { 101: 0 }))).toEqual([
      'live 99 x 5 / 101 x 5 @ 1',
      'live 100 x 1 / 101 x 5 @ 4',
      'live 99 x 5 / 102 x 2 @ 5',
    ])
  })

  test('makes no quote where the best of both sides stays the same', () => {
    expect(books().lines(whole(1, BIDS, ASKS), delta(2, 2, { 98: 7 }, { 103: 1 })).length).toBe(1)
  })

  test('makes one as a sign of life when deeper levels change after a second', () => {
    const later = { received: MIDNIGHT + 2 * SECOND }
    expect(books().lines(whole(1, BIDS, ASKS), delta(2, 2, { 98: 7 }, {}, later), delta(3, 3, { 98: 8 }, {}, later))).toEqual([
      'live 99 x 5 / 101 x 5 @ 1', 'live 99 x 5 / 101 x 5 @ 2',
    ])
  })

  test('ignores a repeat', () => {
    expect(books().lines(whole(5, BIDS, ASKS), delta(3, 5, { 100: 1 }, {})).length).toBe(1)
  })

  test('loses trust, and its prices, at a hole, and is healed by the next snapshot', () => {
    expect(books().lines(whole(1, BIDS, ASKS), delta(3, 3, { 100: 1 }, {}), delta(4, 4, { 100: 2 }, {}), whole(9, { 97: 1 }, ASKS))).toEqual([
      'live 99 x 5 / 101 x 5 @ 1', 'gap: changes missing', 'healed 2-2 lost', 'healed 5-8 lost', 'live 97 x 1 / 101 x 5 @ 9',
    ])
  })

  test('is not replaced by an older one of another connection', () => {
    expect(books().lines(whole(1, BIDS, ASKS), delta(2, 2, { 100: 1 }, {}), whole(1, BIDS, ASKS)).length).toBe(2)
  })

  test('follows a numbering that the venue began anew', () => {
    const later = { time: MIDNIGHT + 60 * SECOND }
    expect(books().lines(whole(900, BIDS, ASKS), whole(1, { 97: 1 }, ASKS, later), delta(2, 2, { 98: 1 }, {}, later))).toEqual([
      'live 99 x 5 / 101 x 5 @ 900', 'healed null-null venue', 'live 97 x 1 / 101 x 5 @ 1', 'live 98 x 1 / 101 x 5 @ 2',
    ])
  })

  test('is not live where the numbering began anew without a snapshot', () => {
    const later = { time: MIDNIGHT + 60 * SECOND }
    expect(books().lines(whole(900, BIDS, ASKS), delta(2, 2, { 98: 1 }, {}, later)).at(-1)).toBe('gap: renumbered')
  })

  test('keeps as many levels as the venue keeps us told about', () => {
    const book = books()
    book.lines(whole(1, { 99: 1, 98: 1 }, ASKS, { horizon: 2 }), delta(2, 2, { 100: 1 }, {}))
    expect(book.lines(delta(3, 3, { 100: 0, 99: 0 }, {}), delta(4, 4, { 96: 1 }, {}))).toEqual([
      'live null x null / 101 x 5 @ 3', 'live 96 x 1 / 101 x 5 @ 4',
    ])
  })
})

describe('a book with a snapshot over REST', () => {
  /** The test vector of the venue's page: a snapshot at 160 amid these changes. */
  const around = [delta(150, 158, { 90: 1 }, {}), delta(159, 161, { 100: 1 }, {})]

  test('is syncing until then, and takes what lies beyond it from its backlog', () => {
    expect(books().lines(...around, snapshot(160, BIDS, ASKS), delta(162, 165, { 100: 3 }, {}), delta(162, 165, { 100: 3 }, {}), delta(167, 170, {}, {}))).toEqual([
      'syncing: no snapshot yet', 'live 100 x 1 / 101 x 5 @ 161', 'live 100 x 3 / 101 x 5 @ 165', 'gap: changes missing',
    ])
  })

  test('takes a change that directly continues it', () => {
    expect(books().lines(snapshot(160, BIDS, ASKS), delta(161, 165, { 100: 1 }, {})).at(-1)).toBe('live 100 x 1 / 101 x 5 @ 165')
  })

  test('links by the id before, as futures do: the rule is the same', () => {
    const linked = (before: number, last: number, bids: Side) => delta(before + 1, last, bids, {})
    const rows = [linked(979, 990, { 91: 1 }), linked(990, 1004, { 100: 1 }), linked(1004, 1020, { 100: 2 })]
    expect(books().lines(...rows, snapshot(1000, BIDS, ASKS), linked(1021, 1040, {}))).toEqual([
      'syncing: no snapshot yet', 'live 100 x 2 / 101 x 5 @ 1020', 'gap: changes missing',
    ])
    expect(books().lines(snapshot(1000, BIDS, ASKS), linked(1000, 1010, { 100: 1 })).at(-1)).toBe('live 100 x 1 / 101 x 5 @ 1010')
    expect(books().lines(linked(990, 1000, { 100: 9 }), snapshot(1000, BIDS, ASKS), linked(1000, 1010, { 100: 1 }))).toEqual([
      'syncing: no snapshot yet', 'live 99 x 5 / 101 x 5 @ 1000', 'live 100 x 1 / 101 x 5 @ 1010',
    ])
  })

  test('waits for the next one where it is older than the backlog', () => {
    expect(books().lines(...around, snapshot(148, BIDS, ASKS), delta(162, 165, {}, {}), snapshot(163, BIDS, ASKS))).toEqual([
      'syncing: no snapshot yet', 'live 99 x 5 / 101 x 5 @ 165',
    ])
    expect(books().lines(...around, snapshot(149, BIDS, ASKS)).at(-1)).toBe('live 100 x 1 / 101 x 5 @ 161')
  })

  test('that is ahead of the stream takes later changes only', () => {
    expect(books().lines(...around, snapshot(170, BIDS, ASKS), delta(162, 170, { 100: 9 }, {}), delta(171, 171, { 100: 1 }, {}))).toEqual([
      'syncing: no snapshot yet', 'live 99 x 5 / 101 x 5 @ 170', 'live 100 x 1 / 101 x 5 @ 171',
    ])
  })

  test('that is ahead of a stream which does not catch up is not live for long', () => {
    const late = { received: MIDNIGHT + 9 * SECOND }
    expect(books().lines(snapshot(500, BIDS, ASKS), delta(162, 170, {}, {}, late)).at(-1)).toBe('gap: stream behind snapshot')
  })

  test('heals a hole iff it lies beyond it', () => {
    const book = books()
    book.lines(...around, snapshot(160, BIDS, ASKS))
    expect(book.lines(control('down'), control('up'), delta(170, 175, { 100: 7 }, {}), snapshot(165, BIDS, ASKS), delta(176, 180, {}, {}))).toEqual([
      'stale: session down', 'gap: changes missing',
    ])
    expect(book.lines(snapshot(172, BIDS, ASKS))).toEqual(['healed 162-169 disconnect', 'live 100 x 7 / 101 x 5 @ 180'])
  })

  test('renews a live book only where it is newer', () => {
    expect(books().lines(whole(5, BIDS, ASKS), delta(6, 6, { 100: 1 }, {}), snapshot(5, { 90: 1 }, ASKS), snapshot(7, { 97: 3 }, ASKS))).toEqual([
      'live 99 x 5 / 101 x 5 @ 5', 'live 100 x 1 / 101 x 5 @ 6', 'live 97 x 3 / 101 x 5 @ 7',
    ])
  })

  test('is not taken from a symbol that has no book yet', () => {
    expect(books().lines(snapshot(-1, {}, {}))).toEqual(['syncing: no snapshot yet'])
  })

  test('is not taken when the backlog had to forget what came after it', () => {
    const book = drive(reconstruct(), 'binance:spot:BTC-USDT')
    for (let id = 1; id <= 10_005; id++) book.feed('bookDelta', delta(id, id, { 90: id }, {}))
    book.restart()
    expect(book.feed('bookDelta', snapshot(3, BIDS, ASKS))).toEqual([])
    expect(book.all<Quote>('quote', 'bookDelta', [snapshot(5, { 89: 1 }, ASKS)])).toMatchObject([{ trust: 'live', bid: 90, bidSize: 10_005, last: 10_005 }])
  })
})

describe('a session', () => {
  const LIVE = 'live 99 x 5 / 101 x 5 @ 1'

  test.each([['down', 'session down'], ['start', 'restarted'], ['drop', 'frames dropped'], ['stale', 'silent']] as const)(
    'that tells of %s makes a live book stale, and a change that continues it proves that nothing was missed',
    (kind, why) => {
      expect(books().lines(whole(1, BIDS, ASKS), control(kind), control('up'), delta(2, 2, {}, {}))).toEqual([LIVE, `stale: ${why}`, 'live 99 x 5 / 101 x 5 @ 2'])
    },
  )

  test('that is up again proves nothing: a change that leaves a hole makes a gap', () => {
    expect(books().lines(whole(1, BIDS, ASKS), control('down'), control('up'), control('live'), delta(3, 3, {}, {}))).toEqual([
      LIVE, 'stale: session down', 'gap: changes missing',
    ])
  })

  test('that was silent and speaks again makes the book live', () => {
    expect(books().lines(whole(1, BIDS, ASKS), control('stale'), control('live'))).toEqual([LIVE, 'stale: silent', LIVE])
  })

  test('that goes down while it is silent needs proof', () => {
    expect(books().lines(whole(1, BIDS, ASKS), control('stale'), control('down'), control('up'), control('live'))).toEqual([
      LIVE, 'stale: silent', 'stale: session down',
    ])
  })

  test('that is down makes no live book of a snapshot over REST; one that is up does', () => {
    const book = books()
    expect(book.lines(control('down'), snapshot(1, BIDS, ASKS)).at(-1)).toBe('stale: session down')
    expect(book.lines(control('up'), snapshot(1, BIDS, ASKS))).toEqual([LIVE])
  })

  test('never heals a book that has a hole', () => {
    const book = books()
    book.lines(whole(1, BIDS, ASKS), delta(3, 3, {}, {}))
    expect(book.lines(control('stale'), control('live'), control('down'), control('up'), control('start'), delta(4, 4, {}, {}))).toEqual([])
  })

  test('of another source, or another channel, does not matter', () => {
    const book = books()
    book.feed('instrument', listing('binance:spot:BTC-USDT'))
    book.lines(whole(1, BIDS, ASKS))
    expect(book.lines(control('down', { source: 'binance.usdm' }), control('drop', { source: 'binance.spot', channel: 'trade' }), control('tick'))).toEqual([])
    expect(book.lines(control('down', { source: 'binance.spot', channel: 'book' })).length).toBe(1)
  })
})

describe('a book that contradicts itself', () => {
  test('is not live, and needs a snapshot', () => {
    const book = books()
    expect(book.lines(whole(1, BIDS, ASKS), delta(2, 2, { 101: 1 }, {}), delta(3, 3, { 101: 0 }, {}), whole(3, BIDS, ASKS))).toEqual([
      'live 99 x 5 / 101 x 5 @ 1', 'gap: crossed', 'live 99 x 5 / 101 x 5 @ 3',
    ])
  })

  test('is not healed by a snapshot from before the contradiction', () => {
    const book = books()
    book.lines(whole(5, BIDS, ASKS), delta(6, 6, { 101: 1 }, {}))
    expect(book.lines(snapshot(5, BIDS, ASKS))).toEqual([])
    expect(book.lines(snapshot(6, BIDS, ASKS))).toEqual(['live 99 x 5 / 101 x 5 @ 6'])
  })

  test('is looked at only after a whole change', () => {
    const book = books()
    book.lines(whole(1, BIDS, ASKS))
    expect(book.lines(delta(2, 2, { 103: 1 }, { 101: 0, 102: 0, 104: 1 }))).toEqual(['live 103 x 1 / 104 x 1 @ 2'])
  })
})

describe('a book of bounded depth', () => {
  const bounded = (): BookDelta => snapshot(1, BIDS, ASKS, { horizon: 2 })
  const trusted = (book: ReturnType<typeof books>, row: BookDelta) => book.all<Quote>('quote', 'bookDelta', [row]).map((quote) => [quote.bid, quote.trustedDepth])

  test('knows nothing beyond the snapshot, and does not count what it hears of there', () => {
    const book = books()
    expect(trusted(book, bounded())).toEqual([[99, 2]])
    book.lines(delta(2, 2, { 97: 4, 96: 4 }, { 103: 4, 104: 4 }))
    expect(trusted(book, delta(3, 3, { 99: 0 }, {}))).toEqual([[98, 1]])
  })

  test('is not trusted when the best price leaves what is known', () => {
    const book = books()
    book.lines(bounded(), delta(2, 2, { 97: 4 }, {}))
    expect(book.lines(delta(3, 3, { 99: 0, 98: 0 }, {}), snapshot(3, { 97: 4 }, ASKS))).toEqual(['gap: beyond horizon', 'live 97 x 4 / 101 x 5 @ 3'])
  })

  test('is whole where the snapshot had room for more', () => {
    const book = books()
    book.lines(snapshot(1, { 99: 5 }, ASKS, { horizon: 2 }), delta(2, 2, { 90: 1 }, {}))
    expect(book.lines(delta(3, 3, { 99: 0 }, {}))).toEqual(['live 90 x 1 / 101 x 5 @ 3'])
  })

  test('learns from a snapshot that is older than it what lies beyond, and keeps what changed since', () => {
    const book = books()
    book.lines(bounded(), delta(2, 2, { 97: 4, 96: 4, 99: 7 }, {}), delta(3, 3, { 96: 0, 95: 3 }, {}))
    const older = snapshot(2, { 99: 7, 98: 2, 97: 4, 96: 4, 94: 6 }, { ...ASKS, 103: 1, 104: 1, 105: 1 }, { horizon: 5 })
    expect(book.lines(older)).toEqual([])
    expect(trusted(book, delta(4, 4, { 99: 0 }, {}))).toEqual([[98, 4]])
    expect(trusted(book, delta(5, 5, { 98: 0, 97: 0 }, {}))).toEqual([[95, 2]])
    expect(trusted(book, delta(6, 6, { 95: 0 }, {}))).toEqual([[94, 1]])
  })

  test('learns nothing from a snapshot that is older than its own, or reaches less far', () => {
    const book = books()
    const deep = { ...BIDS, 97: 4, 96: 4 }
    book.lines(snapshot(5, BIDS, ASKS, { horizon: 2 }))
    expect(book.lines(snapshot(4, deep, ASKS), snapshot(5, { 99: 5 }, ASKS, { horizon: 1 }))).toEqual([])
    expect(book.lines(delta(6, 6, { 99: 0, 98: 0 }, {}))).toEqual(['gap: beyond horizon'])
  })

  test('is cut to depthMax, and what is cut off is unknown from then on', () => {
    const book = books({ depthMax: 1 })
    const bids = { 99: 1, 98: 1, 97: 1 }
    expect(trusted(book, whole(1, bids, ASKS))).toEqual([[99, 1]])
    expect(book.lines(delta(2, 2, { 99: 0 }, {}))).toEqual(['gap: beyond horizon'])
  })
})

test.each([0, -1, 1.5, NaN])('a depthMax of %s is refused', (depthMax) => {
  expect(() => reconstruct({ depthMax })).toThrow(`reconstruct has a depthMax of ${depthMax}`)
})
