import { expect } from 'vitest'
import { Ladder } from '../../market/ladder.ts'
import { ArrayLadder } from './array-ladder.ts'

export const SIDES = ['bid', 'ask'] as const

/** `step` of the last of so many decimals. */
export interface Tick {
  readonly step: number
  readonly digits: number
}

/** From 0.00000001 to 100, with such as are no powers of ten. */
export const TICKS: readonly Tick[] = [
  { step: 1, digits: 8 },
  { step: 5, digits: 8 },
  { step: 1, digits: 6 },
  { step: 25, digits: 5 },
  { step: 1, digits: 4 },
  { step: 1, digits: 2 },
  { step: 5, digits: 2 },
  { step: 1, digits: 1 },
  { step: 5, digits: 1 },
  { step: 1, digits: 0 },
  { step: 3, digits: 0 },
  { step: 100, digits: 0 },
]

const BEST = new Float64Array(3)

type Readable = Pick<Ladder, 'count' | 'price' | 'size'>

export const levelsOf = (ladder: Readable): readonly (readonly number[])[] =>
  Array.from({ length: ladder.count }, (_, i) => [ladder.price(i), ladder.size(i)])

/** A ladder and its judge, to which the same happens. */
export class Pair {
  ladder: Ladder
  plain: ArrayLadder
  readonly #side: 'bid' | 'ask'

  constructor(side: 'bid' | 'ask') {
    this.#side = side
    this.ladder = new Ladder(side)
    this.plain = new ArrayLadder(side)
  }

  set(price: number, size: number): void {
    this.ladder.set(price, size)
    this.plain.set(price, size)
  }

  keep(levels: number): void {
    this.ladder.keep(levels)
    this.plain.keep(levels)
  }

  clear(): void {
    this.ladder.clear()
    this.plain.clear()
  }

  /** Through the bytes of a checkpoint, which may also be one of the array ladder. */
  restart(): void {
    const saved = JSON.stringify(this.ladder.save())
    expect(saved).toBe(JSON.stringify(this.plain.save()))
    this.ladder = new Ladder(this.#side)
    this.ladder.load(JSON.parse(saved) as number[])
  }

  /** Up to a level they say the same. Without `expect` where they do, because it is asked for so often. */
  agree(level = 1): void {
    const { ladder, plain } = this
    ladder.best(BEST, 1)
    let same =
      ladder.count === plain.count &&
      Object.is(BEST[1], plain.price(0)) &&
      Object.is(BEST[2], plain.count === 0 ? NaN : plain.size(0))
    for (let i = 0; same && i <= level; i++)
      same = Object.is(ladder.price(i), plain.price(i)) && ladder.size(i) === plain.size(i)
    if (same) return
    this.same()
    expect([...BEST.subarray(1)]).toEqual([plain.price(0), plain.count === 0 ? NaN : plain.size(0)])
  }

  /** All of both is the same. */
  same(): void {
    expect(levelsOf(this.ladder)).toEqual(levelsOf(this.plain))
    expect(this.ladder.save()).toEqual(this.plain.save())
  }
}
