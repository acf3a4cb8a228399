import { describe, expect, test } from 'vitest'
import type { Clock } from '../../graph/port.ts'
import { binance, bybit } from '../../sources/index.ts'
import { ownClock } from '../../sources/timers.ts'
import { bybitList, spotDelta, spotList, spotSeed, symbols, usdmList } from './script.ts'
import { opening, scripted } from './world.ts'
import type { Reply } from './world.ts'

/** A clock, and how many of its timers wait. */
const counted = (clock: Clock) => {
  const waiting = new Set<object>()
  const after: Clock['after'] = (ms, call) => {
    const one = {}
    waiting.add(one)
    const cancel = clock.after(ms, () => {
      waiting.delete(one)
      call()
    })
    return () => {
      waiting.delete(one)
      cancel()
    }
  }
  return { clock: { now: clock.now, after }, waiting }
}

const answer = (path: string): Reply | undefined => {
  if (path.includes('/api/v3/exchangeInfo')) return { body: spotList(symbols(3)) }
  if (path.includes('exchangeInfo')) return { body: usdmList(symbols(3)) }
  if (path.includes('instruments-info')) return { body: bybitList(symbols(3), '') }
  // Some snapshots come, others are refused for a while, and the rest is never answered.
  if (path.includes('depth') && path.includes('A000')) return { body: spotSeed(1) }
  if (path.includes('depth') && path.includes('A001'))
    return { status: 429, headers: { 'retry-after': '30' } }
  return path.includes('depth') ? undefined : { body: [] }
}

describe('a source that was closed', () => {
  const sources = { spot: binance.spot, usdm: binance.usdm, linear: bybit.linear }
  const moments = [0, 1, 5, 20, 300, 1_100, 5_500, 40_000]

  test.each(Object.keys(sources).flatMap((name) => moments.map((ms) => [name, ms] as const)))(
    'of %s after %d ms leaves no timer behind, and begins nothing when what was under way ends',
    async (name, ms) => {
      const source = sources[name as keyof typeof sources]
      const world = scripted()
      const { clock, waiting } = counted(world.clock)
      world.net.answer = answer
      const running = source.open({ ...world.host, clock }, opening(source))
      for (let passed = 0, round = 1; passed < ms; passed += 100, round++) {
        for (const wire of world.net.wires)
          if (!wire.closed && name === 'spot') wire.say(spotDelta('A000USDT', round, round))
        await world.clock.pass(Math.min(100, ms - passed))
      }
      expect(waiting.size).toBeGreaterThan(ms < 20 ? -1 : 0)
      running.close()
      expect(waiting.size).toBe(0)
      const { wires, asked } = world.net
      const begun = [wires.length, asked.length]
      // Answers that were under way come, and sockets end.
      for (const wire of wires) wire.events.close(1006, 'cut')
      await world.clock.pass(60_000)
      expect(waiting.size).toBe(0)
      expect([wires.length, asked.length]).toEqual(begun)
    },
  )
})

test('the clock of one who is closed calls what is due until then, and nothing after', async () => {
  const { clock } = scripted()
  const own = ownClock(clock)
  const called: string[] = []
  own.after(1, () => called.push('first'))
  own.after(2, () => called.push('cancelled'))()
  own.after(3, () => own.close())
  own.after(4, () => called.push('late'))
  await clock.pass(10)
  own.after(0, () => called.push('never'))
  await clock.pass(10)
  expect(called).toEqual(['first'])
  expect(own.now()).toBe(clock.now())
})
