import { describe, expect, test } from 'vitest'
import { KtError, VenueError } from '../../graph/error.ts'
import { Intake } from '../../sources/intake.ts'
import { binance, bybit } from '../../sources/index.ts'
import type { MarketRules } from '../../sources/venue.ts'
import { opening, scripted } from './world.ts'
import type { AnySource } from '../../graph/source.ts'

const received = 1_770_000_000_500_000

const reading = (source: AnySource & { readonly market: MarketRules }, channel: string, symbol: string | null = 'BTCUSDT') => {
  const world = scripted()
  const intake = new Intake(source.market, world.host, opening(source))
  const kind = source.market.listing.kind
  intake.name('BTCUSDT', { instrument: `${source.market.venue}:${kind}:BTC-USDT`, wanted: true })
  intake.name('ETHUSDT', { instrument: `${source.market.venue}:${kind}:ETH-USDT`, wanted: false })
  const inlet = intake.inlet(channel, symbol ?? undefined, { connection: 1, epoch: 1, frames: 0 })
  const take = (message: unknown): void => {
    const bytes = message instanceof Uint8Array ? message : new TextEncoder().encode(typeof message === 'string' ? message : JSON.stringify(message))
    intake.take(inlet, bytes, received)
  }
  return { ...world, intake, take }
}

const spotTrade = { stream: 'btcusdt@trade', data: { e: 'trade', E: 1770000000125, s: 'BTCUSDT', t: 4500000001, p: '95123.45000000', q: '0.01500000', T: 1770000000123, m: true, M: true } }
const spotBook = { stream: 'btcusdt@depth@100ms', data: { e: 'depthUpdate', E: 1770000000200, s: 'BTCUSDT', U: 90000000120, u: 90000000123, b: [['95123.44', '0.00000000']], a: [['95123.46', '0.025'], ['95123.50', '7']] } }
const usdmTrade = { stream: 'btcusdt@trade', data: { e: 'trade', E: 1770000000126, T: 1770000000123, s: 'BTCUSDT', t: 7000000001, p: '95120.10', q: '0.015', X: 'MARKET', m: false, st: 1 } }
const ticker = (type: string, data: object) => ({ topic: 'tickers.BTCUSDT', type, cs: 1, ts: 1770000000180, data: { symbol: 'BTCUSDT', ...data } })

describe('a message becomes rows', () => {
  test('of a spot trade: ids, side of the taker, microseconds', () => {
    const { take, rows } = reading(binance.spot, 'trade')
    take(spotTrade)
    expect(rows).toEqual([{ schema: 'trade', row: {
      venue: 'binance', instrument: 'binance:spot:BTC-USDT', time: 1770000000123000, received, first: 4500000001, last: 4500000001,
      id: '4500000001', side: 'sell', price: 95123.45, size: 0.015,
    } }])
  })

  test('of a book: one level or many are lists, and no level is an empty list', () => {
    const { take, rows } = reading(binance.spot, 'book')
    take(spotBook)
    take({ ...spotBook, data: { ...spotBook.data, U: 90000000124, u: 90000000124, b: [], a: [] } })
    expect(rows.map(({ row }) => [row['first'], row['last'], row['bidPrices'], row['bidSizes'], row['askPrices'], row['askSizes']])).toEqual([
      [90000000120, 90000000123, [95123.44], [0], [95123.46, 95123.5], [0.025, 7]],
      [90000000124, 90000000124, [], [], [], []],
    ])
  })

  test('of the best prices: an id that says what is newer, and nothing of a side that is empty', () => {
    const prices = (source: Parameters<typeof reading>[0], message: object): unknown[] => {
      const { take, rows, errors } = reading(source, 'ticker')
      take(message)
      expect(errors).toEqual([])
      return rows.map(({ row }) => ['time', 'first', 'last', 'bid', 'bidSize', 'ask', 'askSize'].map((field) => row[field]))
    }
    const data = { u: 90000000123, s: 'BTCUSDT', b: '95123.45', B: '1.5', a: '95123.46', A: '0.025' }
    expect(prices(binance.spot, { stream: 'btcusdt@bookTicker', data })).toEqual([[received, null, 90000000123, 95123.45, 1.5, 95123.46, 0.025]])
    const empty = { ...data, e: 'bookTicker', E: 1770000000125, T: 1770000000124, b: '0.00', B: '0.000' }
    expect(prices(binance.usdm, { stream: 'btcusdt@bookTicker', data: empty })).toEqual([[1770000000124000, null, 90000000123, null, null, 95123.46, 0.025]])
    const book = (b: unknown, a: unknown) => ({ topic: 'orderbook.1.BTCUSDT', type: 'snapshot', ts: 1770000000130, data: { s: 'BTCUSDT', b, a, u: 7, seq: 9 }, cts: 1770000000127 })
    expect(prices(bybit.spot, book([['95120.00', '1.204']], [['95120.10', '0.8']]))).toEqual([[1770000000127000, null, 7, 95120, 1.204, 95120.1, 0.8]])
    expect(prices(bybit.linear, book([], [['95120.10', '0.8']]))).toEqual([[1770000000127000, null, 7, null, null, 95120.1, 0.8]])
  })

  test('of futures: a fill of the insurance fund is no trade, and its id is covered by the next', () => {
    const { take, rows, errors } = reading(binance.usdm, 'trade')
    take(usdmTrade)
    take({ ...usdmTrade, data: { ...usdmTrade.data, t: 7000000002, X: 'INSURANCE_FUND' } })
    take({ ...usdmTrade, data: { ...usdmTrade.data, t: 7000000003, X: 'ADL' } })
    take({ ...usdmTrade, data: { ...usdmTrade.data, t: 7000000004 } })
    take({ ...usdmTrade, data: { ...usdmTrade.data, t: 7000000005 } })
    expect(rows.map(({ row }) => [row['first'], row['last'], row['id']])).toEqual([
      [7000000001, 7000000001, '7000000001'], [7000000002, 7000000004, '7000000004'], [7000000005, 7000000005, '7000000005'],
    ])
    expect(errors).toEqual([])
  })

  test('of a ticker: a change is filled in from what came before, and says only what changed', () => {
    const { take, rows, intake } = reading(bybit.linear, 'mark')
    take(ticker('delta', { bid1Price: '1' }))
    take(ticker('delta', { indexPrice: '95140.10' }))
    expect(rows).toEqual([])
    expect(intake.counts.early).toBe(1)
    take(ticker('snapshot', { markPrice: '95118.42', indexPrice: '95140.10', fundingRate: '0.0000621', nextFundingTime: '1770019200000', fundingIntervalHour: '8' }))
    take(ticker('delta', { indexPrice: '95141' }))
    take(ticker('delta', { bid1Price: '1' }))
    take(ticker('delta', { fundingIntervalHour: '4' }))
    expect(rows.map(({ schema, row }) => [schema, row['mark'] ?? row['hours'], row['index'], row['rate'], row['fundingTime']])).toEqual([
      ['mark', 95118.42, 95140.1, 0.0000621, 1770019200000000], ['fundingInterval', 8, undefined, undefined, undefined],
      ['mark', 95118.42, 95141, 0.0000621, 1770019200000000], ['fundingInterval', 4, undefined, undefined, undefined],
    ])
  })

  test('of a poll: rows of other markets and of symbols that were not asked for are left out', () => {
    const { take, rows, errors, intake } = reading(binance.usdm, 'fundingInfo', null)
    take([{ symbol: 'BTCUSDT', fundingIntervalHours: 8 }, { symbol: 'ETHUSDT', fundingIntervalHours: 4 }, { symbol: 'BTCUSD_PERP', fundingIntervalHours: 8 }])
    expect(rows.map(({ row }) => [row['instrument'], row['hours']])).toEqual([['binance:perp:BTC-USDT', 8]])
    expect([errors, intake.counts.unwanted]).toEqual([[], 2])
    take([])
    expect(errors).toEqual([])
  })

  test('with more digits than a double holds, counted and kept as the nearest', () => {
    const { take, rows, intake } = reading(binance.spot, 'trade')
    take({ ...spotTrade, data: { ...spotTrade.data, p: '12345678.123456789', q: '000000000000000000.5000000000000000000' } })
    expect([rows[0]?.row['price'], rows[0]?.row['size'], intake.counts.long]).toEqual([12345678.123456789, 0.5, 1])
  })
})

const spoiled = (field: string, value: unknown): object => {
  const data: Record<string, unknown> = { ...spotTrade.data, [field]: value }
  if (value === undefined) delete data[field]
  return { ...spotTrade, data }
}

describe('a message that breaks the contract goes to the dead letters whole, with its reason', () => {
  const cases: readonly (readonly [string, unknown, string, RegExp])[] = [
    ['not JSON', '{"stream":"btcusdt@trade","data":{"e":"tr', 'KT2101', /is not JSON/],
    ['empty', '', 'KT2101', /is not JSON/],
    ['not UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), 'KT2101', /is not UTF-8/],
    ['10 MB', `{"data":"${'x'.repeat(10 << 20)}"}`, 'KT2101', /larger than any should be/],
    ['a price that is an object', spoiled('p', { value: '1' }), 'KT2102', /another type/],
    ['a price that is a word', spoiled('p', 'abc'), 'KT2102', /not a number: "abc"/],
    ['a price that is NaN', spoiled('p', 'NaN'), 'KT2102', /not a number: "NaN"/],
    ['a price that is infinite', spoiled('p', '1e999'), 'KT2102', /not a number/],
    ['a price that is a list', spoiled('p', ['1', '2']), 'KT2102', /another type/],
    ['a price that is null', spoiled('p', null), 'KT2102', /another type/],
    ['no price', spoiled('p', undefined), 'KT2103', /"trade.price" is missing/],
    ['no side', spoiled('m', undefined), 'KT2103', /"trade.side" is missing/],
    ['a side that is a word', spoiled('m', 'yes'), 'KT2103', /"trade.side" is missing/],
    ['no time', spoiled('T', undefined), 'KT2103', /"trade.time" is missing/],
    ['a time that is a word', spoiled('T', 'now'), 'KT2102', /left side of arithmetic/],
    ['an id beyond 2^53', spoiled('t', 9007199254740993), 'KT2105', /"trade.first" is 9007199254740992, which is too large to be exact/],
    ['an id that is no whole number', spoiled('t', 1.5), 'KT2104', /not a whole number/],
    ['an id that is a word', spoiled('t', 'x'), 'KT2104', /not a count/],
    ['no symbol', spoiled('s', undefined), 'KT2103', /"trade.symbol" is missing/],
    ['another symbol', spoiled('s', 'ETHUSDT'), 'KT2109', /"BTCUSDT" speaks of "ETHUSDT"/],
    ['nothing in it', {}, 'KT2103', /is missing/],
    ['a list', [1, 2], 'KT2103', /is missing/],
  ]
  for (const [name, message, code, sentence] of cases) {
    test(`${name}: ${code}`, () => {
      const { take, rows, errors, intake } = reading(binance.spot, 'trade')
      take(message)
      expect(rows).toEqual([])
      expect(errors).toHaveLength(1)
      const [error] = errors
      expect(error).toBeInstanceOf(VenueError)
      if (!(error instanceof KtError)) throw error
      expect([error.code, error.message]).toEqual([code, expect.stringMatching(sentence)])
      expect(error.facts).toMatchObject({ channel: 'binance.spot.trade', symbol: 'BTCUSDT', mapping: intake.mappings.hash })
      take(spotTrade)
      expect(rows).toHaveLength(1)
    })
  }

  test('an unlisted symbol: KT2107', () => {
    const { take, errors } = reading(binance.spot, 'trade', 'NEWUSDT')
    take(spoiled('s', 'NEWUSDT'))
    expect(errors).toMatchObject([{ code: 'KT2107', message: 'symbol "NEWUSDT" is not listed' }])
  })

  test('a level without a size is not a shorter list: KT2106', () => {
    const { take, errors, rows } = reading(binance.spot, 'book')
    take({ ...spotBook, data: { ...spotBook.data, a: [['1', '2'], ['3']] } })
    expect([errors, rows]).toMatchObject([[{ code: 'KT2106' }], []])
  })

  test('a third kind of fill without a word for it: KT2108', () => {
    const { take, errors } = reading(binance.usdm, 'trade')
    const { X: _, ...data } = usdmTrade.data
    take({ ...usdmTrade, data })
    expect(errors).toMatchObject([{ code: 'KT2108', message: 'a message made no row' }])
  })

  test('one wrong fill among many takes the whole message along', () => {
    const { take, rows, errors } = reading(bybit.linear, 'trade')
    const fill = { T: 1770000000123, s: 'BTCUSDT', S: 'Buy', v: '0.015', p: '95120.10', i: 'a' }
    take({ topic: 'publicTrade.BTCUSDT', data: [fill, { ...fill, i: 'b' }, { ...fill, S: 'Both' }] })
    expect([rows, errors]).toMatchObject([[], [{ code: 'KT2103', message: '"trade.side" is missing' }]])
    take({ topic: 'publicTrade.BTCUSDT', data: [fill, { ...fill, i: 'b' }] })
    expect(rows.map(({ row }) => [row['id'], row['first']])).toEqual([['a', null], ['b', null]])
  })

  test('a wrong change of a ticker does not spoil the next', () => {
    const { take, rows, errors } = reading(bybit.linear, 'mark')
    take(ticker('snapshot', { markPrice: '1', fundingIntervalHour: '8' }))
    take(ticker('delta', { markPrice: 'x' }))
    // The language takes this for a number, and it is none.
    take(ticker('delta', { markPrice: 'x0b1' }))
    take(ticker('delta', { indexPrice: '2' }))
    expect(errors).toMatchObject([{ code: 'KT2102' }, { code: 'KT2104', message: '"mark.mark" is NaN, which is not a finite number' }])
    expect(rows.at(-1)?.row).toMatchObject({ mark: 1, index: 2 })
  })
})
