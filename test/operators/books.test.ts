import { describe, expect, test } from 'vitest'
import { bookDelta } from '../../market/event.ts'
import type { BookDelta, Quote } from '../../market/event.ts'
import type { Gap } from '../../market/system.ts'
import { reconstruct } from '../../operators/reconstruct.ts'
import { sequence } from '../../operators/sequence.ts'
import { drive } from '../drive.ts'
import { control } from './rows.ts'
import { World } from './world.ts'
import type { Truth } from './world.ts'
import { randomOf } from '../random.ts'

const SPOT = 'binance:spot:BTC-USDT'

/** A book behind a line on which rows are lost, repeated, swapped and late, and which dies now and then. */
class Line {
  readonly world: World
  readonly gaps: Gap[] = []
  /** The last quote: what somebody would act on now. */
  shown: Quote | undefined
  quotes = 0
  lives = 0
  readonly #random: (n: number) => number
  readonly #sequence = drive(sequence(bookDelta), SPOT)
  readonly #book = drive(reconstruct(), SPOT)
  readonly #sequenced: boolean
  #heard = 0

  constructor(seed: number) {
    this.#random = randomOf(seed)
    this.world = new World(this.#random)
    this.#sequenced = this.#random(3) > 0
  }

  /** Some of its life. Everything that is shown on the way is checked against the truth. */
  live(steps: number): void {
    const { world } = this
    let held: BookDelta | undefined
    let down = 0
    for (let i = 0; i < steps; i++) {
      const change = world.step()
      const fate = this.#random(40)
      if (fate === 0)
        this.#tell((['down', 'start', 'drop', 'stale', 'up', 'live'] as const)[this.#random(6)]!)
      if (fate === 0 && this.#random(2) === 0) down = this.#random(5)
      if (fate === 1) held = change
      else if (fate > 2 && down-- <= 0) this.#change(change)
      if (fate === 3) this.#change(world.changes[Math.max(1, world.newest - this.#random(6))]!)
      if (fate >= 4 && held !== undefined) {
        this.#change(held)
        held = undefined
      }
      if (fate === 5) this.#row(world.whole(), true)
      if (fate >= 37)
        this.#row(
          world.answer(Math.max(0, world.newest - this.#random(12)), [0, 0, 4, 15][this.#random(4)]!),
          false,
        )
      if (fate === 36) this.restart()
    }
  }

  /** The line is good again, and a snapshot comes. */
  heal(): void {
    this.#tell('up')
    this.#change(this.world.step())
    this.#row(this.world.answer(this.world.newest, 0), false)
    for (let i = 0; i < 5; i++) this.#change(this.world.step())
  }

  restart(): void {
    this.#sequence.restart()
    this.#book.restart()
  }

  #change(row: BookDelta): void {
    this.#row(row, true)
  }

  #tell(kind: Parameters<typeof control>[0]): void {
    this.#take('control', control(kind))
  }

  #row(row: BookDelta, stream: boolean): void {
    if (stream) this.#heard = Math.max(this.#heard, row.last!)
    this.#take('bookDelta', row)
    if (this.shown?.trust !== 'live') return
    this.lives++
    const id = Math.max(this.#heard, this.shown.last!)
    agree(this.shown, best(this.world.at.get(id)!))
  }

  #take(input: string, row: object): void {
    const before = this.#sequenced ? this.#sequence.feed(input, row) : []
    this.gaps.push(
      ...before.filter(({ schema }) => schema === 'gap').map((made) => made.row as unknown as Gap),
    )
    const rows =
      !this.#sequenced || input === 'control'
        ? [row]
        : before.filter(({ schema }) => schema !== 'gap').map((made) => made.row)
    for (const made of rows.flatMap((each) => this.#book.feed(input, each))) {
      if (made.schema === 'gap') this.gaps.push(made.row as unknown as Gap)
      else this.#show(made.row as unknown as Quote)
    }
  }

  #show(quote: Quote): void {
    this.quotes++
    this.shown = quote
    agree(quote, quote.trust === 'live' ? best(this.world.at.get(quote.last!)!) : [null, null, null, null])
  }
}

const top = ({ bid, bidSize, ask, askSize }: Quote) => [bid, bidSize, ask, askSize]
const best = ({ bids: [bid], asks: [ask] }: Truth) => [...(bid ?? [null, null]), ...(ask ?? [null, null])]
/** As `expect` would say it, which is slow where all is well. */
const agree = (quote: Quote, truth: readonly (number | null)[]): void => {
  if (top(quote).some((value, i) => value !== truth[i])) expect(quote).toEqual({ truth })
}
const named = ({ first, last }: Gap): string => `${first}-${last}`

describe('a book on a bad line', () => {
  const lines = Array.from({ length: 100 }, (_, seed) => {
    const line = new Line(seed)
    return { seed, line }
  })

  test('never shows a live quote that is not the truth at its id, and never one across a hole', () => {
    let lives = 0
    let untrusted = 0
    for (const { line } of lines) {
      line.live(250)
      lives += line.lives
      untrusted += line.shown!.trust === 'live' ? 0 : 1
    }
    // The line is bad enough, and good enough, for this to mean something.
    expect(lives).toBeGreaterThan(5_000)
    expect(untrusted).toBeGreaterThan(10)
  })

  test('is live, and true, soon after the line is good again', () => {
    for (const { line } of lines) {
      line.heal()
      expect(line.shown!.trust).toBe('live')
      expect(top(line.shown!)).toEqual(best(line.world.truths.at(-1)!))
    }
  })

  test('has every hole that was opened in the ledger healed by then', () => {
    let opened = 0
    for (const { line } of lines) {
      const holes = line.gaps.filter(({ event }) => event === 'opened').map(named)
      if (holes.length === 0) continue
      opened += holes.length
      expect(line.gaps.filter(({ event }) => event === 'healed').map(named)).toEqual(holes)
    }
    expect(opened).toBeGreaterThan(500)
  })
})
