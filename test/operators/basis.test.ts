import { describe, expect, test } from 'vitest'
import type { Basis } from '../../market/event.ts'
import { basisSpread } from '../../operators/basis.ts'
import { drive } from '../drive.ts'
import type { Driven } from '../drive.ts'
import { MIDNIGHT, SECOND, control, funding, listing, quote, tick } from './rows.ts'

const SPOT = 'binance:spot:BTC-USDT'
const PERP = 'binance:perp:BTC-USDT'
const OTHER = 'bybit:perp:BTC-USDT'
const at = (seconds: number): number => MIDNIGHT + seconds * SECOND

type Row = readonly [input: 'quote' | 'funding' | 'instrument' | 'control', row: object]
const q = (...args: Parameters<typeof quote>): Row => ['quote', quote(...args)]
const listed = (...args: Parameters<typeof listing>): Row => ['instrument', listing(...args)]
const told = (...args: Parameters<typeof control>): Row => ['control', control(...args)]
const ticked = (seconds: number): Row => ['control', tick(at(seconds))]

/** It dies and comes back before each row. */
const feed = (one: Driven, ...rows: readonly Row[]): Basis[] =>
  rows.flatMap(([input, row]) => {
    one.restart()
    return [...one.all<Basis>('basis', input, [row])]
  })
const pair = (...rows: readonly Row[]): Driven => {
  const one = drive(basisSpread({ staleAfterMs: 3_000 }), 'BTC-USDT')
  feed(one, listed(SPOT), listed(PERP), ...rows)
  return one
}
const line = ({ state, why, bps }: Basis): string =>
  state === 'live' ? `live ${bps?.toFixed(2)}` : `withheld: ${why}${bps === null ? '' : ' WITH PRICES'}`
const lines = (one: Driven, ...rows: readonly Row[]): string[] => feed(one, ...rows).map(line)

describe('a basis', () => {
  test('is how much dearer the perpetual is, by the middle and after both spreads', () => {
    const [row] = feed(pair(q(SPOT, at(1), 99, 101, { last: 7 })), q(PERP, at(2), 109, 111, { last: 8 }))
    expect(row).toMatchObject({
      pair: 'BTC-USDT',
      time: at(2),
      received: at(2),
      kind: 'spot-perp',
      perp: PERP,
      reference: SPOT,
      state: 'live',
      why: '',
      perpMid: 110,
      referenceMid: 100,
      perpAgeMs: 0,
      referenceAgeMs: 1_000,
      perpLast: 8,
      referenceLast: 7,
      perpApr: null,
      referenceApr: 0,
      carryApr: null,
    })
    expect(row!.bps).toBeCloseTo(1_000, 8)
    expect(row!.netBps).toBeCloseTo(10_000 * (109 / 101 - 1), 8)
  })

  test('sells the dear leg and buys the cheap one, whichever that is', () => {
    const [row] = feed(pair(q(SPOT, at(1), 109, 111)), q(PERP, at(1), 99, 101))
    expect(row!.bps).toBeLessThan(0)
    expect(row!.netBps).toBeCloseTo(10_000 * (109 / 101 - 1), 8)
    expect(feed(pair(q(SPOT, at(1), 99, 101)), q(PERP, at(1), 99.5, 101.5))[0]!.netBps).toBeLessThan(0)
  })

  test('follows each leg, and makes a row only when a price changes', () => {
    const one = pair(q(SPOT, at(1), 100, 100), q(PERP, at(1), 100, 100))
    expect(
      lines(
        one,
        q(PERP, at(1), 101, 101),
        q(SPOT, at(1), 101, 101),
        q(SPOT, at(2), 101, 101, { bidSize: 9 }),
      ),
    ).toEqual(['live 100.00', 'live 0.00'])
  })

  test('compares each perpetual with each spot market, and perpetuals of two venues', () => {
    const one = pair(
      listed(OTHER),
      listed('bybit:spot:BTC-USDT'),
      listed('binance:future:BTC-USDT-261225'),
      listed('binance:perp:BTC-USDT:BTC'),
    )
    const all = [
      SPOT,
      PERP,
      OTHER,
      'bybit:spot:BTC-USDT',
      'binance:future:BTC-USDT-261225',
      'binance:perp:BTC-USDT:BTC',
    ]
    const rows = feed(one, ...all.map((name) => q(name, at(1), 100, 100)))
    expect(new Set(rows.map((row) => `${row.kind} ${row.perp} ${row.reference}`))).toEqual(
      new Set([
        `spot-perp ${PERP} ${SPOT}`,
        `spot-perp ${OTHER} ${SPOT}`,
        `spot-perp ${PERP} bybit:spot:BTC-USDT`,
        `spot-perp ${OTHER} bybit:spot:BTC-USDT`,
        `spot-perp ${PERP}:BTC ${SPOT}`,
        `spot-perp ${PERP}:BTC bybit:spot:BTC-USDT`,
        `perp-perp ${PERP} ${OTHER}`,
        `perp-perp ${PERP}:BTC ${OTHER}`,
      ]),
    )
  })

  test.each([
    ['PEPE', 1_000, 0.0123],
    ['SHIB', 1_000, 0.0256],
    ['MOG', 1_000_000, 1.2],
  ])('compares %s in prices of one, though the contract is for %d of them', (asset, multiplier, price) => {
    const [spot, perp] = [`binance:spot:${asset}-USDT`, `bybit:perp:${asset}-USDT`]
    const one = drive(basisSpread({ staleAfterMs: 3_000 }), `${asset}-USDT`)
    feed(
      one,
      listed(spot),
      listed(perp, { multiplier, contractSize: 10 }),
      q(spot, at(1), price / multiplier, price / multiplier),
    )
    const [row] = feed(one, q(perp, at(1), price * 1.001, price * 1.001))
    expect(row!.bps).toBeCloseTo(10, 6)
    expect(row!.perpMid).toBeCloseTo((price * 1.001) / multiplier, 12)
  })
})

describe('carry', () => {
  test('is what the short perpetual earns beyond the reference, and makes a row when it changes', () => {
    const one = pair(
      listed(OTHER),
      q(SPOT, at(1), 100, 100),
      q(PERP, at(1), 100, 100),
      q(OTHER, at(1), 100, 100),
    )
    const rows = feed(
      one,
      ['funding', funding(PERP, at(1), 0.11)],
      ['funding', funding(OTHER, at(1), 0.04)],
      ['funding', funding(OTHER, at(1), 0.9, { kind: 'final' })],
    )
    const carries = rows.map(({ reference, perp, carryApr }) => [
      perp,
      reference,
      carryApr === null ? null : Number(carryApr.toFixed(6)),
    ])
    expect(carries).toEqual([
      [PERP, SPOT, 0.11],
      [OTHER, SPOT, 0.04],
      [PERP, OTHER, 0.07],
    ])
  })

  test('is unknown once its period is over and the next was not heard of', () => {
    const one = pair(
      ['funding', funding(PERP, at(1), 0.1, { fundingTime: at(10) })],
      q(SPOT, at(1), 100, 100),
    )
    expect(feed(one, q(PERP, at(1), 100, 100))[0]!.carryApr).toBe(0.1)
    expect(feed(one, q(SPOT, at(71), 100, 100), q(PERP, at(71), 100, 100)).at(-1)).toMatchObject({
      state: 'live',
      perpApr: null,
      carryApr: null,
    })
  })
})

describe('a leg that is not proven', () => {
  test.each([
    ['gap', 'changes missing', 'gap'],
    ['syncing', 'no snapshot yet', 'syncing'],
    ['stale', 'session down', 'session down'],
  ] as const)('with trust %s withholds, once, and says which leg it is', (trust, why, said) => {
    const one = pair(q(SPOT, at(1), 100, 100), q(PERP, at(1), 100, 100))
    expect(
      lines(
        one,
        q(PERP, at(1), null, null, { trust, why }),
        q(SPOT, at(1), 90, 90),
        q(SPOT, at(1), null, null, { trust, why }),
      ),
    ).toEqual([`withheld: perp ${said}`])
    expect(lines(one, q(PERP, at(1), 102, 102), q(SPOT, at(1), 100, 100))).toEqual(['live 200.00'])
  })

  test('says how long ago it was well, and nothing more while the carry changes', () => {
    const one = pair(q(SPOT, at(1), 100, 100), q(PERP, at(1), 100, 100))
    const lost = q(PERP, at(3), null, null, { trust: 'gap', why: 'changes missing' })
    const rows = feed(
      one,
      lost,
      ['funding', funding(PERP, at(3), 0.1)],
      ['funding', funding(PERP, at(3), 0.2)],
    )
    expect(rows).toMatchObject([{ why: 'perp gap', perpAgeMs: 2_000, referenceAgeMs: 2_000 }])
  })

  test('has no prices in any row', () => {
    const one = pair(q(SPOT, at(1), 100, 100), q(PERP, at(1), 100, 100))
    expect(feed(one, q(SPOT, at(2), null, null, { trust: 'gap', why: 'changes missing' }))).toMatchObject([
      { state: 'withheld', why: 'reference gap', perpMid: null, referenceMid: null, bps: null, netBps: null },
    ])
  })

  test('withholds when it has shown no life for too long, which a tick tells', () => {
    const one = pair(q(SPOT, at(1), 100, 100), q(PERP, at(1), 100, 100))
    const [row] = feed(one, q(PERP, at(3), 100, 100), ticked(4), ticked(4.2), ticked(9))
    expect(row).toMatchObject({
      state: 'withheld',
      why: 'reference stale',
      referenceAgeMs: 3_200,
      perpAgeMs: 1_200,
      received: at(4.2),
    })
    expect(lines(one, q(SPOT, at(9), 100, 100))).toEqual([])
    expect(lines(one, q(PERP, at(9), 100, 100))).toEqual(['live 0.00'])
  })

  test('withholds also where the other leg moves first', () => {
    const one = pair(q(SPOT, at(1), 100, 100), q(PERP, at(1), 100, 100))
    expect(lines(one, q(PERP, at(5), 105, 105))).toEqual(['withheld: reference stale'])
  })

  test('is well while its silent channel shows life, by instrument or for all of its source', () => {
    const one = pair(q(SPOT, at(1), 100, 100), q(PERP, at(1), 100, 100))
    const alive = (seconds: number): Row[] => [
      told('alive', { source: 'binance.spot', channel: 'book', received: at(seconds) }),
      told('alive', { source: 'binance.usdm', channel: 'book', instrument: PERP, received: at(seconds) }),
      ticked(seconds),
    ]
    expect(lines(one, ...alive(3), ...alive(5), ...alive(7), ...alive(9))).toEqual([])
    expect(
      lines(one, told('alive', { source: 'binance.spot', channel: 'trade', received: at(12) }), ticked(12.5)),
    ).toEqual(['withheld: perp stale'])
  })

  test.each([
    ['down', 'session down'],
    ['stale', 'silent'],
    ['start', 'restarted'],
  ] as const)('whose session tells of %s withholds until a live quote', (kind, why) => {
    const one = pair(q(SPOT, at(1), 100, 100), q(PERP, at(1), 100, 100))
    const row =
      kind === 'start'
        ? told(kind, { received: at(1) })
        : told(kind, { source: 'binance.usdm', channel: 'book', instrument: PERP, received: at(1) })
    expect(
      lines(one, row, told('up', { received: at(1) }), told('alive', { received: at(1) }), ticked(1)),
    ).toEqual([`withheld: perp ${why}`])
    expect(lines(one, q(SPOT, at(1), 100, 100), q(PERP, at(1), 100, 100))).toEqual(['live 0.00'])
  })

  test('without a listing withholds, for its units are not known', () => {
    const one = drive(basisSpread({ staleAfterMs: 3_000 }), 'BTC-USDT')
    expect(
      lines(one, q(SPOT, at(1), 100, 100), q(PERP, at(1), 100, 100), listed(SPOT), listed(PERP)),
    ).toEqual(['withheld: perp no instrument row', 'live 0.00'])
  })

  test('that is halted withholds, and one that is gone is forgotten', () => {
    const one = pair(q(SPOT, at(1), 100, 100), q(PERP, at(1), 100, 100))
    expect(
      lines(
        one,
        listed(PERP, { status: 'halted', received: at(1) }),
        listed(PERP, { status: 'trading', received: at(1) }),
      ),
    ).toEqual(['withheld: perp halted', 'live 0.00'])
    expect(
      lines(one, listed(PERP, { status: 'gone', received: at(1) }), q(SPOT, at(1), 101, 101), ticked(2)),
    ).toEqual(['withheld: perp gone'])
    expect(
      lines(one, listed(PERP, { status: 'trading', received: at(1) }), q(SPOT, at(1), 102, 102)),
    ).toEqual([])
    expect(lines(one, q(PERP, at(1), 102, 102))).toEqual(['live 0.00'])
  })

  test('with an empty side withholds', () => {
    const one = pair(q(SPOT, at(1), 100, 100), q(PERP, at(1), 100, 100))
    expect(lines(one, q(PERP, at(1), null, 100))).toEqual(['withheld: perp one-sided'])
  })
})

test.each([0, -1, NaN, Infinity])('a staleAfterMs of %s is refused', (staleAfterMs) => {
  expect(() => basisSpread({ staleAfterMs })).toThrow(`a staleAfterMs of ${staleAfterMs}`)
})
