import { createHash } from 'node:crypto'
import { globSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { hasRecordings, recordings } from '../recordings.ts'
import { kt, killTree, start, temporary } from './command.ts'

const GRAPH = 'graph/candles.ts'
const root = resolve(import.meta.dirname, '../..')
const LONG = 240_000
const SET_C = join(recordings, 'bybit/v5_spot_linear_btc_sol_20260809.jsonl.zst')
const c = hasRecordings('replays of set C', SET_C)

interface Verified {
  readonly ok: boolean
  readonly digest: string
  readonly findings: readonly string[]
  readonly topics: readonly { readonly topic: string; readonly log: number }[]
}

const json = async <T>(...args: readonly string[]): Promise<T> => {
  const { out, err } = await kt(...args, '--json')
  if (out === '') throw new Error(err)
  return JSON.parse(out) as T
}

/** Trades of each candle's ten seconds, counted anew from the trade table, where the two differ. */
const DIFFERENT = `
  WITH made AS (
    SELECT instrument, start, arg_max(trades, revision) AS trades FROM candle GROUP BY ALL
  ), counted AS (
    SELECT instrument, time_bucket(INTERVAL 10 seconds, time) AS start, count(*) AS trades FROM trade GROUP BY ALL
  )
  SELECT made.instrument, made.start, made.trades, counted.trades AS counted
  FROM made LEFT JOIN counted USING (instrument, start) WHERE made.trades IS DISTINCT FROM counted.trades`

describe('a graph file of several stages', () => {
  test(
    'loses and doubles nothing when the whole tree is killed',
    async () => {
      using folder = temporary()
      const where = ['--data', folder.path]
      const args = [
        'graph',
        'run',
        GRAPH,
        '--source',
        'sim',
        ...where,
        '--port',
        '0',
        '--pairs',
        '8',
        '--rate',
        '800',
      ]
      for (const ms of [4000, 9000, 6000]) {
        const { child, ended } = start(args)
        await pause(ms)
        killTree(child)
        await ended
      }
      const { code, err } = await start([...args, '--for', '13s']).ended
      expect(code, err).toBe(0)
      const verified = await json<Verified>('verify', ...where)
      expect(verified.findings).toEqual([])
      const rows = new Map(verified.topics.map(({ topic, log }) => [topic, log]))
      expect(rows.get('trade')).toBeGreaterThan(1000)
      expect(rows.get('trade-by-asset')).toBe(rows.get('trade'))
      expect(rows.get('candle')).toBeGreaterThan(20)
      expect(await json('sql', '--on', 'lake', DIFFERENT, ...where)).toEqual([])
      const holds = readdirSync(join(folder.path, 'log/holds')).map(decodeURIComponent)
      expect(holds).toEqual(
        expect.arrayContaining(['candles/trade-by-asset/0.json', 'candles/bars.10s/0.json']),
      )
      const held = JSON.parse(
        readFileSync(
          join(folder.path, 'log/holds', encodeURIComponent('candles/bars.10s/0') + '.json'),
          'utf8',
        ),
      ) as readonly { readonly topic: string }[]
      expect(held.filter(({ topic }) => topic === 'trade-by-asset')).toHaveLength(4)
      const { code: planned, out } = await kt('graph', 'plan', GRAPH, '--source', 'sim', ...where)
      expect([planned, out.split('\n').at(-2)]).toEqual([0, 'nothing would change'])
    },
    LONG,
  )

  test(
    'makes of the first trades what they were when a stage is added later',
    async () => {
      using folder = temporary()
      const file = join(folder.path, 'late.ts')
      const data = join(folder.path, 'data')
      const args = ['graph', 'run', file, '--source', 'sim', '--data', data, '--port', '0', '--pairs', '4']
      writeFileSync(file, lateGraph(''))
      expect((await kt(...args, '--rate', '400', '--for', '12s')).code).toBe(0)
      const stage = "trades.via(bars('1s')).through(topic('candle', { schema: candle, key: byPair }))"
      writeFileSync(file, lateGraph(`${stage}.to(clickhouse(candle), lake(candle))`))
      const { code, out } = await kt('graph', 'plan', file, '--source', 'sim', '--data', data)
      expect(code).toBe(2)
      expect(out).toMatch(/\+ operator +bars\.1s\n\+ topic +candle/)
      expect((await kt(...args, '--rate', '400', '--for', '6s')).code).toBe(0)
      expect((await json<Verified>('verify', '--data', data)).findings).toEqual([])
      const query = `SELECT (SELECT min(start) FROM candle) <= (SELECT min(time) FROM trade) AS whole`
      expect(await json('sql', '--on', 'lake', query, '--data', data)).toEqual([{ whole: true }])
    },
    LONG,
  )

  const whole = c ? replayed([[]]) : undefined
  // Each test that waits for it says what went wrong.
  whole?.catch(() => {})

  test.skipIf(!c).each([
    ['again', [[]]],
    ['two hundred times as fast as it was', [['--speed', '200']]],
    ['in batches of a hundred rows, which may wait 50 ms', [['--linger', '50', '--rows-max', '100']]],
    ['in batches of one row', [['--linger', '0', '--rows-max', '1']]],
    ['stopped in the middle, and taken up again', [['--max-events', '600'], []]],
  ] as const)(
    'has the same rows in a replay %s',
    async (_, runs) => {
      const { digest, rows } = await replayed(runs)
      expect(rows).toEqual((await whole!).rows)
      expect(digest).toBe((await whole!).digest)
      expect(rows.find(([topic]) => topic === 'candle')![1]).toBeGreaterThan(0)
    },
    LONG,
  )

  test.skipIf(!c)(
    'makes the same lake, byte for byte, at another speed',
    async () => {
      const { lake } = await replayed([['--speed', '300']])
      expect(lake.length).toBeGreaterThan(10)
      expect(lake).toEqual((await whole!).lake)
    },
    LONG,
  )

  test.skipIf(!c)(
    'has the same rows in a replay that is killed and taken up again',
    async () => {
      using folder = temporary()
      const args = [...replaying(folder.path), '--speed', '20']
      const { child, ended } = start(args)
      const state = { over: false }
      void ended.then(() => (state.over = true))
      while (!state.over && sizeOf(join(folder.path, 'log')) < 30_000) await pause(10)
      expect(state.over).toBe(false)
      killTree(child)
      await ended
      expect((await kt(...replaying(folder.path))).code).toBe(0)
      expect((await verified(folder.path)).digest).toBe((await whole!).digest)
    },
    LONG,
  )
})

/** A graph file outside of the project: trades, and what comes behind their topic. */
function lateGraph(behind: string): string {
  const from = (floor: string): string => JSON.stringify(join(root, floor, 'index.ts'))
  return `
import { graph, topic } from ${from('graph')}
import { byPair, candle, trade } from ${from('market')}
import { bars, normalize } from ${from('operators')}
import { clickhouse, lake } from ${from('sinks')}
import { binance } from ${from('sources')}
export default graph('late', (g) => {
  const spot = g.source(binance.spot, { universe: { quote: 'USDT' }, channels: ['trade'], keep: byPair })
  const trades = spot.trade.via(normalize(trade)).through(topic('trade', { schema: trade, key: byPair }))
  trades.to(clickhouse(trade), lake(trade))
  ${behind}
})
`
}

function replaying(folder: string): readonly string[] {
  return ['graph', 'run', GRAPH, '--source', `replay:${SET_C}`, '--data', folder, '--port', '0', '--quiet']
}

/** Replay set C into a folder of its own, in one run or several that go on with each other. */
async function replayed(runs: readonly (readonly string[])[]) {
  using folder = temporary()
  for (const options of runs) {
    const { code, err } = await kt(...replaying(folder.path), ...options)
    expect(code, err).toBe(0)
  }
  const { digest, topics, findings } = await verified(folder.path)
  expect(findings).toEqual([])
  return { digest, rows: topics.map(({ topic, log }) => [topic, log] as const), lake: lakeOf(folder.path) }
}

/** A checksum of every file of a lake. */
const lakeOf = (folder: string): readonly string[] =>
  globSync('**/*', { cwd: join(folder, 'lake') })
    .toSorted()
    .filter((name) => statSync(join(folder, 'lake', name)).isFile())
    .map((name) => {
      const bytes = readFileSync(join(folder, 'lake', name))
      return `${name} ${createHash('sha256').update(bytes).digest('hex')}`
    })

const verified = (folder: string): Promise<Verified> =>
  json('verify', '--digest', '--on', 'lake', '--data', folder)

const sizeOf = (folder: string): number =>
  globSync('**/*', { cwd: folder })
    .map((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0)
    .reduce((sum, size) => sum + size, 0)
