import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import type { Recorded } from '../../sources/replay.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { memoryObjects } from '../runtime/world.ts'
import { hasRecordings, recordings } from '../recordings.ts'
import { kt, temporary } from './command.ts'
import { digestOf, live, of, planned, play } from './replay-run.ts'
import type { Played, Row } from './replay-run.ts'
import { tapeOf } from './replay-seed.ts'

const SET_A = join(recordings, 'binance/demo-20230405-funding')
const SET_C = join(recordings, 'bybit/v5_spot_linear_btc_sol_20260809.jsonl.zst')
const REALISED = join(recordings, 'funding/binance_btcusdt_funding_2020-01-01_2024-01-01.csv.gz')
const a = hasRecordings('replays of set A', SET_A, REALISED)
const c = hasRecordings('replays of set C', SET_C)
const PERP = 'binance:perp:BTC-USDT'

/**
 * Play set C into a folder, and its log into a lake: the digest of the rows, and of every file of the lake.
 */
const laked = async () => {
  using folder = temporary()
  const log = await segmentLog(join(folder.path, 'log'))
  await live({ paths: [SET_C] }, { clock: new VirtualClock(0), log, objects: memoryObjects() }, undefined)
  const objects = memoryObjects()
  const sinks = planned.sinks.map(({ sink, topic }) => ({
    topic: topic.name,
    partitions: topic.partitions,
    sink,
  }))
  const clock = systemClock()
  const positions = memoryObjects()
  const both = { log, objects, positions, clock, format: parquet }
  const load = runLake({ graph: planned.name, ...both, sinks, cut: 'events' })
  await load.drain()
  const digest = await digestOf(log)
  await log.close()
  const sum = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  return { digest, files: [...objects.files].map(([path, bytes]) => `${path} ${sum(bytes)}`).toSorted() }
}

describe.skipIf(!c)('a replay of Bybit of August 2026', () => {
  const whole = c ? play({ paths: [SET_C] }) : undefined

  test.each([
    ['again at full speed', {}],
    ['a thousand times as fast as it was', { speed: 1000 }],
    ['a hundred times as fast as it was', { speed: 100 }],
    ['in batches of a hundred rows, which may wait 50 ms', { lingerMs: 50, rowsMax: 100 }],
    ['in batches of one row', { lingerMs: 0, rowsMax: 1 }],
    ['stopped after its first message, and taken up again', { stops: [1] }],
    ['stopped in the middle, and taken up again', { stops: [500] }],
    ['stopped three times in other batches', { stops: [150, 151, 800], lingerMs: 20, rowsMax: 100 }],
    ['killed in the middle, and taken up again', { stops: [500], killed: true }],
    ['killed twice, and taken up again', { stops: [333, 901], killed: true, lingerMs: 50 }],
  ] as const)('has the same rows %s', async (_, how) => {
    const { digest, rows } = await play({ paths: [SET_C], ...how })
    const counts = (of: Played['rows']) =>
      Object.entries(of)
        .map(([schema, all]) => [schema, all.length])
        .toSorted()
    expect(counts(rows)).toEqual(counts((await whole!).rows))
    expect(digest).toBe((await whole!).digest)
  })

  test('has another digest when one message is missing', async () => {
    let messages = 0
    const drop = (one: Recorded): boolean =>
      one.source === 'bybit.linear' && one.what === 'message' && one.channel === 'trade' && messages++ === 30
    const { digest } = await play({ paths: [SET_C], drop })
    expect(digest).not.toBe((await whole!).digest)
  })

  test('makes the same lake, byte for byte, in a fresh folder', async () => {
    const [one, other] = [await laked(), await laked()]
    console.info(`set C: ${one.files.length} files of the lake are the same`)
    expect(one.files).toEqual(other.files)
    expect(one.files.filter((file) => file.includes('_delta_log')).length).toBeGreaterThan(3)
    expect(one.files.filter((file) => file.includes('.parquet')).length).toBeGreaterThan(3)
    expect([one.digest, other.digest]).toEqual(Array<string>(2).fill((await whole!).digest))
  })

  test('has the funding of both perpetuals, whose intervals the venue says', async () => {
    const { rows } = await whole!
    const says = ['instrument', 'kind', 'intervalHours', 'intervalFrom'] as const
    expect(new Set(rows['funding']!.map((row) => says.map((column) => row[column]).join()))).toEqual(
      new Set(['bybit:perp:BTC-USDT,estimate,8,venue', 'bybit:perp:SOL-USDT,estimate,8,venue']),
    )
    expect(rows['mark']!.length).toBe(116)
  })

  test('has the basis of the perpetual to the spot of Bybit, live until the recording ends', async () => {
    const { rows } = await whole!
    const bybit = { pair: 'BTC-USDT', kind: 'spot-perp', perp: 'bybit:perp:BTC-USDT' }
    const legs = { ...bybit, reference: 'bybit:spot:BTC-USDT' }
    // Neither best price moved in these 43 seconds, so that one row stands for all of them.
    expect(rows['basis']).toMatchObject([
      { ...legs, state: 'live', why: '', perpMid: 65_114.25, referenceMid: 65_140.45, referenceApr: 0 },
      { ...legs, state: 'withheld', why: 'perp session down', bps: null },
    ])
    const [live, ended] = rows['basis']!
    expect(live!['bps']).toBeCloseTo(-4.022, 3)
    expect(live!['carryApr']).toBeCloseTo(0.1095, 9)
    expect(Number(ended!['received']) - Number(live!['received'])).toBeGreaterThan(40_000_000)
  })
})

/** The realised rate of a settlement; the table's dates are three hours ahead of UTC. */
const realised = (date: string): number => {
  const lines = gunzipSync(readFileSync(REALISED)).toString().split('\n')
  return Number(lines.find((line) => line.startsWith(`BTC-USDT,${date}`))?.split(',')[2])
}

describe.skipIf(!a)('a replay of Binance over the settlement of 2023-04-05', () => {
  const ROLL = 1_680_652_800_000_000
  const late = (one: { readonly received: number }): boolean => one.received > ROLL + 10_000_000
  const kindsOf = (played: Played, kind: string): readonly Row[] =>
    of(played, 'funding', PERP).filter((row) => row['kind'] === kind)

  const paid = a ? realised('2023-04-05 03:00') : 0

  test('learns the interval of eight hours when the period rolls over, and guesses nothing before', async () => {
    const played = await play({ paths: [SET_A], drop: late })
    expect(of(played, 'mark', PERP).filter((row) => Number(row['time']) < ROLL).length).toBeGreaterThan(90)
    const [last, first] = of(played, 'funding', PERP)
    expect(last).toMatchObject({ kind: 'final', intervalHours: 8, intervalFrom: 'next', fundingTime: ROLL })
    expect(last!['rate']).toBe(paid)
    const next = { intervalHours: 8, intervalFrom: 'observed', fundingTime: ROLL + 8 * 3_600_000_000 }
    expect(first).toMatchObject({ kind: 'estimate', ...next })
    expect(Number(last!['time'])).toBeGreaterThanOrEqual(ROLL)
    expect(kindsOf(played, 'final')).toHaveLength(1)
    const basis = played.rows['basis']!.map((row) => [row['kind'], row['state'], row['why'], row['bps']])
    expect(basis).toEqual([['spot-perp', 'withheld', 'reference syncing', null]])
  })

  test('pays what the venue later listed as paid, where the venue says the interval', async () => {
    const told = JSON.stringify([{ symbol: 'BTCUSDT', fundingIntervalHours: 8 }])
    const said = tapeOf({
      what: 'message',
      received: ROLL - 60_000_000,
      source: 'binance.usdm',
      channel: 'fundingInfo',
      symbol: undefined,
      connection: 0,
      epoch: 0,
      bytes: new TextEncoder().encode(told),
    })
    const played = await play({ paths: [SET_A], drop: late, extra: [said] })
    expect(played.deadLetters).toBe(0)
    const finals = kindsOf(played, 'final')
    const marks = of(played, 'mark', PERP).filter((row) => Number(row['fundingTime']) === ROLL)
    console.info(
      `set A: final ${String(finals[0]?.['rate'])}, realised ${paid}, first seen ${String(marks[0]!['rate'])}`,
    )
    expect(finals).toHaveLength(1)
    const of8h = { intervalHours: 8, intervalFrom: 'venue', fundingTime: ROLL }
    expect(finals[0]).toMatchObject({ rate: marks.at(-1)!['rate'], ...of8h })
    expect(Number(finals[0]!['rate'])).toBe(paid)
  })
})

describe('the plan of a replay', () => {
  test.skipIf(!a)(
    'says that set A has no list of intervals, no spot snapshot, and nothing of Bybit',
    async () => {
      using folder = temporary()
      const file = join(folder.path, 'plan.json')
      expect((await kt('graph', 'plan', '--source', `replay:${SET_A}`, '--out', file)).code).toBe(2)
      type Planned = {
        readonly absent: readonly { readonly node: string; readonly below: readonly string[] }[]
      }
      const { absent } = JSON.parse(readFileSync(file, 'utf8')) as Planned
      const bybit = ['spot.trade', 'spot.book', 'linear.trade', 'linear.book', 'linear.mark']
      const nodes = [
        'binance.spot.book',
        'binance.usdm.fundingInfo',
        ...bybit.map((channel) => `bybit.${channel}`),
      ]
      expect(absent.map(({ node }) => node)).toEqual(nodes)
      expect(absent.slice(0, 2)).toMatchObject([
        { below: ['quote', 'basis'], means: 'have no trust in it' },
        { below: ['funding', 'basis'], means: 'lack its rows' },
      ])
    },
  )

  test.skipIf(!c)('says in words that set C has nothing of Binance', async () => {
    const { code, out } = await kt('graph', 'plan', '--source', `replay:${SET_C}`)
    expect(code).toBe(2)
    for (const node of [
      'spot.trade',
      'spot.book',
      'usdm.trade',
      'usdm.book',
      'usdm.mark',
      'usdm.fundingInfo',
    ])
      expect(out).toMatch(
        new RegExp(`absent +binance.${node}: the recording has no such channel; .*lack its rows`),
      )
    expect(out).not.toContain('absent    bybit.')
  })
  test.skipIf(!c)('is told again beside what came of it, with the outputs that have no rows', async () => {
    using folder = temporary()
    const file = 'graph/ticker-basis.ts'
    const where = ['--source', `replay:${SET_C}`, '--data', join(folder.path, 'run'), '--port', '0']
    const { code, out, err } = await kt('graph', 'run', file, ...where)
    expect(code, err).toBe(0)
    expect(err).toContain(
      '! bybit.spot.ticker: the recording has no such channel; quote, basis lack its rows',
    )
    const nodes = ['binance.spot.ticker', 'binance.usdm.ticker', 'bybit.spot.ticker', 'bybit.linear.ticker']
    expect(out).toContain(`quote: no rows; the recording lacks ${nodes.join(', ')}`)
    expect(out).toMatch(/basis: no rows; the recording lacks .*bybit.linear.ticker/)
    expect(out).not.toContain('funding: no rows')
    const again = await kt('graph', 'run', file, ...where)
    expect(again.out).toContain('nothing is new: this recording was read before')
    expect(again.out).not.toContain('no rows')

    const verify = `${process.execPath} cli/main.ts verify --data ${join(folder.path, 'run')}`
    const { stdout, error } = spawnSync('script', ['-qec', verify, '/dev/null'], { encoding: 'utf8' })
    if (error === undefined) expect(stdout).toContain('comparing funding, 2 of 10')
  })
})
