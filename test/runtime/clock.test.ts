import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../runtime/driver/clock.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'

describe('the clock of the machine', () => {
  test('counts microseconds of the wall clock', () => {
    const clock = systemClock()
    for (let i = 0; i < 1000; i++) {
      const now = clock.now()
      expect(Number.isSafeInteger(now)).toBe(true)
      expect(Math.abs(now / 1000 - Date.now())).toBeLessThan(50)
    }
  })

  test('never goes back when the wall clock does, goes on, and follows it once it has caught up', async () => {
    const clock = systemClock()
    const real = Date.now
    try {
      const before = clock.now()
      Date.now = () => real() - 3_600_000
      const begun = performance.now()
      const during: number[] = []
      while (performance.now() - begun < 100) {
        during.push(clock.now())
        if (during.length % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      expect(during).toEqual(during.toSorted((a, b) => a - b))
      expect(during[0]).toBeGreaterThanOrEqual(before)
      // At half its pace: what is due in a second is not due in an hour.
      const spent = clock.now() - during[0]!
      expect(spent).toBeGreaterThan(45_000)
      expect(spent).toBeLessThanOrEqual((performance.now() - begun) * 500 + 1)
      Date.now = () => real() + 60_000
      expect(clock.now()).toBeGreaterThan(before + 59_000_000)
    } finally {
      Date.now = real
    }
    expect(clock.now()).toBeGreaterThan(real() * 1000 + 50_000_000)
    expect(Math.abs(systemClock().now() / 1000 - real())).toBeLessThan(50)
  })

  test('calls once after a while, unless it is cancelled', async () => {
    const clock = systemClock()
    const calls: string[] = []
    const cancel = clock.after(5, () => calls.push('cancelled'))
    await new Promise<void>((resolve) => {
      clock.after(10, () => {
        calls.push('called')
        resolve()
      })
      cancel()
    })
    expect(calls).toEqual(['called'])
  })
})

describe('a virtual clock', () => {
  test('makes calls in the order of their times, and at them', () => {
    const clock = new VirtualClock(1000)
    const calls: string[] = []
    const say = (name: string) => (): void => void calls.push(`${name}@${clock.now()}`)
    clock.after(3, say('c'))
    clock.after(1, say('a'))
    clock.after(1, say('b'))
    clock.after(2, () => clock.after(0.5, say('inner')))
    const cancel = clock.after(2, say('never'))
    cancel()
    expect(clock.due).toBe(2000)
    clock.advance(1999)
    expect(calls).toEqual([])
    clock.advance(10_000)
    expect(calls).toEqual(['a@2000', 'b@2000', 'inner@3500', 'c@4000'])
    expect([clock.now(), clock.due]).toEqual([10_000, undefined])
    clock.advance(5000)
    expect(clock.now()).toBe(10_000)
  })

  test('agrees with a sorted list', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ ms: fc.nat(20), cancel: fc.boolean() }), { maxLength: 60 }),
        fc.array(fc.nat(25_000)),
        (wanted, stops) => {
          const clock = new VirtualClock(0)
          const calls: number[] = []
          const cancels = wanted.map(({ ms }, i) => clock.after(ms, () => calls.push(i)))
          wanted.forEach(({ cancel }, i) => cancel && cancels[i]!())
          const expected = wanted
            .map(({ ms, cancel }, i) => ({ ms, cancel, i }))
            .filter(({ cancel }) => !cancel)
            .toSorted((a, b) => a.ms - b.ms)
          for (const stop of stops) {
            clock.advance(stop)
            expect(calls).toEqual(expected.filter(({ ms }) => ms * 1000 <= clock.now()).map(({ i }) => i))
          }
        },
      ),
    )
  })
})
