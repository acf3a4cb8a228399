import { describe, expect, test } from 'vitest'
import type { BookDelta, Quote } from '../../market/event.ts'
import { ASKS, BIDS, books } from './copies.ts'
import { control, delta, listing, snapshot, whole } from './rows.ts'

describe('a session', () => {
  const LIVE = 'live 99 x 5 / 101 x 5 @ 1'

  test.each([
    ['down', 'session down'],
    ['start', 'restarted'],
    ['drop', 'frames dropped'],
    ['stale', 'silent'],
  ] as const)(
    'that tells of %s makes a live book stale, and a change that continues it proves that nothing was missed',
    (kind, why) => {
      expect(books().lines(whole(1, BIDS, ASKS), control(kind), control('up'), delta(2, 2, {}, {}))).toEqual([
        LIVE,
        `stale: ${why}`,
        'live 99 x 5 / 101 x 5 @ 2',
      ])
    },
  )

  test('that is up again proves nothing: a change that leaves a hole makes a gap', () => {
    expect(
      books().lines(
        whole(1, BIDS, ASKS),
        control('down'),
        control('up'),
        control('live'),
        delta(3, 3, {}, {}),
      ),
    ).toEqual([LIVE, 'stale: session down', 'gap: changes missing'])
  })

  test('that was silent and speaks again makes the book live', () => {
    expect(books().lines(whole(1, BIDS, ASKS), control('stale'), control('live'))).toEqual([
      LIVE,
      'stale: silent',
      LIVE,
    ])
  })

  test('that goes down while it is silent needs proof', () => {
    expect(
      books().lines(whole(1, BIDS, ASKS), control('stale'), control('down'), control('up'), control('live')),
    ).toEqual([LIVE, 'stale: silent', 'stale: session down'])
  })

  test('that is down makes no live book of a snapshot over REST; one that is up does', () => {
    const book = books()
    expect(book.lines(control('down'), snapshot(1, BIDS, ASKS)).at(-1)).toBe('stale: session down')
    expect(book.lines(control('up'), snapshot(1, BIDS, ASKS))).toEqual([LIVE])
  })

  test('never heals a book that has a hole', () => {
    const book = books()
    book.lines(whole(1, BIDS, ASKS), delta(3, 3, {}, {}))
    expect(
      book.lines(
        control('stale'),
        control('live'),
        control('down'),
        control('up'),
        control('start'),
        delta(4, 4, {}, {}),
      ),
    ).toEqual([])
  })

  test('of another source, or another channel, does not matter', () => {
    const book = books()
    book.feed('instrument', listing('binance:spot:BTC-USDT'))
    book.lines(whole(1, BIDS, ASKS))
    expect(
      book.lines(
        control('down', { source: 'binance.usdm' }),
        control('drop', { source: 'binance.spot', channel: 'trade' }),
        control('tick'),
      ),
    ).toEqual([])
    expect(book.lines(control('down', { source: 'binance.spot', channel: 'book' })).length).toBe(1)
  })
})

describe('a book that contradicts itself', () => {
  test('is not live, and needs a snapshot', () => {
    const book = books()
    expect(
      book.lines(
        whole(1, BIDS, ASKS),
        delta(2, 2, { 101: 1 }, {}),
        delta(3, 3, { 101: 0 }, {}),
        whole(3, BIDS, ASKS),
      ),
    ).toEqual(['live 99 x 5 / 101 x 5 @ 1', 'gap: crossed', 'live 99 x 5 / 101 x 5 @ 3'])
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
    expect(book.lines(delta(2, 2, { 103: 1 }, { 101: 0, 102: 0, 104: 1 }))).toEqual([
      'live 103 x 1 / 104 x 1 @ 2',
    ])
  })
})

describe('a book of bounded depth', () => {
  const bounded = (): BookDelta => snapshot(1, BIDS, ASKS, { horizon: 2 })
  const trusted = (book: ReturnType<typeof books>, row: BookDelta) =>
    book.all<Quote>('quote', 'bookDelta', [row]).map((quote) => [quote.bid, quote.trustedDepth])

  test('knows nothing beyond the snapshot, and does not count what it hears of there', () => {
    const book = books()
    expect(trusted(book, bounded())).toEqual([[99, 2]])
    book.lines(delta(2, 2, { 97: 4, 96: 4 }, { 103: 4, 104: 4 }))
    expect(trusted(book, delta(3, 3, { 99: 0 }, {}))).toEqual([[98, 1]])
  })

  test('is not trusted when the best price leaves what is known', () => {
    const book = books()
    book.lines(bounded(), delta(2, 2, { 97: 4 }, {}))
    expect(book.lines(delta(3, 3, { 99: 0, 98: 0 }, {}), snapshot(3, { 97: 4 }, ASKS))).toEqual([
      'gap: beyond horizon',
      'live 97 x 4 / 101 x 5 @ 3',
    ])
  })

  test('is whole where the snapshot had room for more', () => {
    const book = books()
    book.lines(snapshot(1, { 99: 5 }, ASKS, { horizon: 2 }), delta(2, 2, { 90: 1 }, {}))
    expect(book.lines(delta(3, 3, { 99: 0 }, {}))).toEqual(['live 90 x 1 / 101 x 5 @ 3'])
  })

  test('learns from a snapshot that is older than it what lies beyond, and keeps what changed since', () => {
    const book = books()
    book.lines(bounded(), delta(2, 2, { 97: 4, 96: 4, 99: 7 }, {}), delta(3, 3, { 96: 0, 95: 3 }, {}))
    const older = snapshot(
      2,
      { 99: 7, 98: 2, 97: 4, 96: 4, 94: 6 },
      { ...ASKS, 103: 1, 104: 1, 105: 1 },
      { horizon: 5 },
    )
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
