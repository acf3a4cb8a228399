import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Ladder } from '../../market/ladder.ts'

const levelsOf = (ladder: Ladder): number[][] =>
  Array.from({ length: ladder.count }, (_, i) => [ladder.price(i), ladder.size(i)])

/** The same side, by the plainest means. */
class Plain {
  readonly levels = new Map<number, number>()
  readonly side: 'bid' | 'ask'
  constructor(side: 'bid' | 'ask') {
    this.side = side
  }

  set(price: number, size: number): void {
    if (size === 0) this.levels.delete(price)
    else this.levels.set(price, size)
  }

  sorted(): number[][] {
    const sign = this.side === 'bid' ? -1 : 1
    return [...this.levels].sort(([a], [b]) => sign * (a - b))
  }

  retain(kept: number[][]): void {
    this.levels.clear()
    for (const [price, size] of kept) this.levels.set(price!, size!)
  }
}

/** Prices of a market: a tick of 10^-8 to 1, and a range around some base, so that levels meet often. */
const prices = fc
  .record({ scale: fc.constantFrom(1e8, 1e5, 100, 10, 1), base: fc.integer({ min: 1, max: 9_999_000 }) })
  .chain(({ scale, base }) => fc.constant((step: number) => (base + step) / scale))

const change = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      step: fc.nat(200),
      size: fc.oneof(fc.constant(0), fc.double({ min: 1e-8, max: 1e9, noNaN: true })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('prune' as const), step: fc.nat(200), size: fc.constant(0) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('keep' as const), step: fc.nat(100), size: fc.constant(0) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('restart' as const),
      step: fc.constant(0),
      size: fc.constant(0),
    }),
  },
)

describe.each(['bid', 'ask'] as const)('a ladder of %ss', (side) => {
  test('is a sorted map, for any changes at prices from 0.00000001 to 10,000,000', () => {
    fc.assert(
      fc.property(prices, fc.array(change, { maxLength: 300, size: 'max' }), (price, changes) => {
        let ladder = new Ladder(side)
        const plain = new Plain(side)
        for (const { kind, step, size } of changes) {
          if (kind === 'set') {
            ladder.set(price(step), size)
            plain.set(price(step), size)
          } else if (kind === 'prune') {
            ladder.prune(price(step))
            plain.retain(
              plain.sorted().filter(([at]) => (side === 'bid' ? at! >= price(step) : at! <= price(step))),
            )
          } else if (kind === 'keep') {
            ladder.keep(step)
            plain.retain(plain.sorted().slice(0, step))
          } else {
            const saved = JSON.parse(JSON.stringify(ladder.save())) as number[]
            ladder = new Ladder(side)
            ladder.load(saved)
          }
          if (ladder.count !== plain.levels.size) expect(ladder.count).toBe(plain.levels.size)
        }
        expect(levelsOf(ladder)).toEqual(plain.sorted())
      }),
      { numRuns: 200 },
    )
  })

  test('keeps every level, however many there are', () => {
    const ladder = new Ladder(side)
    const plain = new Plain(side)
    for (let i = 1; i <= 5_000; i++) {
      ladder.set(((i * 7919) % 5_003) + 1, i)
      plain.set(((i * 7919) % 5_003) + 1, i)
    }
    expect(levelsOf(ladder)).toEqual(plain.sorted())
  })

  test('has no level where there is none', () => {
    const ladder = new Ladder(side)
    expect([ladder.count, ladder.price(0), ladder.size(0)]).toEqual([0, NaN, 0])
  })
})

describe('the smallest and the largest prices', () => {
  test('are told apart', () => {
    const bids = new Ladder('bid')
    for (const price of [1e-8, 2e-8, 10_000_000, 9_999_999.99]) bids.set(price, 1)
    expect(levelsOf(bids).map(([price]) => price)).toEqual([10_000_000, 9_999_999.99, 2e-8, 1e-8])
  })
})
