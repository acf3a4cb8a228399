import { describe, expect, test } from 'vitest'
import type { ExchangeOptions } from '../../sources/sim/exchange.ts'
import { type Bench, bench, parse, startMs, subscribeAll } from './client.ts'

interface Ids {
  /** Smallest and largest of every numbered sequence, by venue, symbol and what is numbered. */
  readonly ranges: ReadonlyMap<string, readonly [bigint, bigint]>
  readonly uuids: ReadonlySet<string>
}

const numbered = {
  t: 'trade', i: 'trade', U: 'update', u: 'update', seq: 'sequence', cs: 'sequence', pu: 'update',
}
const venueOf: Readonly<Record<string, string>> = {
  spot: 'binance.spot', usdm: 'binance.usdm', mark: 'binance.usdm',
}

/** Every id in every frame that was delivered. */
function idsOf(b: Bench): Ids {
  const ranges = new Map<string, readonly [bigint, bigint]>()
  const uuids = new Set<string>()
  const note = (where: string, text: string): void => {
    for (const [, key = '', id = ''] of text.matchAll(/"(t|i|U|u|pu|seq|cs)":"?([\w-]+)"?[,}]/g)) {
      if (id.includes('-')) {
        uuids.add(id)
        continue
      }
      const name = `${where} ${numbered[key as keyof typeof numbered]}`
      const [low, high] = ranges.get(name) ?? [BigInt(id), BigInt(id)]
      const value = BigInt(id)
      ranges.set(name, [value < low ? value : low, value > high ? value : high])
    }
  }
  for (const { does, ...delivery } of b.deliveries) {
    if (does !== 'send' || !('text' in delivery)) continue
    const frame = parse(delivery.text)
    const topic = frame.stream ?? frame.topic
    if (topic === undefined) continue
    const of = topic.includes('.') ? `${topic.split('.').slice(0, -1).join('.')} ${topic.split('.').at(-1)}`
      : `book ${topic.split('@')[0]}`
    note(`${venueOf[delivery.connection] ?? delivery.connection} ${of}`, JSON.stringify(frame.data))
  }
  return { ranges, uuids }
}

interface Run {
  readonly b: Bench
  readonly ids: Ids
}

const everything = (options: Partial<ExchangeOptions>, runMs: number): Run => {
  const b = bench(options)
  subscribeAll(b)
  for (const symbol of ['BTCUSDT', 'PEPEUSDT']) {
    b.send('bybit.spot', { op: 'subscribe', args: [`orderbook.1.${symbol}`, `orderbook.200.${symbol}`] })
  }
  b.run(runMs)
  return { b, ids: idsOf(b) }
}

const settings = [
  { pairs: 4, rate: 400 },
  { pairs: 7, rate: 5000, depth: 50 },
  { pairs: 1, rate: 5000, depth: 50 },
]

describe.each(settings)('an exchange ($pairs pairs, $rate frames/s) that starts again', (options) => {
  const runMs = 2000
  const first = everything({ seed: 3, ...options }, runMs)

  test.each([50, 130, 5000, 600_000])('%i ms later goes on above all ids of before', (pauseMs) => {
    const later = everything({ seed: 3, ...options, startMs: startMs + runMs + pauseMs }, 300)
    let compared = 0
    for (const [name, [low]] of later.ids.ranges) {
      const before = first.ids.ranges.get(name)
      if (before === undefined) continue
      expect(low, name).toBeGreaterThan(before[1])
      compared += 1
    }
    expect(compared).toBeGreaterThan(options.pairs * 4)
    expect(later.ids.uuids.size).toBeGreaterThan(0)
    expect([...later.ids.uuids].filter((id) => first.ids.uuids.has(id))).toEqual([])
  })

  test('has ids that a number holds exactly', () => {
    const far = everything({ seed: 3, ...options, startMs: Date.UTC(2060, 0, 1) }, 200)
    for (const [name, [, high]] of far.ids.ranges) {
      if (!name.startsWith('bybit.spot publicTrade')) expect(high, name).toBeLessThan(2n ** 53n)
    }
  })
})

describe('what clients ask for after a restart', () => {
  const runMs = 3000
  const pauseMs = 2000
  const [before, after] = [0, runMs + pauseMs]
    .map((ms) => everything({ seed: 8, startMs: startMs + ms }, runMs).b)
  interface PastTrade {
    readonly id: number
    readonly time: number
  }
  const tradesOf = (b: Bench, query: string): readonly PastTrade[] =>
    JSON.parse(b.exchange.rest('binance.spot', `/api/v3/historicalTrades?symbol=BTCUSDT&${query}`).body)

  test('past trades begin at the restart, and a hole lies before them', () => {
    const last = tradesOf(before!, 'limit=1000').at(-1)!
    const asked = tradesOf(after!, `limit=1000&fromId=${last.id + 1}`)
    expect(asked[0]!.id).toBeGreaterThan(last.id + 1)
    expect(asked[0]!.time).toBeGreaterThanOrEqual(startMs + runMs + pauseMs)
    expect(asked.map(({ id }) => id)).toEqual(asked.map((_, i) => asked[0]!.id + i))
    expect(asked).toEqual(tradesOf(after!, 'limit=1000'))
  })

  test('older settlements are the same', () => {
    const history = (b: Bench): unknown => JSON.parse(
      b.exchange.rest('binance.usdm', `/fapi/v1/fundingRate?symbol=ETHUSDT&endTime=${startMs}`).body)
    expect(history(after!)).toEqual(history(before!))
  })

  test('the instruments are the same', () => {
    const listed = (b: Bench): unknown => JSON.parse(
      b.exchange.rest('binance.usdm', '/fapi/v1/exchangeInfo').body).symbols
    const linear = (b: Bench): unknown => JSON.parse(
      b.exchange.rest('bybit.linear', '/v5/market/instruments-info?category=linear').body).result.list
    expect(listed(after!)).toEqual(listed(before!))
    expect(linear(after!)).toEqual(linear(before!))
  })
})
