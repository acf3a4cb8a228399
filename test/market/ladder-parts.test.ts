import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Beyond } from '../../market/beyond.ts'
import { Bitmap } from '../../market/ladder-bitmap.ts'
import { finer } from '../../market/ladder-scale.ts'
import type { Scale } from '../../market/ladder-scale.ts'
import { Tail } from '../../market/ladder-tail.ts'
import { randomOf } from '../random.ts'
import { SIDES, TICKS } from './ladders.ts'

describe.each([1_024, 2_048, 65_536])('a bitmap of %s places', (places) => {
  /** The ends of words and of groups of words, and what is beside them. */
  const edges = [0, 1, 31, 32, 33, 63, 1_022, 1_023, 1_024, 1_025, 32_767, 32_768, 65_504, 65_535].filter(
    (place) => place < places,
  )

  test('finds the next taken place on either side of every place', () => {
    const random = randomOf(places)
    for (const many of [1, 3, 40, 900]) {
      const bitmap = new Bitmap(places)
      const taken = new Uint8Array(places)
      for (let i = 0; i < many * 2; i++) {
        const place = random(3) === 0 ? edges[random(edges.length)]! : random(places)
        const want = random(3) === 0 ? 0 : 1
        expect(bitmap.set(place, want)).toBe(taken[place])
        taken[place] = want
      }
      for (let place = 0, last = -1; place < places; place++) {
        if (bitmap.below(place) !== last) expect([place, bitmap.below(place)]).toEqual([place, last])
        if (taken[place] === 1) last = place
      }
      for (let place = places - 1, next = -1; place >= 0; place--) {
        if (taken[place] === 1) next = place
        if (bitmap.from(place) !== next) expect([place, bitmap.from(place)]).toEqual([place, next])
      }
      expect(bitmap.from(places)).toBe(-1)
      bitmap.clear()
      expect([bitmap.from(0), bitmap.below(places - 1)]).toEqual([-1, -1])
    }
  })
})

test.each([1_024, 65_536])('a bitmap of %s places moves them all, whose order stays', (places) => {
  const random = randomOf(places + 1)
  for (let round = 0; round < 60; round++) {
    const bitmap = new Bitmap(places)
    const taken = new Set<number>()
    const [low, high] = round % 2 === 0 ? [random(places / 2), places / 2 + 1] : [0, places]
    for (let i = 0; i < 1 + random(400); i++) taken.add(low + random(high - low))
    for (const place of taken) bitmap.set(place, 1)
    const by = round % 2 === 0 ? random(places / 2 - 1) : -random(places)
    const told = new Map<number, number>()
    bitmap.move(by, (place, to) => told.set(place, to))
    expect(told).toEqual(new Map([...taken].map((place) => [place, place + by])))
    const left: number[] = []
    for (let place = bitmap.from(0); place >= 0; place = bitmap.from(place + 1)) left.push(place)
    expect(left).toEqual([...taken].map((place) => place + by).filter((place) => place >= 0).sort((a, b) => a - b))
  }
})

describe('the scale of prices', () => {
  const learn = (prices: readonly number[]): Scale | undefined =>
    prices.reduce((scale: Scale | undefined, price) => finer(scale, price), undefined)

  test('is that of the tick, and gives back the very double of every decimal', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...TICKS),
        fc.array(fc.integer({ min: 1, max: 10 ** 7 }), { minLength: 2, maxLength: 30 }),
        ({ step, digits }, ticks) => {
          const texts = ticks.map((each) => ((each * step) / Number(`1e${digits}`)).toFixed(digits))
          const prices = texts.map(Number)
          const { step: common, unit } = learn(prices)!
          for (const price of prices) {
            const key = Math.round((price * unit) / common)
            expect((key * common) / unit).toBe(price)
          }
          expect(learn([...prices, ...prices.toReversed()])).toEqual({ step: common, unit })
        },
      ),
    )
  })

  test('is found within a few prices', () => {
    expect(learn([0.00001234, 0.00001235])).toEqual({ step: 1, unit: 1e8 })
    expect(learn([60_000.05, 60_000.1, 60_000.25])).toEqual({ step: 5, unit: 100 })
    expect(learn([60_000.5, 60_000.25])).toEqual({ step: 25, unit: 100 })
    expect(learn([9_999_900, 10_000_000])).toEqual({ step: 100, unit: 1 })
    expect(learn([10_000_000, 0.00000001])).toEqual({ step: 1, unit: 1e8 })
  })

  test('is none for what no short decimal is', () => {
    expect(finer(undefined, 0.1 + 0.2)).toBeUndefined()
    expect(finer({ step: 1, unit: 1 }, 1e17)).toBeUndefined()
    expect(finer({ step: 2 ** 49, unit: 1 }, 0.01)).toBeUndefined()
    for (const price of [NaN, Infinity, -Infinity]) expect(finer(undefined, price)).toBeUndefined()
  })
})

describe.each(SIDES)('the far levels of %ss', (side) => {
  const sign = side === 'bid' ? 1 : -1

  test('are a sorted map, looked at often or seldom', () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = randomOf(seed)
      const every = [1, 7, 400][seed % 3]!
      const [tail, plain] = [new Tail(sign), new Map<number, number>()]
      const sorted = () => [...plain].sort(([a], [b]) => (a - b) * sign)
      for (let i = 0; i < 3_000; i++) {
        const price = (1_000 + random(600)) / 8
        const size = random(3)
        tail.take([price], [size], 0)
        if (size === 0) plain.delete(price)
        else plain.set(price, size)
        if (i % every !== 0) continue
        const worst = sorted()[0]
        const dice = random(20)
        if (dice === 0 && worst !== undefined) {
          tail.drop(1)
          plain.delete(worst[0])
        } else if (dice === 2 && plain.size > 0) {
          plain.delete(tail.price(0))
          tail.pop()
        } else if (dice === 3) {
          const best = 1_000_000 * (sign === 1 ? 1 : 1e-9)
          tail.push(best, 5)
          expect([tail.price(0), tail.size(0)]).toEqual([best, 5])
          tail.pop()
        }
        expect(tail.count).toBe(plain.size)
        if (plain.size > 0)
          expect([tail.price(tail.count - 1), tail.size(tail.count - 1)]).toEqual(sorted()[0])
      }
      expect(tail.save()).toEqual(sorted().flat())
    }
  })
})

describe('what is remembered beyond the bound', () => {
  test('is a map that keeps the order of first mention', () => {
    const random = randomOf(3)
    const [beyond, plain] = [new Beyond(), new Map<number, readonly number[]>()]
    const listed = () => [...plain].flatMap(([price, of]) => [price, ...of])
    for (let i = 0; i < 20_000; i++) {
      const price = random(2_000) / 100
      beyond.take([price], [i % 7], 0, i)
      plain.set(price, [i % 7, i])
      if (random(2_000) === 0) {
        const half = random(20)
        beyond.keep((price, _, id) => price < half && id > 100)
        for (const [price, [, id]] of [...plain]) if (!(price < half && id! > 100)) plain.delete(price)
      }
      if (i % 1_000 === 0) expect(beyond.save()).toEqual(listed())
    }
    const again = new Beyond()
    again.load(beyond.save())
    expect([again.count, again.save()]).toEqual([plain.size, listed()])
    again.clear()
    expect([again.count, again.save()]).toEqual([0, []])
  })
})
