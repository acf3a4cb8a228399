import { describe, expect, test } from 'vitest'
import type { VenueName } from '../../sources/sim/universe.ts'
import { type Bench, bench, startMs } from './client.ts'

type Row = Readonly<Record<string, string | number>>

const dayMs = 86_400_000
const routes = [
  ['binance.spot', '/api/v3/ticker/24hr?type=MINI', 'quoteVolume', 'volume'],
  ['binance.spot', '/api/v3/ticker/24hr', 'quoteVolume', 'volume'],
  ['binance.usdm', '/fapi/v1/ticker/24hr', 'quoteVolume', 'volume'],
  ['bybit.linear', '/v5/market/tickers?category=linear', 'turnover24h', 'volume24h'],
  ['bybit.spot', '/v5/market/tickers?category=spot', 'turnover24h', 'volume24h'],
] as const

function tickers(b: Bench, venue: VenueName, path: string): readonly Row[] {
  const body = JSON.parse(b.exchange.rest(venue, path).body)
  return venue.startsWith('bybit') ? body.result.list : body
}

const world = (): Bench => bench({ seed: 13, pairs: 60, rate: 3000, depth: 30 })

describe('the activity of the last day', () => {
  const worlds = Array.from({ length: 30 }, (_, seed) => bench({ seed, pairs: 60, rate: 3000, depth: 2 }))

  test.each(routes)('%s %s: falls with the rank of the pair', (venue, path, turnover) => {
    for (const b of worlds) {
      const rows = tickers(b, venue, path)
      expect(rows.map(({ symbol }) => symbol)).toEqual(b.exchange.symbols(venue))
      const amounts = rows.map((row) => Number(row[turnover]))
      expect(amounts).toEqual(amounts.toSorted((x, y) => y - x))
      expect(amounts.at(-1)).toBeGreaterThan(0)
    }
  })

  test.each(routes)('%s %s: prices, volume and turnover agree', (venue, path, turnover, volume) => {
    const b = world()
    b.run(3000)
    for (const row of tickers(b, venue, path)) {
      const price = (key: string): number => Number(row[key] ?? row[`${key}24h`])
      const [high, low] = [price('highPrice'), price('lowPrice')]
      const mean = Number(row[turnover]) / Number(row[volume])
      for (const one of [mean, price('lastPrice'), Number(row['openPrice'] ?? row['prevPrice24h'])]) {
        expect(one, String(row['symbol'])).toBeGreaterThanOrEqual(low)
        expect(one, String(row['symbol'])).toBeLessThanOrEqual(high)
      }
      expect(high / low, String(row['symbol'])).toBeLessThan(1.2)
      for (const text of Object.values(row)) expect(String(text)).not.toMatch(/e[+-]|NaN|Infinity/)
    }
  })

  test('is about what a day of the present trading comes to', () => {
    const b = bench({ seed: 4, pairs: 3, rate: 3000, depth: 50 })
    const [before] = tickers(b, 'binance.spot', '/api/v3/ticker/24hr')
    b.run(60_000)
    const traded = b.truth.filter((t) => t.kind === 'trade')
      .filter((t) => t.venue === 'binance.spot' && t.symbol === 'BTCUSDT')
    const turnover = traded.reduce((sum, t) => sum + Number(t.price) * Number(t.size), 0) * 1440
    expect(Number(before!['quoteVolume']) / turnover).toBeGreaterThan(0.6)
    expect(Number(before!['quoteVolume']) / turnover).toBeLessThan(1.6)
    expect(Number(before!['count']) / (traded.length * 1440)).toBeGreaterThan(0.8)
    expect(Number(before!['count']) / (traded.length * 1440)).toBeLessThan(1.25)
    const [after] = tickers(b, 'binance.spot', '/api/v3/ticker/24hr')
    const last = traded.at(-1)!
    expect(after).toMatchObject({ lastPrice: last.price, lastQty: last.size, lastId: Number(last.id) })
    expect(Number(after!['lastId']) - Number(after!['firstId']) + 1).toBe(after!['count'])
  })

  test('no market order runs away from the price, not even where a tick is coarse', () => {
    const b = bench({ seed: 7, pairs: 7, rate: 3000, depth: 500 })
    b.run(30_000)
    for (const [venue, path] of routes.slice(1, 3)) {
      for (const row of tickers(b, venue, path)) {
        expect(Number(row['highPrice']) / Number(row['lowPrice']), String(row['symbol'])).toBeLessThan(1.2)
      }
    }
  })

  test('of a new listing is empty, and of a delisted symbol is not told', () => {
    const b = world()
    b.run(1000)
    const base = b.exchange.list()!
    b.exchange.delist('binance.spot', 'ETHUSDT')
    const rows = tickers(b, 'binance.spot', '/api/v3/ticker/24hr?type=MINI')
    expect(rows.find(({ symbol }) => symbol === `${base}USDT`))
      .toMatchObject({ quoteVolume: '0.00000000', volume: '0.00000000', firstId: -1, lastId: -1, count: 0 })
    expect(rows.map(({ symbol }) => symbol)).not.toContain('ETHUSDT')
  })
})

describe('shapes', () => {
  const b = world()
  b.run(1000)
  const body = (venue: VenueName, path: string): Row => JSON.parse(b.exchange.rest(venue, path).body)

  test('Binance spot has the keys of its documentation, short and whole', () => {
    const end = ['volume', 'quoteVolume', 'openTime', 'closeTime', 'firstId', 'lastId', 'count']
    const mini = body('binance.spot', '/api/v3/ticker/24hr?symbol=BTCUSDT&type=MINI')
    expect(Object.keys(mini)).toEqual(['symbol', 'openPrice', 'highPrice', 'lowPrice', 'lastPrice', ...end])
    const full = body('binance.spot', '/api/v3/ticker/24hr?symbol=BTCUSDT')
    expect(Object.keys(full)).toEqual([
      'symbol', 'priceChange', 'priceChangePercent', 'weightedAvgPrice', 'prevClosePrice', 'lastPrice',
      'lastQty', 'bidPrice', 'bidQty', 'askPrice', 'askQty', 'openPrice', 'highPrice', 'lowPrice', ...end,
    ])
    expect(full['quoteVolume']).toMatch(/^\d+\.\d{8}$/)
    expect(full['priceChangePercent']).toMatch(/^-?\d+\.\d{3}$/)
    expect(full['closeTime']).toBe(startMs + 1000)
    expect(full['openTime']).toBe(startMs + 1000 - dayMs)
    for (const [key, value] of Object.entries(mini)) expect(full[key]).toBe(value)
  })

  test('Binance futures have the keys of their documentation, and begin at a minute', () => {
    const row = body('binance.usdm', '/fapi/v1/ticker/24hr?symbol=BTCUSDT')
    expect(Object.keys(row)).toEqual([
      'symbol', 'priceChange', 'priceChangePercent', 'weightedAvgPrice', 'lastPrice', 'lastQty', 'openPrice',
      'highPrice', 'lowPrice', 'volume', 'quoteVolume', 'openTime', 'closeTime', 'firstId', 'lastId', 'count',
    ])
    expect(Number(row['openTime']) % 60_000).toBe(0)
  })

  test('Bybit tells in REST what it tells in the topic', () => {
    for (const category of ['linear', 'spot'] as const) {
      const venue = `bybit.${category}` as const
      b.exchange.connect(venue, venue, `/v5/public/${category}`)
      b.send(venue, { op: 'subscribe', args: ['tickers.BTCUSDT'] })
      const frames = b.texts(venue).map((text) => JSON.parse(text))
      const topic = frames.find(({ type }) => type === 'snapshot').data
      const [row] = tickers(b, venue, `/v5/market/tickers?category=${category}&symbol=BTCUSDT`)
      const shared = Object.keys(row!).filter((key) => key in topic)
      expect(shared.length).toBeGreaterThan(category === 'linear' ? 20 : 8)
      for (const key of shared) expect(row![key], key).toBe(topic[key])
    }
  })

  test('weights are by what was asked for', () => {
    const used = (venue: VenueName, path: string): number => {
      const fresh = bench({ seed: 2, pairs: 30, rate: 10, depth: 10 })
      const { status, headers } = fresh.exchange.rest(venue, path)
      expect(status).toBe(200)
      return Number(headers['X-MBX-USED-WEIGHT-1M'])
    }
    const names = b.exchange.symbols('binance.spot').slice(0, 21)
    const several = (count: number): string =>
      `/api/v3/ticker/24hr?symbols=${encodeURIComponent(JSON.stringify(names.slice(0, count)))}`
    expect(used('binance.spot', '/api/v3/ticker/24hr?type=MINI')).toBe(80)
    expect(used('binance.spot', '/api/v3/ticker/24hr?symbol=BTCUSDT')).toBe(2)
    expect(used('binance.spot', several(20))).toBe(2)
    expect(used('binance.spot', several(21))).toBe(40)
    expect(used('binance.usdm', '/fapi/v1/ticker/24hr')).toBe(40)
    expect(used('binance.usdm', '/fapi/v1/ticker/24hr?symbol=BTCUSDT')).toBe(1)
  })

  test('what does not exist is refused', () => {
    const [spot, futures, bybit] = ['/api/v3/ticker/24hr', '/fapi/v1/ticker/24hr', '/v5/market/tickers']
    expect(body('binance.spot', `${spot}?symbol=NOPE`)).toMatchObject({ code: -1121 })
    expect(body('binance.spot', `${spot}?symbols=["BTCUSDT","NOPE"]`)).toMatchObject({ code: -1121 })
    expect(body('binance.spot', `${spot}?symbol=A&symbols=["A"]`)).toMatchObject({ code: -1128 })
    expect(body('binance.spot', `${spot}?type=SMALL`)).toMatchObject({ code: -1130 })
    expect(body('binance.usdm', `${futures}?symbol=NOPE`)).toMatchObject({ code: -1121 })
    expect(body('bybit.linear', `${bybit}?category=linear&symbol=NOPE`)).toMatchObject({ retCode: 10001 })
  })
})
