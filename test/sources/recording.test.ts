import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import type { Opening } from '../../graph/source.ts'
import { continues } from '../../market/sequence.ts'
import { openCapture } from '../../sources/driver/capture.ts'
import { cut } from '../../sources/driver/cut.ts'
import { openRecording } from '../../sources/driver/recording.ts'
import type { RecordingOptions } from '../../sources/driver/recording.ts'
import { merge } from '../../sources/merge.ts'
import type { Recorded } from '../../sources/replay.ts'
import { binance, bybit, markets } from '../../sources/index.ts'
import { hasRecordings, recordings } from '../recordings.ts'
import { opening, scripted } from './world.ts'
import type { Emitted } from './world.ts'

const there = hasRecordings('the readers, over real recordings', recordings)

const folder = mkdtempSync(join(tmpdir(), 'kt-recording-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** All that a recording makes, through the readers that live sources use. */
const play = async (options: Partial<RecordingOptions> & { readonly paths: readonly string[] }, part: Partial<Opening> = {}) => {
  const recording = await openRecording({ sources: markets, ...options })
  const world = scripted()
  const channels = (name: string) => recording.has.filter((one) => one.source === name).map(({ channel }) => channel)
  for (const source of markets) recording.open(source, world.host, opening(source, { ...part, channels: channels(source.name) }))
  let before = 0
  for (let batch = await recording.next(); batch !== undefined; batch = await recording.next()) {
    for (const { received, deliver } of batch) {
      if (received < before) throw new Error(`time goes back from ${before} to ${received}`)
      before = received
      world.clock.set(received)
      deliver()
    }
  }
  const count = (schema: string, instrument: string, also: (row: Emitted['row']) => boolean = () => true): number =>
    world.rows.filter((one) => one.schema === schema && one.row['instrument'] === instrument && also(one.row)).length
  return { recording, ...world, count }
}

const delta = (row: Emitted['row']): boolean => row['snapshot'] === false
const snapshot = (row: Emitted['row']): boolean => row['snapshot'] === true

/** Holes in the ids of each instrument's rows, by the one gap rule; a snapshot begins anew. */
const holes = (rows: readonly Emitted[]): number => {
  const applied = new Map<string, number>()
  let found = 0
  for (const { schema, row } of rows) {
    const [first, last] = [row['first'], row['last']]
    if (typeof first !== 'number' || typeof last !== 'number' || row['origin'] === 'rest') continue
    const key = `${schema} ${String(row['instrument'])}`
    const at = applied.get(key)
    const verdict = at === undefined || snapshot(row) ? 'apply' : continues(at, first, last)
    if (verdict === 'gap') found += 1
    if (verdict !== 'repeat') applied.set(key, last)
  }
  return found
}

const numbersOf = (rows: readonly Emitted[]): readonly number[] => rows.flatMap(({ row }) => Object.values(row).flat()).filter((one) => typeof one === 'number')

describe.skipIf(!there)('the recordings, as their page counts them', () => {
  test('set B: spot and futures books and trades of August 2024, without a hole', async () => {
    const { count, errors, rows, recording, system } = await play({ paths: [`${recordings}/binance/demo-20240808-btc/{spot,usdm}*`, `${recordings}/binance/demo-20240808-btc/*0809.gz`] })
    expect(errors).toEqual([])
    expect(recording.files.map((file) => file.split('/').at(-1))).toHaveLength(4)
    expect(count('trade', 'binance:spot:BTC-USDT')).toBe(9_757 + 10_147)
    expect(count('bookDelta', 'binance:spot:BTC-USDT', delta)).toBe(3_451 + 3_044)
    expect(count('trade', 'binance:perp:BTC-USDT')).toBe(21_313)
    expect(count('bookDelta', 'binance:perp:BTC-USDT', delta)).toBe(6_551)
    expect(rows.filter(({ row }) => snapshot(row)).map(({ row }) => [row['instrument'], row['last'], row['origin']])).toEqual([
      ['binance:spot:BTC-USDT', 50_093_239_218, 'rest'], ['binance:perp:BTC-USDT', 5_123_107_852_948, 'rest'],
    ])
    expect(holes(rows)).toBe(0)
    expect(numbersOf(rows).every(Number.isFinite)).toBe(true)
    expect(recording.absent).toContainEqual({ source: 'binance.usdm', channel: 'mark' })
    expect(system.filter(({ schema }) => schema === 'instrument').map(({ row }) => [row['instrument'], row['tickSize']])).toEqual([
      ['binance:spot:BTC-USDT', 0], ['binance:perp:BTC-USDT', 0],
    ])
    const lag = rows.filter(({ schema }) => schema === 'trade').map(({ row }) => (row['received'] as number) - (row['time'] as number))
    expect(lag.toSorted((a, b) => a - b)[lag.length >> 1]).toBeLessThan(-1_000_000)
  }, 120_000)

  test('set A has a best price at each of its channels, and no snapshot that the books of spot begin with', async () => {
    const { recording, count, errors, rows } = await play({ paths: [`${recordings}/binance/demo-20230405-funding`], channels: { 'binance.spot': ['book', 'ticker'], 'binance.usdm': ['book', 'ticker', 'fundingInfo'] } })
    expect(errors).toEqual([])
    expect(recording.has.map(({ source, channel, frames }) => [source, channel, frames])).toEqual(expect.arrayContaining([
      ['binance.spot', 'ticker', 8_015], ['binance.spot', 'book', 3_929], ['binance.usdm', 'ticker', 44_205], ['binance.usdm', 'book', 16_110],
    ]))
    expect(recording.has).toHaveLength(4)
    expect(recording.unseeded).toEqual([{ source: 'binance.spot', channel: 'book' }])
    expect(recording.absent.filter(({ source }) => source.startsWith('binance'))).toEqual([{ source: 'binance.usdm', channel: 'fundingInfo' }])
    expect([count('ticker', 'binance:spot:BTC-USDT'), count('ticker', 'binance:perp:BTC-USDT'), count('trade', 'binance:perp:BTC-USDT')]).toEqual([8_015, 44_205, 0])
    const prices = rows.filter(({ schema }) => schema === 'ticker')
    expect(prices.every(({ row }) => row['first'] === null && (row['bid'] as number) < (row['ask'] as number))).toBe(true)
  }, 120_000)

  test('set A: marks over the settlement of April 2023; the one fill of the insurance fund is covered', async () => {
    const { count, errors, rows } = await play({ paths: [`${recordings}/binance/demo-20230405-funding`] })
    expect(errors).toEqual([])
    expect(count('bookDelta', 'binance:perp:BTC-USDT', delta)).toBe(16_110)
    expect(count('bookDelta', 'binance:spot:BTC-USDT', delta)).toBe(3_929)
    expect(count('trade', 'binance:spot:BTC-USDT')).toBe(3_144)
    expect(count('trade', 'binance:perp:BTC-USDT')).toBe(2_197 + 10_738 - 1)
    const marks = rows.filter(({ schema }) => schema === 'mark').map(({ row }) => row)
    expect(marks).toHaveLength(514)
    expect([...new Set(marks.map((row) => row['fundingTime']))]).toEqual([1_680_652_800_000_000, 1_680_681_600_000_000])
    expect(marks[0]).toMatchObject({ mark: 28_147.27373413, index: 28_159.75642857, rate: 0.00002754 })
    expect(holes(rows)).toBe(0)
    expect(numbersOf(rows).every(Number.isFinite)).toBe(true)
  }, 120_000)

  test('set C: Bybit spot and linear of August 2026, told apart by their connections', async () => {
    const { count, errors, rows, system, controls } = await play({ paths: [`${recordings}/bybit/*.jsonl.zst`] })
    expect(errors).toEqual([])
    expect(holes(rows)).toBe(0)
    expect(count('bookDelta', 'bybit:perp:BTC-USDT')).toBe(414)
    expect(count('bookDelta', 'bybit:perp:SOL-USDT')).toBe(383)
    expect(count('bookDelta', 'bybit:spot:BTC-USDT')).toBe(300)
    expect(rows.filter(({ row }) => snapshot(row)).map(({ row }) => [row['instrument'], row['horizon'], (row['bidPrices'] as []).length])).toEqual([
      ['bybit:spot:BTC-USDT', 200, 200], ['bybit:perp:BTC-USDT', 200, 200], ['bybit:perp:SOL-USDT', 200, 200],
    ])
    expect(rows.filter(({ schema }) => schema === 'fundingInterval').map(({ row }) => [row['instrument'], row['hours']])).toEqual([
      ['bybit:perp:BTC-USDT', 8], ['bybit:perp:SOL-USDT', 8],
    ])
    expect(system.filter(({ schema }) => schema === 'instrument').map(({ row }) => [row['instrument'], row['tickSize'], row['lotSize']])).toEqual([
      ['bybit:perp:BTC-USDT', 0.1, 0.001], ['bybit:perp:SOL-USDT', 0.01, 0.1], ['bybit:spot:BTC-USDT', 0.1, 0.000001],
    ])
    expect(controls('up')).toHaveLength(8)
    expect(controls('down').map((row) => row['why'])).toEqual(Array<string>(8).fill('the recording ended'))
    expect(numbersOf(rows).every(Number.isFinite)).toBe(true)
  }, 120_000)

  test('cryptofeed 2021: books with their REST snapshots and the list of that day', async () => {
    const { count, errors, rows } = await play({ paths: [`${recordings}/binance/cryptofeed/spot_20211012.jsonl.zst`, `${recordings}/binance/cryptofeed/usdm_20210722.jsonl.zst`] })
    expect(errors).toEqual([])
    expect(holes(rows)).toBe(0)
    expect(count('bookDelta', 'binance:spot:NKN-USDT', delta)).toBe(150)
    expect(count('bookDelta', 'binance:perp:SUSHI-USDT', delta)).toBe(255)
    expect(rows.filter(({ row }) => snapshot(row)).map(({ row }) => row['horizon'])).toEqual(Array<number>(8).fill(1000))
  })

  test('a hole of 5,000 ids can be cut, and is found', async () => {
    const paths = [`${recordings}/binance/demo-20240808-btc/spot_btcusdt_20240808.gz`]
    const hole = { source: binance.spot, channel: 'trade', symbol: 'BTCUSDT', first: 3_735_685_000, last: 3_735_689_999 }
    const { rows, count } = await play({ paths, drop: cut(hole) })
    expect(count('trade', 'binance:spot:BTC-USDT')).toBe(9_757 - 5_000)
    expect(holes(rows)).toBe(1)
    const book = { source: binance.spot, channel: 'book', symbol: 'BTCUSDT', first: 50_093_300_000, last: 50_093_304_999 }
    expect(holes((await play({ paths, drop: cut(book) })).rows)).toBe(1)
  }, 120_000)

  test('what is asked for is what comes: a universe of other pairs makes no row', async () => {
    const { rows, system } = await play({ paths: [`${recordings}/bybit/*.jsonl.zst`] }, { universe: { pairs: ['SOL-USDT'] } })
    expect(new Set(rows.map(({ row }) => row['instrument']))).toEqual(new Set(['bybit:perp:SOL-USDT']))
    expect(system.every(({ row }) => row['instrument'] === '' || row['instrument'] === 'bybit:perp:SOL-USDT')).toBe(true)
  })

  test('kept on a tape of our own, it comes back as it was', async () => {
    const paths = [`${recordings}/bybit/*.jsonl.zst`]
    const recording = await openRecording({ paths, sources: [bybit.linear] })
    const { host } = scripted()
    const capture = openCapture({ folder: join(folder, 'tapes'), rollBytes: 200_000 }, bybit.linear)
    recording.open(bybit.linear, { ...host, frame: capture.frame, system: capture.system }, opening(bybit.linear))
    for (let batch = await recording.next(); batch !== undefined; batch = await recording.next()) for (const { deliver } of batch) deliver()
    await capture.close()
    expect(readdirSync(join(folder, 'tapes')).length).toBe(capture.counts.files)
    expect(capture.counts.files).toBeGreaterThan(2)
    const [there, back] = [await play({ paths, sources: [bybit.linear] }), await play({ paths: [join(folder, 'tapes')], sources: [bybit.linear] })]
    expect(back.rows).toEqual(there.rows)
    expect(back.system).toEqual(there.system)
    expect(back.recording.has).toEqual(there.recording.has)
  }, 120_000)

  test('on a tape of our own, REST snapshots stay what they are', async () => {
    const paths = [`${recordings}/binance/cryptofeed/usdm_20210722.jsonl.zst`]
    const recording = await openRecording({ paths, sources: [binance.usdm] })
    const capture = openCapture({ folder: join(folder, 'seeds') }, binance.usdm)
    recording.open(binance.usdm, { ...scripted().host, frame: capture.frame, system: capture.system }, opening(binance.usdm))
    for (let batch = await recording.next(); batch !== undefined; batch = await recording.next()) for (const { deliver } of batch) deliver()
    await capture.close()
    const back = await play({ paths: [join(folder, 'seeds')] })
    expect(back.rows).toEqual((await play({ paths })).rows)
  })
})

const line = (us: number, body: object): string => `${us} ${JSON.stringify(body)}\n`
const trade = (t: number, symbol = 'BTCUSDT'): object =>
  ({ stream: `${symbol.toLowerCase()}@trade`, data: { e: 'trade', s: symbol, t, p: '1', q: '1', T: 1_700_000_000_000, m: true } })

describe('a recording', () => {
  test('merges its files by (received, file, line), and says when there is nothing', async () => {
    writeFileSync(join(folder, 'a.gz'), gzipSync(line(1_700_000_000_000_001, trade(1)) + line(1_700_000_000_000_005, trade(2)) + line(1_700_000_000_000_005, trade(3))))
    writeFileSync(join(folder, 'b.gz'), gzipSync(line(1_700_000_000_000_000, trade(4)) + line(1_700_000_000_000_005, trade(5)) + line(1_700_000_000_000_004, trade(6)) + line(1_700_000_000_000_009, trade(7))))
    const { rows } = await play({ paths: [join(folder, '*.gz')] })
    expect(rows.map(({ row }) => row['id'])).toEqual(['4', '1', '2', '3', '5', '6', '7'])
    await expect(openRecording({ paths: [join(folder, 'nothing')], sources: markets })).rejects.toMatchObject({ code: 'KT2201' })
  })

  test('says which symbols it cannot name, once, and goes on', async () => {
    writeFileSync(join(folder, 'odd.gz'), gzipSync(line(1_700_000_000_000_001, trade(1, 'ODDUSDT')) + line(1_700_000_000_000_002, trade(2, 'ODDUSDT')) + line(1_700_000_000_000_003, trade(3))))
    const { rows, notes } = await play({ paths: [join(folder, 'odd.gz')] })
    expect(rows).toHaveLength(1)
    expect(notes).toMatchObject([{ level: 'warn', what: 'recorded symbol is not listed', facts: { symbol: 'ODDUSDT' } }])
  })

  test('takes nanoseconds as microseconds', async () => {
    writeFileSync(join(folder, 'nano.gz'), gzipSync(`1723161254087896568 ${JSON.stringify(trade(1))}\n`))
    expect((await play({ paths: [join(folder, 'nano.gz')] })).rows[0]?.row['received']).toBe(1_723_161_254_087_896)
  })

  test('merges tapes in batches of any size alike', async () => {
    const moment = (received: number, source: string): Recorded => ({ what: 'listing', received, source, bytes: new Uint8Array() })
    const tape = (name: string, times: readonly number[], size: number) => {
      let at = 0
      return { name, next: async () => (at >= times.length ? undefined : times.slice(at, (at += size)).map((time) => moment(time, name))) }
    }
    const orders: string[] = []
    for (const size of [1, 2, 7]) {
      const merged = merge([tape('a', [1, 3, 3, 8], size), tape('b', [0, 3, 9], size), tape('c', [], size)])
      const order: string[] = []
      for (let batch = await merged.next(); batch !== undefined; batch = await merged.next()) order.push(...batch.map((one) => `${one.source}${one.received}`))
      orders.push(order.join(' '))
    }
    expect(orders).toEqual(Array<string>(3).fill('b0 a1 a3 a3 b3 a8 b9'))
  })
})
