import { expect, test } from 'vitest'
import { Renewal } from '../../runtime/renewal.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'

const S = 1_000_000
const HOUR = 3_600

interface Said {
  readonly trust: string
  readonly trustedDepth: number
}

/** For what, and at which seconds, a book is asked for that says this each second. */
const asked = (seconds: number, said: (at: number) => Said): readonly string[] => {
  const clock = new VirtualClock(0)
  const found: string[] = []
  const renewal = new Renewal(clock, (instrument, why) =>
    found.push(`${instrument} ${why} ${clock.now() / S}`),
  )
  for (let at = 0; at < seconds; at++) {
    clock.advance(at * S)
    renewal.see('quote', { instrument: 'x', ...said(at) })
    renewal.see('trade', { instrument: 'y', ...said(at) })
    clock.advance(at * S)
  }
  return found
}

const live = (trustedDepth: number): Said => ({ trust: 'live', trustedDepth })

test('a book that is known deep enough is never asked for, and one with a gap every 15 seconds', () => {
  expect(asked(HOUR, () => live(100))).toEqual([])
  expect(asked(50, () => ({ trust: 'gap', trustedDepth: 0 }))).toEqual([
    'x gap 0',
    'x gap 15',
    'x gap 30',
    'x gap 45',
  ])
})

test('a book that has few levels at the venue is asked for ever less often', () => {
  const times = asked(10 * HOUR, () => live(17)).map((one) => Number(one.split(' ')[2]))
  expect(times.slice(0, 5)).toEqual([0, 15, 45, 105, 225])
  const waits = times.slice(1).map((at, i) => at - times[i]!)
  expect(Math.max(...waits)).toBe(HOUR)
  expect(times.length).toBeLessThan(20)
})

test('one that grows, and runs out of levels again, is asked for as the first time', () => {
  const said = (at: number): Said => live(at < 300 || at >= 1_000 ? 60 : 900)
  const times = asked(1_100, said).filter((one) => Number(one.split(' ')[2]) >= 300)
  expect(times).toEqual(['x shallow 1000', 'x shallow 1015', 'x shallow 1045'])
})

test('a gap is healed at once, however long the book was shallow', () => {
  const times = asked(2_000, (at) => (at < 1_800 ? live(17) : { trust: 'gap', trustedDepth: 0 }))
  expect(times.filter((one) => one.includes('gap')).slice(0, 2)).toEqual(['x gap 1800', 'x gap 1815'])
})
