import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { kt, temporary } from './command.ts'

const root = resolve(import.meta.dirname, '../..')

const json = async <T>(...args: readonly string[]): Promise<T> => {
  const { out, err } = await kt(...args, '--json')
  if (out === '') throw new Error(err)
  return JSON.parse(out) as T
}

/** A graph of an event of its own, which says what it was in every version. */
const graphOf = (version: number, extra: string, level: string, fee: string): string => `
import { count, float, graph, int, micros, name, operator, optional, plain, schema, since, topic, widened } from '${root}/graph/index.ts'
import { byInstrument, byPair, trade } from '${root}/market/index.ts'
import { normalize } from '${root}/operators/index.ts'
import { clickhouse, lake } from '${root}/sinks/index.ts'
import { binance } from '${root}/sources/index.ts'

void [count, float, optional, since, widened]
const tick = schema('tick', 'a trade, seen', {
  venue: name('who'),
  instrument: name('what'),
  time: micros('when'),
  received: micros('when'),
  level: ${level},
  ${extra}
}, ${version})
const ticks = operator({
  name: 'ticks',
  inputs: { trade },
  outputs: [tick],
  key: byInstrument,
  state: plain(1, () => ({ seen: 0 })),
  on: {
    trade: (state, { venue, instrument, time, received, price }, emit) => {
      emit.tick({ venue, instrument, time, received, level: ++state.seen, ${fee} })
    },
  },
})
export default graph('own', (g) => {
  const spot = g.source(binance.spot, { universe: { quote: 'USDT' }, channels: ['trade'], keep: byPair })
  const trades = spot.trade.via(normalize(trade))
  trades.through(topic('trade', { schema: trade, key: byPair }))
  trades.via(ticks).through(topic('tick', { schema: tick, key: byPair })).to(clickhouse(tick), lake(tick))
})
`
const ONE = graphOf(1, '', "int('how many so far')", '')
const FEE = "fee: since(2, optional(float('of it'))),"
const LEVEL = "widened(2, int(''), float('how many so far'))"
const TWO = graphOf(2, FEE, LEVEL, 'fee: price / 1000')

test(
  'an event gains a column and a wider one while its topic, ClickHouse and the lake keep what they have',
  async () => {
    using folder = temporary()
    const file = join(folder.path, 'own.ts')
    const data = join(folder.path, 'data')
    const args = ['graph', 'run', file, '--source', 'sim', '--data', data, '--port', '0', '--pairs', '4']
    const run = (text: string) => {
      writeFileSync(file, text)
      return kt(...args, '--rate', '400', '--for', '9s')
    }
    const plan = () => kt('graph', 'plan', file, '--source', 'sim', '--data', data)
    const first = await run(ONE)
    expect(first.code, first.err).toBe(0)
    const [before] = await json<{ n: string }[]>('sql', 'SELECT count() AS n FROM tick', '--data', data)
    expect(Number(before!.n)).toBeGreaterThan(50)

    writeFileSync(file, TWO)
    const planned = await plan()
    expect(planned.code).toBe(2)
    for (const line of [
      'tick: tick/1 -> tick/2, online',
      '+ fee: optional float',
      '~ level: int -> float',
      'ALTER TABLE `tick` ADD COLUMN IF NOT EXISTS `fee` Nullable(Float64)',
      'ALTER TABLE `tick` MODIFY COLUMN `level` Float64',
    ])
      expect(planned.out).toContain(line)
    const second = await run(TWO)
    expect(second.code, second.err).toBe(0)
    const verified = await kt('verify', '--data', data)
    expect(verified.out).toContain('log = ClickHouse = lake, row for row: 0 lost, 0 duplicated')

    const query = `SELECT count(*) AS n, count(fee) AS fees, count(DISTINCT level) AS levels FROM tick`
    for (const on of ['clickhouse', 'lake']) {
      const [row] = await json<Record<string, string>[]>('sql', '--on', on, query, '--data', data)
      const { n, fees, levels } = row!
      expect(Number(n) - Number(fees)).toBe(Number(before!.n))
      expect(Number(fees)).toBeGreaterThan(50)
      expect(Number(levels)).toBeGreaterThan(10)
    }
    // The operator went on from its state: levels of an instrument have no hole between the versions.
    const holes = `SELECT count(*) AS n FROM (SELECT instrument, max(level) - count(*) AS more FROM tick GROUP BY instrument) WHERE more <> 0`
    expect(await json('sql', '--on', 'lake', holes, '--data', data)).toEqual([{ n: 0 }])
    const { out } = await kt('topic', 'tail', 'tick', '-n', '100000', '--data', data)
    const fees = out.trim().split('\n').map((line) => (JSON.parse(line) as { fee: number | null }).fee)
    expect([fees[0], typeof fees.at(-1)]).toEqual([null, 'number'])

    const version = async () => (await json<{ n: string }[]>('sql', 'SELECT count() AS n FROM tick', '--data', data))[0]!.n
    const held = await version()
    for (const [text, why] of [
      [ONE, 'They are of version 2'],
      [graphOf(2, '', LEVEL, ''), 'Column "fee" is gone'],
      [graphOf(2, FEE, "text('how many')", 'fee: 1').replace('count, float,', 'count, float, text,'), 'Column "level" was float'],
      [graphOf(2, FEE + "more: optional(float('')),", LEVEL, 'fee: 1, more: 1'), 'Column "more" was not there'],
    ] as const) {
      writeFileSync(file, text)
      for (const refused of [await plan(), await kt(...args, '--for', '3s')]) {
        expect([refused.code, refused.err]).toEqual([65, expect.stringContaining('KT1025') as string])
        expect(refused.err).toContain(why)
        expect(refused.err).toContain('kt replay --from-topic')
      }
    }
    expect(await version()).toBe(held)
  },
  240_000,
)
