import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Ladder } from '../../market/ladder.ts'
import { randomOf } from '../random.ts'
import { ArrayLadder } from './array-ladder.ts'
import { Pair, SIDES, TICKS, levelsOf } from './ladders.ts'
import type { Tick } from './ladders.ts'

/** What may happen to a ladder; steps are ticks from where the market is. */
const change = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(fc.constant('near' as const), fc.integer({ min: -40, max: 40 })) },
  { weight: 6, arbitrary: fc.tuple(fc.constant('wide' as const), fc.integer({ min: -1_500, max: 1_500 })) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('far' as const), fc.integer({ min: -1e6, max: 1e6 })) },
  { weight: 6, arbitrary: fc.tuple(fc.constant('remove' as const), fc.nat(60)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('absent' as const), fc.integer({ min: -2_000, max: 2_000 })) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('move' as const), fc.integer({ min: -3_000, max: 3_000 })) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('jump' as const), fc.constantFrom(10, 0.1)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('tick' as const), fc.nat(TICKS.length - 1)) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constant('odd' as const), fc.double({ min: 1e-8, max: 1e7, noNaN: true })),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constant('between' as const), fc.integer({ min: -20, max: 20 })) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('keep' as const), fc.nat(100)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('restart' as const), fc.constant(0)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('clear' as const), fc.constant(0)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('read' as const), fc.nat(30)) },
)
type Change = typeof change extends fc.Arbitrary<infer C> ? C : never

/** A market on two ladders: where it is, and its tick. */
class Market {
  readonly pair: Pair
  #tick: Tick
  #middle: number
  #size = 0

  constructor(side: 'bid' | 'ask', tick: Tick, price: number) {
    this.pair = new Pair(side)
    this.#tick = tick
    this.#middle = price
  }

  take([kind, by]: Change): void {
    const { pair } = this
    if (kind === 'near' || kind === 'wide' || kind === 'far') pair.set(this.#at(by), ++this.#size)
    else if (kind === 'remove') pair.set(pair.plain.price(by % Math.max(1, pair.plain.count)) || 1, 0)
    else if (kind === 'absent') pair.set(this.#at(by), 0)
    else if (kind === 'move') this.#middle = this.#at(by)
    else if (kind === 'jump') this.#middle = Math.min(1e7, Math.max(1e-8, this.#middle * by))
    else if (kind === 'tick') this.#tick = TICKS[by]!
    else if (kind === 'odd') pair.set(by, ++this.#size)
    else if (kind === 'between') pair.set((this.#at(by) + this.#at(by + 1)) / 2, ++this.#size)
    else if (kind === 'keep') pair.keep(by)
    else if (kind === 'restart') pair.restart()
    else if (kind === 'clear') pair.clear()
    else pair.agree(by)
    pair.agree()
  }

  /** A price of the market's grid, as a venue's text would be read. */
  #at(steps: number): number {
    const { step, digits } = this.#tick
    const unit = Number(`1e${digits}`)
    const ticks = Math.max(1, Math.round((this.#middle * unit) / step) + steps)
    return (ticks * step) / unit
  }
}

describe.each(SIDES)('a ladder of %ss', (side) => {
  test('is a sorted array, for any changes, at prices from 0.00000001 to 10,000,000 of any tick', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...TICKS),
        fc.integer({ min: -8, max: 7 }),
        fc.array(change, { maxLength: 250, size: 'max' }),
        (tick, digits, changes) => {
          const market = new Market(side, tick, 1.2345678 * 10 ** digits)
          for (const each of changes) market.take(each)
          market.pair.same()
        },
      ),
      { numRuns: 400 },
    )
  })

  test.each(TICKS)('follows a market that wanders, with a tick of $step / 10^$digits', (tick) => {
    const random = randomOf(tick.step * 100 + tick.digits + 1)
    const market = new Market(
      side,
      tick,
      ((20_000 + random(1_000_000)) * tick.step) / Number(`1e${tick.digits}`),
    )
    for (let i = 0; i < 12_000; i++) {
      const dice = random(100)
      if (dice < 40) market.take(['near', random(81) - 40])
      else if (dice < 70) market.take(['wide', random(3_001) - 1_500])
      else if (dice < 72) market.take(['far', random(200_001) - 100_000])
      else if (dice < 97) market.take(['remove', random(5) === 0 ? random(2_000) : random(10)])
      else if (dice < 99) market.take(['move', random(601) - 300])
      else if (random(20) === 0) market.take(['restart', 0])
      if (i % 4_000 === 3_999) market.pair.same()
    }
  })

  test('is right wherever the best level moves to', () => {
    for (let by = -1_600; by <= 1_600; by++) {
      const pair = new Pair(side)
      for (const steps of [0, 1, -1, 31, -33, by, by + 1])
        pair.set((50_000 + steps) / 100, 1 + Math.abs(steps))
      pair.agree(6)
      pair.set((50_000 + by) / 100, 0)
      pair.set(500, 0)
      pair.set((50_000 + by - 1) / 100, 7)
      pair.same()
    }
  })

  test('keeps every level, however many there are', () => {
    const pair = new Pair(side)
    for (let i = 1; i <= 5_000; i++) pair.set(((i * 7919) % 5_003) + 1, i)
    expect(pair.ladder.count).toBe(5_000)
    pair.same()
  })

  test('keeps all of a book that is a hundred times as wide as its window', () => {
    const random = randomOf(5)
    const pair = new Pair(side)
    for (let i = 0; i < 40_000; i++) {
      pair.set((6_000_000 + random(20_000) * (1 + random(300))) / 100, random(3))
      if (i % 50 === 0) pair.agree(random(20))
    }
    pair.restart()
    pair.same()
    expect(pair.ladder.bytes).toBeLessThan(2 ** 21)
  })

  test('has the best levels in its window, wherever they go', () => {
    const worse = side === 'bid' ? -1 : 1
    const ladder = new Ladder(side)
    const fill = (from: number): void => {
      for (let i = 0; i < 900; i++) ladder.set((from + worse * i) / 100, 1)
    }
    fill(50_000)
    expect(ladder.near).toBeGreaterThan(700)
    for (let i = 0; i < 600; i++) ladder.set((50_000 + worse * i) / 100, 0)
    expect(ladder.near).toBe(300)
    for (let i = 600; i < 900; i++) ladder.set((50_000 + worse * i) / 100, 0)
    ladder.set((50_000 + worse * 5_000) / 100, 1)
    expect([ladder.near, ladder.count]).toEqual([1, 1])
    fill(50_000 - worse * 20_000)
    expect(ladder.near).toBeGreaterThan(700)
  })

  test('puts all levels into the tail for a price without a tick, until it is cleared', () => {
    const ladder = new Ladder(side)
    for (const price of [10, 10.5, 0.1 + 0.2, 11]) ladder.set(price, 1)
    expect([ladder.near, ladder.count]).toEqual([0, 4])
    ladder.clear()
    for (const price of [10, 10.5, 11]) ladder.set(price, 1)
    expect([ladder.near, ladder.count]).toEqual([3, 3])
  })

  test('has a wider window where much happens beside it, and only there', () => {
    const [busy, sparse] = [new Ladder(side), new Ladder(side)]
    const random = randomOf(11)
    for (let i = 0; i < 60_000; i++) {
      busy.set((1_000_000 + random(20_000)) / 100, random(3))
      sparse.set((1_000_000 + random(400) * 99_991) / 100, random(3))
    }
    expect(busy.near).toBeGreaterThan(busy.count * 0.9)
    expect(sparse.bytes).toBeLessThan(64 * 1_024)
  })

  test('has no level where there is none', () => {
    const ladder = new Ladder(side)
    expect([ladder.count, ladder.price(0), ladder.size(0)]).toEqual([0, NaN, 0])
    ladder.set(5, 0)
    ladder.keep(3)
    ladder.set(5, 1)
    expect([ladder.count, ladder.price(0), ladder.price(1), ladder.size(1)]).toEqual([1, 5, NaN, 0])
  })

  test('loads what the array ladder saved, and saves the same', () => {
    const random = randomOf(9)
    const array = new ArrayLadder(side)
    for (let i = 0; i < 900; i++) array.set((200_000 + random(30_000)) / 1_000, random(4))
    const ladder = new Ladder(side)
    ladder.load(array.save())
    expect(levelsOf(ladder)).toEqual(levelsOf(array))
    expect(ladder.save()).toEqual(array.save())
  })

  test('of a quiet book takes less than 32 KiB', () => {
    const ladder = new Ladder(side)
    for (let i = 0; i < 300; i++) ladder.set((10_000 + i) / 1_000, 1)
    expect(ladder.bytes).toBeLessThan(32 * 1_024)
  })

  test('that is changed again and again allocates nothing', () => {
    const ladder = new Ladder(side)
    const prices = Float64Array.from(
      { length: 4_096 },
      (_, i) => (600_000 + ((i * 7_919) % 2_500) * (i % 16 === 0 ? 40 : 1)) / 10,
    )
    const sizes = Array.from({ length: 5 }, (_, t) =>
      Float64Array.from(prices, (_, i) => (i * 31 + t * 7) % 9),
    )
    const turn = (times: number): number => {
      const before = process.memoryUsage().heapUsed
      for (let t = 0; t < times; t++)
        for (let i = 0; i < prices.length; i++) ladder.take(prices, sizes[t % 5]!, i)
      return process.memoryUsage().heapUsed - before
    }
    // One boxed number a change would be 2.6 MB. Until the compiler is done they are; a collection in between
    // shows as less than nothing.
    let least = Infinity
    for (let i = 0; i < 60 && least > 500_000; i++) {
      const bytes = turn(40)
      if (bytes >= 0) least = Math.min(least, bytes)
    }
    expect(least).toBeLessThan(500_000)
  })
})

describe('the smallest and the largest prices', () => {
  test('are told apart', () => {
    const bids = new Ladder('bid')
    for (const price of [1e-8, 2e-8, 10_000_000, 9_999_999.99]) bids.set(price, 1)
    expect(levelsOf(bids).map(([price]) => price)).toEqual([10_000_000, 9_999_999.99, 2e-8, 1e-8])
  })

  test('below half a window of ticks have their book, too', () => {
    const pair = new Pair('bid')
    for (let i = 1; i <= 40; i++) pair.set(i / 100, i)
    for (let i = 40; i > 3; i -= 3) pair.set(i / 100, 0)
    pair.same()
  })
})
