import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { kt, killTree, start, temporary } from './command.ts'

const LONG = 300_000
const root = resolve(import.meta.dirname, '../..')
const SMALL = ['--port', '0', '--pairs', '8', '--rate', '800']

interface Remade {
  readonly ok: boolean
  readonly topics: readonly {
    readonly topic: string
    readonly rows: number
    readonly digest: string
    readonly run: { readonly rows: number; readonly digest: string } | null
  }[]
}

const json = async <T>(...args: readonly string[]): Promise<T> => {
  const { out, err } = await kt(...args, '--json')
  if (out === '') throw new Error(err)
  return JSON.parse(out) as T
}

const rowsOf = ({ topics }: Remade): Readonly<Record<string, number>> =>
  Object.fromEntries(topics.map(({ topic, rows }) => [topic, rows]))

/** Every topic that the run made is there again, and is what the run made. */
const expectEqual = (remade: Remade, least: Readonly<Record<string, number>>): void => {
  for (const { digest, rows, run } of remade.topics) {
    if (run === null) expect(rows).toBe(0)
    else expect({ rows, digest }).toEqual(run)
  }
  expect(remade.ok).toBe(true)
  for (const [topic, rows] of Object.entries(least)) expect(rowsOf(remade)[topic]).toBeGreaterThan(rows)
}

describe('what follows from topics', () => {
  test(
    'is made again beside the run that goes on, killed five times, and is what the run made',
    async () => {
      using folder = temporary()
      const where = ['--data', folder.path]
      const live = start(['graph', 'run', '--source', 'sim', ...where, ...SMALL])
      await pause(22_000)
      const again = ['replay', '--from-topic', 'trade', 'book-delta', '--into', 'second', ...where]
      for (const ms of [900, 1300, 1600, 1900, 2300]) {
        const { child, ended } = start(again)
        await pause(ms)
        killTree(child)
        await ended
      }
      expectEqual(await json<Remade>(...again), { quote: 1000, basis: 1000 })
      const made = join(folder.path, 'rebuilds', 'second')
      expect((await kt('verify', '--data', made)).code).toBe(0)
      live.child.kill('SIGINT')
      expect((await live.ended).code).toBe(0)
      // The run has gone on since: so does what is made of it.
      const whole = await json<Remade>(...again)
      expectEqual(whole, { quote: 1000, basis: 1000 })
      const verified = await kt('verify', '--data', made)
      expect(verified.out).toContain('log = ClickHouse = lake, row for row: 0 lost, 0 duplicated')
      expect((await kt('verify', ...where)).code).toBe(0)
      expect((await kt('replay', '--into', 'second', '--switch', ...where)).code).toBe(0)
      const count = async (): Promise<number> => {
        const [row] = await json<{ rows: string }[]>('sql', 'SELECT count() AS rows FROM quote_current', ...where)
        return Number(row!.rows)
      }
      expect(await count()).toBe(rowsOf(whole)['quote'])
      const early = await kt('replay', '--into', 'second', '--drop', ...where)
      expect([early.code, early.err]).toEqual([64, expect.stringContaining('KT6416') as string])
      expect((await kt('replay', '--into', 'live', '--switch', ...where)).code).toBe(0)
      expect(await count()).toBe(rowsOf(whole)['quote'])
      // One that is killed and given up keeps nothing in the log of the run once it is dropped.
      const { child, ended } = start(['replay', '--from-topic', 'trade', '--into', 'third', ...where])
      while (!existsSync(join(folder.path, 'rebuilds', 'third', 'log', '000000000001.segment'))) await pause(50)
      killTree(child)
      await ended
      for (const name of ['second', 'third'])
        expect((await kt('replay', '--into', name, '--drop', ...where)).code).toBe(0)
      expect(readdirSync(join(folder.path, 'rebuilds'))).toEqual([])
      const holds = readdirSync(join(folder.path, 'log', 'holds')).filter((one) => one.endsWith('.json'))
      expect(holds.filter((one) => one.includes('rebuilds'))).toEqual([])
      const databases = await kt('sql', 'SHOW DATABASES', ...where)
      expect(databases.out).not.toContain('kt_')
    },
    LONG,
  )

  test(
    'is made again as the run goes on, by stages behind stages, when it is asked to follow',
    async () => {
      using folder = temporary()
      const where = ['--data', folder.path]
      const args = ['graph', 'run', 'graph/candles.ts', '--source', 'sim', ...where, ...SMALL]
      const live = start(args)
      await pause(10_000)
      const again = ['replay', '--from-topic', 'trade', '--into', 'second', ...where]
      const followed = await json<Remade>(...again, '--follow', '--for', '12s')
      expectEqual(followed, { 'trade-by-asset': 1000 })
      live.child.kill('SIGINT')
      expect((await live.ended).code).toBe(0)
      const whole = await json<Remade>(...again)
      expectEqual(whole, { 'trade-by-asset': 1000, candle: 10 })
      expect(rowsOf(whole)['trade-by-asset']).toBeGreaterThan(rowsOf(followed)['trade-by-asset']!)
    },
    LONG,
  )
})

describe('a lake', () => {
  test(
    'makes everything again, killed three times, also what a new operator would have made',
    async () => {
      using folder = temporary()
      const live = join(folder.path, 'live')
      const args = ['graph', 'run', '--source', 'sim', '--data', live, ...SMALL]
      expect((await kt(...args, '--for', '25s')).code).toBe(0)
      const other = join(folder.path, 'other')
      const again = ['graph', 'run', '--source', `lake:${live}`, '--data', other, '--port', '0']
      for (const ms of [1500, 2500, 3500]) {
        const { child, ended } = start(again)
        await pause(ms)
        killTree(child)
        await ended
      }
      expectEqual(await json<Remade>(...again), { quote: 1000, funding: 0, basis: 1000 })
      expect((await kt('verify', '--data', other)).code).toBe(0)
      // Another graph over the same rows: what it has in common is equal, what is new is new.
      const file = join(folder.path, 'more.ts')
      writeFileSync(file, MORE)
      const third = join(folder.path, 'third')
      const lake = ['--source', `lake:${join(live, 'lake')}`, '--data', third, '--port', '0']
      const { topics } = await json<Remade>('graph', 'run', file, ...lake)
      expect(topics.map(({ topic, run }) => [topic, run === null])).toEqual([['candle-1s', true]])
      const query = `SELECT sum(trades) AS trades FROM (SELECT max_by(trades, revision) AS trades FROM candle GROUP BY instrument, start)`
      const [bars] = await json<{ trades: number }[]>('sql', '--on', 'lake', query, '--data', third)
      const [all] = await json<{ n: number }[]>('sql', '--on', 'lake', 'SELECT count(*) AS n FROM trade', '--data', live)
      expect(bars!.trades).toBeGreaterThan(0.8 * all!.n)
    },
    LONG,
  )

  test(
    'that never stored what a graph is made of is refused, and so is a change of what is made',
    async () => {
      using folder = temporary()
      const live = join(folder.path, 'live')
      const args = ['graph', 'run', 'graph/candles.ts', '--source', 'sim', '--data', live, ...SMALL]
      expect((await kt(...args, '--for', '12s')).code).toBe(0)
      const other = join(folder.path, 'other')
      const wrong = await kt('graph', 'run', '--source', `lake:${live}`, '--data', other, '--port', '0')
      expect([wrong.code, wrong.err]).toEqual([64, expect.stringContaining('KT6413') as string])
      const into = ['--into', 'second', '--data', live]
      expect((await kt('replay', '--from-topic', 'trade', ...into)).code).toBe(0)
      const mixed = await kt('replay', '--from-topic', 'trade-by-asset', ...into)
      expect([mixed.code, mixed.err]).toEqual([1, expect.stringContaining('KT5031') as string])
      for (const [topic, code] of [
        ['nothing', 'KT1021'],
        ['candle', 'KT1022'],
      ] as const) {
        const { code: exit, err } = await kt('replay', '--from-topic', topic, '--into', 'third', '--data', live)
        expect([exit, err]).toEqual([65, expect.stringContaining(code) as string])
      }
    },
    LONG,
  )
})

/** One that makes bars of a second, of all trades that the topic has. */
const MORE = `import { graph, topic } from '${root}/graph/index.ts'
import { byPair, candle, trade } from '${root}/market/index.ts'
import { bars, normalize } from '${root}/operators/index.ts'
import { lake } from '${root}/sinks/index.ts'
import { binance } from '${root}/sources/index.ts'

export default graph('more', (g) => {
  const spot = g.source(binance.spot, { universe: { quote: 'USDT' }, channels: ['trade'], keep: byPair })
  const trades = spot.trade.via(normalize(trade))
  trades.through(topic('trade', { schema: trade, key: byPair }))
  trades.via(bars('1s')).through(topic('candle-1s', { schema: candle, key: byPair })).to(lake(candle))
})
`
