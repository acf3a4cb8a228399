import { describe, expect, test } from 'vitest'
import { Book } from '../../market/book.ts'
import type { Levels, Reach } from '../../market/book.ts'
import { randomOf } from '../random.ts'
import { TICKS } from './ladders.ts'
import type { Tick } from './ladders.ts'
import { PlainBook } from './plain-book.ts'

/** A book and its judge, to which the same happens. */
class Pair {
  book: Book
  plain: PlainBook
  readonly depthMax: number

  constructor(depthMax: number) {
    this.depthMax = depthMax
    this.book = new Book(depthMax)
    this.plain = new PlainBook(depthMax)
  }

  seed(levels: Levels, id: number | null, reach: Reach): void {
    lend(levels, (lent) => this.book.seed(lent, id, reach))
    this.plain.seed(levels, id, reach)
  }

  apply(levels: Levels, id: number | null): void {
    lend(levels, (lent) => this.book.apply(lent, id))
    this.plain.apply(levels, id)
  }

  deepen(levels: Levels, id: number, horizon: number): void {
    lend(levels, (lent) => this.book.deepen(lent, id, { horizon, window: false }))
    this.plain.deepen(levels, id, { horizon, window: false })
  }

  /** Through a checkpoint of the judge, as one that was made before the ladder had a window. */
  restart(): void {
    const saved = JSON.parse(JSON.stringify(this.plain.save())) as ReturnType<PlainBook['save']>
    this.book = new Book(this.depthMax)
    this.book.load(saved)
    this.plain = new PlainBook(this.depthMax)
    this.plain.load(saved)
  }

  agree(): void {
    const { book, plain } = this
    const told = [book.fault, book.trustedDepth, book.bids.price(0), book.asks.price(0), book.bids.size(0)]
    const wanted = [
      plain.fault,
      plain.trustedDepth,
      plain.bids.price(0),
      plain.asks.price(0),
      plain.bids.size(0),
    ]
    if (told.some((value, i) => !Object.is(value, wanted[i]))) expect(told).toEqual(wanted)
  }

  same(): void {
    expect(this.book.save()).toEqual(this.plain.save())
  }
}

/** Lists are views of memory that is written over as soon as the call is over. */
const lend = ({ bidPrices, bidSizes, askPrices, askSizes }: Levels, take: (levels: Levels) => void): void => {
  const lists = [bidPrices, bidSizes, askPrices, askSizes]
  const memory = new Float64Array(lists.reduce((length, list) => length + list.length, 3))
  let at = 3
  const [a, b, c, d] = lists.map((list) => {
    memory.set(Array.from(list), at)
    return memory.subarray(at, (at += list.length))
  })
  take({ bidPrices: a!, bidSizes: b!, askPrices: c!, askSizes: d! })
  memory.fill(NaN)
}

/** What a venue sends, from prices of one tick around a middle that wanders. */
class Venue {
  readonly #random: (n: number) => number
  readonly #tick: Tick
  #middle: number
  id = 1_000

  constructor(random: (n: number) => number, tick: Tick) {
    this.#random = random
    this.#tick = tick
    this.#middle = 30_000 + random(1_000_000)
  }

  change(levels: number, spread: number): Levels {
    this.id += 1 + this.#random(3)
    this.#middle = Math.max(4_000, this.#middle + this.#random(41) - 20)
    const lists = () => Array.from({ length: this.#random(levels) }, () => this.#random(spread))
    const [below, above] = [lists(), lists()]
    return {
      bidPrices: below.map((steps) => this.#price(-1 - steps)),
      bidSizes: below.map(() => this.#random(3)),
      askPrices: above.map((steps) => this.#price(1 + steps)),
      askSizes: above.map(() => this.#random(3)),
    }
  }

  snapshot(levels: number, spread: number): Levels {
    const steps = (): readonly number[] => {
      const found = new Set(Array.from({ length: levels }, () => this.#random(spread)))
      return [...found].toSorted((a, b) => a - b)
    }
    const [below, above] = [steps(), steps()]
    return {
      bidPrices: below.map((at) => this.#price(-1 - at)),
      bidSizes: below.map(() => 1 + this.#random(9)),
      askPrices: above.map((at) => this.#price(1 + at)),
      askSizes: above.map(() => 1 + this.#random(9)),
    }
  }

  #price(steps: number): number {
    return (Math.max(1, this.#middle + steps) * this.#tick.step) / Number(`1e${this.#tick.digits}`)
  }
}

describe.each([Infinity, 1, 20, 300])('a book that remembers %s levels a side', (depthMax) => {
  test.each(TICKS)('is the plain book, whatever comes, with a tick of $step / 10^$digits', (tick) => {
    const random = randomOf(tick.step + 1_000 * tick.digits + 7)
    const venue = new Venue(random, tick)
    const pair = new Pair(depthMax)
    for (let i = 0; i < 1_500; i++) {
      const dice = random(200)
      const horizon = [0, 0, 5, 60, 500][random(5)]!
      const wide = random(3) === 0 ? 4_000 : 300
      if (i === 0 || dice === 0)
        pair.seed(venue.snapshot(random(700), wide), random(4) === 0 ? null : venue.id, {
          horizon,
          window: horizon > 0 && random(2) === 0,
        })
      else if (dice < 10) pair.deepen(venue.snapshot(random(900), wide), venue.id - random(40), horizon)
      else if (dice === 10) pair.restart()
      else pair.apply(venue.change(12, wide), random(50) === 0 ? null : venue.id)
      pair.agree()
      if (i % 100 === 0) pair.same()
    }
    pair.same()
  })
})

describe('what changes beyond the bound', () => {
  test('is forgotten when it is too much, so that an older snapshot no longer deepens', () => {
    const pair = new Pair(Infinity)
    const one = { bidPrices: [5_000], bidSizes: [1], askPrices: [5_001], askSizes: [1] }
    pair.seed(one, 1, { horizon: 1, window: false })
    for (let i = 0; i < 8_100; i++) {
      pair.apply({ bidPrices: [4_999 - (i * 7) / 16], bidSizes: [i], askPrices: [], askSizes: [] }, 2 + i)
      if (i % 500 === 0) pair.same()
    }
    const deep = Array.from({ length: 50 }, (_, i) => 4_999 - i)
    const snapshot = { bidPrices: deep, bidSizes: deep, askPrices: [], askSizes: [] }
    pair.deepen(snapshot, 8_000, 1_000)
    pair.same()
    expect(pair.book.trustedDepth).toBe(1)
    pair.deepen(snapshot, 8_050, 1_000)
    pair.same()
    expect(pair.book.bids.count).toBeGreaterThan(50)
  })

  test('is counted in the memory that a book takes', () => {
    const book = new Book(Infinity)
    const before = book.bytes
    book.seed({ bidPrices: [1_000], bidSizes: [1], askPrices: [], askSizes: [] }, 1, {
      horizon: 1,
      window: false,
    })
    for (let i = 1; i < 500; i++)
      book.apply({ bidPrices: [1_000 - i], bidSizes: [1], askPrices: [], askSizes: [] }, 1 + i)
    expect(book.bytes - before).toBeGreaterThan(500 * 24)
    expect(book.bytes).toBeLessThan(80_000)
  })
})
