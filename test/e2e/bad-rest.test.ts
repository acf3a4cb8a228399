import { describe, expect, test } from 'vitest'
import { binance } from '../../sources/index.ts'
import { opening, scripted } from '../sources/world.ts'
import type { Reply } from '../sources/world.ts'
import { deltaOf, LISTED, running, seedOf, tradeOf } from './bad-world.ts'

describe('a venue that refuses by REST is asked no more than it bears, and each refusal says what to do', () => {
  const minutes = 10
  const cases: readonly (readonly [string, Reply | undefined, number, RegExp])[] = [
    ['418', { status: 418, headers: { 'retry-after': '240' } }, 3, /banned/],
    ['429', { status: 429 }, 11, /Too much was asked/],
    ['451', { status: 451 }, 1, /does not serve this place/],
    ['500', { status: 500 }, 25, /^$/],
    ['no answer', undefined, 20, /network, DNS and proxy/],
  ]
  for (const [name, reply, most, fix] of cases) {
    test(`${name}: the list of instruments, at most ${most} times in ${minutes} minutes`, async () => {
      let refusing = true
      const world = scripted()
      const { clock, net, notes, host, system } = world
      net.answer = () => (refusing ? reply : { body: LISTED })
      const source = binance.spot.open(host, opening(binance.spot))
      await clock.pass(minutes * 60_000 - 1)
      expect(net.asked.length).toBeGreaterThan(0)
      expect(net.asked.length).toBeLessThanOrEqual(most)
      const refused = notes.filter(({ what }) => what === 'request was refused')
      expect(refused.length).toBeGreaterThan(0)
      expect(refused.at(-1)!.level).toBe(name === '500' && refused.length === 1 ? 'info' : 'warn')
      expect(String(refused.at(-1)!.facts['fix'] ?? '')).toMatch(fix)
      refusing = false
      await clock.pass(11 * 60_000)
      expect(system.filter(({ schema }) => schema === 'instrument')).toHaveLength(3)
      source.close()
    })

    test(`${name}: a snapshot; trades and the other books go on`, async () => {
      let refused = false
      const { all, clock, rows, trust, notes, net } = await running((path) =>
        path.includes('ETHUSDT') ? ((refused = true), reply) : { body: seedOf(100) },
      )
      await all((symbol) => deltaOf(symbol, 101))
      await clock.pass(30_000)
      expect(refused).toBe(true)
      await all((symbol) => tradeOf(symbol, 1))
      expect(rows('trade')).toHaveLength(3)
      expect(trust()['ETH-USDT']).not.toBe('live')
      expect(net.asked.filter(({ path }) => path.includes('ETHUSDT')).length).toBeLessThanOrEqual(8)
      expect(notes.some(({ what }) => what === 'request was refused')).toBe(true)
    })
  }
})
