import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { hasRecordings, recordings } from '../recordings.ts'
import { type Bench, bench, type Frame, parse, subscribeAll } from './client.ts'

const there = hasRecordings('whether messages are shaped as real ones', join(recordings, 'bybit'))

const spotDay = 'binance/demo-20240808-btc/spot_btcusdt_20240808.gz'
const usdmDay = 'binance/demo-20240808-btc/usdm_btcusdt_20240808.gz'
const markDay = 'binance/demo-20230405-funding/usdm_btcusdt_20230404.dat.gz'

/** What a value looks like: keys in their order, and the type of each; texts of numbers by kind. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? ['?'] : [shape(value[0])]
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).map(([key, inner]) => [key, shape(inner)])
  }
  if (typeof value !== 'string') return value === null ? 'null' : typeof value
  return /^-?\d+(\.\d+)?$/.test(value) ? 'decimal' : 'text'
}

/** The shape without keys that the venue added after the recording was made. */
function without(value: unknown, added: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((inner) => without(inner, added))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([key]) => !added.includes(key))
    .map(([key, inner]) => [key, without(inner, added)]))
}

function lines(path: string): string[] {
  const bytes = readFileSync(join(recordings, path))
  return (path.endsWith('.zst') ? zstdDecompressSync(bytes) : gunzipSync(bytes)).toString().split('\n')
}

function rest(path: string): Frame & readonly Frame[] {
  const body = JSON.parse(lines(path).join('\n')) as { readonly GET?: readonly { readonly data: unknown }[] }
  return (body.GET?.[0]?.data ?? body) as Frame & readonly Frame[]
}

/** What one connection of the recording heard. */
const bybitTexts = (connection: string): readonly string[] =>
  lines('bybit/v5_spot_linear_btc_sol_20260809.jsonl.zst').filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { readonly t: string; readonly conn: string; readonly data: string })
    .filter((row) => row.t === 'recv' && row.conn === connection).map((row) => row.data)

const found = (texts: readonly string[], pattern: RegExp): Frame => {
  const text = texts.find((candidate) => pattern.test(candidate))
  if (text === undefined) throw new Error(`no frame matches ${pattern}`)
  return parse(text)
}

function world(): Bench {
  const b = bench({ seed: 21, pairs: 3, rate: 600, depth: 300 })
  subscribeAll(b)
  b.exchange.connect('spot2', 'binance.spot', '/stream?streams=btcusdt@bookTicker')
  b.exchange.connect('usdm2', 'binance.usdm', '/public/stream?streams=btcusdt@bookTicker')
  b.exchange.connect('linear200', 'bybit.linear', '/v5/public/linear')
  b.send('linear200', { op: 'subscribe', args: ['orderbook.200.BTCUSDT'] })
  b.exchange.connect('spot200', 'bybit.spot', '/v5/public/spot')
  b.send('spot200', { op: 'subscribe', args: ['orderbook.200.BTCUSDT'] })
  b.run(5000)
  return b
}

const first = <T>(list: readonly T[]): T => {
  const [one] = list
  if (one === undefined) throw new Error('the list is empty')
  return one
}

const b = world()
const body = (venue: Parameters<Bench['exchange']['rest']>[0], path: string): Frame & readonly Frame[] =>
  JSON.parse(b.exchange.rest(venue, path).body) as Frame & readonly Frame[]

describe.skipIf(!there)('messages have the keys, order and types of the real ones', () => {
  const dropStamp = (line: string): string => line.slice(line.indexOf(' ') + 1)

  test.each([
    ['trade', 'spot', /btcusdt@trade/, spotDay, []],
    ['depth', 'spot', /btcusdt@depth@100ms.*"b":\[\[.*"a":\[\[/, spotDay, []],
    ['bookTicker', 'spot2', /btcusdt@bookTicker/, spotDay, []],
    ['trade', 'usdm', /btcusdt@trade/, usdmDay, ['st']],
    ['depth', 'usdm', /btcusdt@depth@\w+ms.*"b":\[\[.*"a":\[\[/, usdmDay, ['st', 'ps']],
    ['bookTicker', 'usdm2', /btcusdt@bookTicker/, usdmDay, ['st', 'ps']],
  ] as const)('Binance %s at %s', (_, connection, pattern, path, added) => {
    const real = found(lines(path).map(dropStamp), pattern)
    const ours = found(b.texts(connection), pattern)
    expect(shape(without(ours.data, added))).toEqual(shape(real.data))
    expect(Object.keys(ours)).toEqual(Object.keys(real))
    for (const key of added) expect(ours.data).toHaveProperty(key)
  })

  test('Binance markPrice has the keys and types of the real one', () => {
    const real = found(lines(markDay).map(dropStamp), /markPrice@1s/)
    const ours = without(found(b.texts('mark'), /btcusdt@markPrice@1s/).data, ['st', 'ap'])
    expect(shape(ours)).toEqual(shape(real.data))
  })

  test.each([
    ['binance.spot', '/api/v3/depth?symbol=BTCUSDT&limit=1000', spotDay],
    ['binance.usdm', '/fapi/v1/depth?symbol=BTCUSDT&limit=1000', usdmDay],
  ] as const)('the REST book of %s', (venue, path, recorded) => {
    expect(shape(body(venue, path))).toEqual(shape(found(lines(recorded).map(dropStamp), /^{"lastUpdateId"/)))
  })

  test('Binance instruments: the keys of 2021 in their order, and those of 2025', () => {
    const order = (real: object, ours: object, dropped: readonly string[]): void => {
      const keys = Object.keys(real).filter((key) => !dropped.includes(key))
      expect(Object.keys(ours).filter((key) => keys.includes(key))).toEqual(keys)
    }
    const spot = body('binance.spot', '/api/v3/exchangeInfo')
    const spot2021 = rest('binance/rest/spot_v3_exchangeInfo_20211012.json.gz')
    order(spot2021, spot, [])
    order(first(spot2021.symbols), first(spot.symbols), [])
    const spot2025 = first(rest('binance/rest/spot_exchangeInfo_trimmed.json.gz').symbols)
    expect(Object.keys(first(spot.symbols))).toEqual(expect.arrayContaining(Object.keys(spot2025)))
    const usdm = body('binance.usdm', '/fapi/v1/exchangeInfo')
    const usdm2021 = rest('binance/rest/usdm_fv1_exchangeInfo_20210722.json.gz')
    order(usdm2021, usdm, [])
    order(first(usdm2021.symbols), first(usdm.symbols), ['settlePlan'])
    const usdm2025 = first(rest('binance/rest/usdm_exchangeInfo_trimmed.json.gz').symbols)
    expect(Object.keys(first(usdm.symbols))).toEqual(expect.arrayContaining(Object.keys(usdm2025)))
    for (const filter of usdm2025.filters) {
      const ours = first(usdm.symbols).filters.find(({ filterType }) => filterType === filter.filterType)
      expect(Object.keys(ours ?? {}).sort()).toEqual(Object.keys(filter).sort())
    }
  })

  test('Binance funding: intervals, index and history', () => {
    // These recordings have their keys sorted by the tool that made them, so only the set of keys counts.
    const sorted = (value: object): unknown => shape(Object.fromEntries(Object.entries(value).sort()))
    const intervals = body('binance.usdm', '/fapi/v1/fundingInfo')
    expect(sorted(first(intervals))).toEqual(sorted(first(rest('binance/rest/usdm_fundingInfo.json.gz'))))
    const premium = body('binance.usdm', '/fapi/v1/premiumIndex?symbol=BTCUSDT')
    expect(sorted(premium)).toEqual(sorted(rest('binance/rest/usdm_premiumIndex.json.gz')))
    const history = body('binance.usdm', '/fapi/v1/fundingRate?symbol=BTCUSDT')
    const rate = without(history[0], ['markPrice', 'rateType'])
    expect(sorted(rate as object)).toEqual(sorted(first(rest('binance/rest/usdm_fundingRate.json.gz'))))
  })

  test.each([
    ['BYBIT.ws.2', 'linear200', /"orderbook.200.BTCUSDT".*"type":"snapshot"/],
    ['BYBIT.ws.2', 'linear200', /"orderbook.200.BTCUSDT".*"type":"delta".*"b":\[\[.*"a":\[\[/],
    ['BYBIT.ws.2', 'bybit.linear', /"publicTrade.BTCUSDT"/],
    ['BYBIT.ws.2', 'bybit.linear', /"tickers.BTCUSDT".*"type":"snapshot"/],
    ['BYBIT.ws.2', 'bybit.linear', /"op":"subscribe"/],
    ['BYBIT.ws.3', 'spot200', /"orderbook.200.BTCUSDT".*"type":"snapshot"/],
    ['BYBIT.ws.3', 'spot200', /"orderbook.200.BTCUSDT".*"type":"delta".*"b":\[\[.*"a":\[\[/],
    ['BYBIT.ws.3', 'bybit.spot', /"publicTrade.BTCUSDT"/],
    ['BYBIT.ws.3', 'bybit.spot', /"tickers.BTCUSDT".*"type":"snapshot"/],
    ['BYBIT.ws.3', 'bybit.spot', /"op":"subscribe"/],
  ] as const)('Bybit %s at %s: %s', (recorded, connection, pattern) => {
    expect(shape(found(b.texts(connection), pattern))).toEqual(shape(found(bybitTexts(recorded), pattern)))
  })

  test('Bybit ticker deltas hold fields of the snapshot, each two of them in the order of a real delta', () => {
    const keys = (text: string): readonly string[] => Object.keys(parse(text).data)
    const snapshot = keys(b.texts('bybit.linear').find((text) => /"tickers.BTCUSDT".*"snapshot"/.test(text))!)
    const deltas = (texts: readonly string[]) => texts.filter((text) => /"tickers.BTCUSDT".*"delta"/.test(text)).map(keys)
    const real = deltas(bybitTexts('BYBIT.ws.2'))
    const ours = deltas(b.texts('bybit.linear'))
    expect(Math.min(real.length, ours.length)).toBeGreaterThan(20)
    const pairs = (all: readonly (readonly string[])[]) =>
      new Set(all.flatMap((one) => one.flatMap((key, at) => one.slice(at + 1).map((next) => `${key} ${next}`))))
    const turned = [...pairs(real)].filter((pair) => pairs(ours).has(pair.split(' ').toReversed().join(' ')))
    expect(turned).toEqual([])
    for (const one of ours) for (const key of one) expect(snapshot).toContain(key)
  })

  test.each(['linear', 'spot'] as const)('Bybit instruments of %s', (category) => {
    const file = `instruments_info__category_${category}_status_Trading_limit_1000_20260809.json.gz`
    const real = rest(`bybit/rest/${file}`)
    const ours = body(`bybit.${category}`, `/v5/market/instruments-info?category=${category}`)
    const row = real.result.list.find((r: { symbol: string }) => r.symbol === 'BTCUSDT')
    expect(shape({ ...ours, result: { ...ours.result, list: [ours.result.list[0]] } }))
      .toEqual(shape({ ...real, result: { ...real.result, list: [row] } }))
  })
})
