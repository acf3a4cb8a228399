import { describe, expect, test } from 'vitest'
import { binance, bybit } from '../../sources/index.ts'
import { bybitList, opened, spotList, symbols, usdmList } from './script.ts'
import { opening, scripted } from './world.ts'
import type { Reply } from './world.ts'

describe('a market is found out and subscribed to', () => {
  test('page by page, the most active first, with our names for what is listed', async () => {
    const { asked, system, wire, clock } = await opened(bybit.linear, (path) =>
      path.includes('cursor=next') ? bybitList(['1000PEPEUSDT', 'ETHUSDT'], '') : bybitList(['BTCUSDT', 'DULLUSDT'], 'next'),
    { universe: { quote: 'USDT', top: 2 }, channels: ['book'] }, () => ({ body: { result: { list: [
      { symbol: 'BTCUSDT', turnover24h: '5' }, { symbol: '1000PEPEUSDT', turnover24h: '7' }, { symbol: 'DULLUSDT', turnover24h: '1' }, { symbol: 'ETHUSDT', turnover24h: '4' },
    ] } } }))
    await clock.pass(1_000)
    expect(asked('instruments-info')).toHaveLength(2)
    expect(system.filter(({ schema }) => schema === 'instrument').map(({ row }) => [row['symbol'], row['instrument'], row['multiplier'], row['tickSize']])).toEqual([
      ['BTCUSDT', 'bybit:perp:BTC-USDT', 1, 0.1], ['1000PEPEUSDT', 'bybit:perp:PEPE-USDT', 1000, 0.1],
    ])
    expect(wire().topics()).toEqual(['orderbook.200.1000PEPEUSDT', 'orderbook.200.BTCUSDT'])
  })

  test('by the order of the list where nobody knows what is active, and only what this shard owns', async () => {
    const { system, notes } = await opened(binance.spot, () => spotList(['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'XRPUSDT']),
      { universe: { quote: 'USDT', top: 3 }, owns: (instrument) => !instrument.includes('ETH') })
    expect(system.filter(({ schema }) => schema === 'instrument').map(({ row }) => row['symbol'])).toEqual(['BTCUSDT', 'SOLUSDT'])
    expect(notes.map(({ what }) => what)).toContain('the most active are not known')
  })

  test('each stream on its own route, in batches, never faster than the venue allows', async () => {
    const { net, clock } = await opened(binance.usdm, () => usdmList(symbols(250)), {}, () => undefined)
    await clock.pass(3_000)
    const routes = new Map<string, string[]>()
    for (const wire of net.wires) routes.set(new URL(wire.url).pathname, [...(routes.get(new URL(wire.url).pathname) ?? []), ...wire.topics()])
    expect([...routes].map(([path, topics]) => [path, topics.length, new Set(topics.map((topic) => topic.replace(/^[^@]*/, '')))])).toEqual([
      ['/public/stream', 750, new Set(['@trade', '@depth@100ms', '@bookTicker'])], ['/market/stream', 250, new Set(['@markPrice@1s'])],
    ])
    for (const wire of net.wires) {
      expect(wire.topics().length).toBeLessThanOrEqual(400)
      for (const { at } of wire.sent) expect(wire.sent.filter((one) => one.at >= at && one.at < at + 1_000_000).length).toBeLessThanOrEqual(8)
      for (const { text } of wire.sent) expect((JSON.parse(text) as { params: [] }).params.length).toBeLessThanOrEqual(100)
    }
  })

  test('ten topics a request and ten requests a second, where the venue takes no more', async () => {
    const { wire, clock } = await opened(bybit.linear, () => bybitList(symbols(150), ''), { channels: ['trade', 'book'] })
    await clock.pass(10_000)
    expect(wire().topics()).toHaveLength(300)
    for (const { at } of wire().sent) expect(wire().sent.filter((one) => one.at >= at && one.at < at + 1_000_000).length).toBeLessThanOrEqual(10)
    expect(wire().sent.length).toBeGreaterThanOrEqual(31)
  })

  test('who is chosen stays chosen: the most active are not looked for again', async () => {
    let names = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
    const { clock, wire, system } = await opened(bybit.linear, () => bybitList(names, ''), { channels: ['trade'], universe: { top: 2 } })
    const beat = async (): Promise<void> => {
      for (let t = 0; t < 610_000; t += 10_000) {
        wire().say({ success: true, ret_msg: 'pong', op: 'ping' })
        await clock.pass(10_000)
      }
    }
    names = ['NEWUSDT', ...names]
    await beat()
    expect(wire().topics()).toEqual(['publicTrade.BTCUSDT', 'publicTrade.ETHUSDT'])
    names = ['BTCUSDT', 'SOLUSDT', 'XRPUSDT']
    await beat()
    expect(wire().topics()).toEqual(['publicTrade.BTCUSDT', 'publicTrade.SOLUSDT'])
    expect(system.filter(({ schema }) => schema === 'instrument').map(({ row }) => `${String(row['symbol'])} ${String(row['status'])}`)).toEqual([
      'BTCUSDT trading', 'ETHUSDT trading', 'ETHUSDT gone', 'SOLUSDT trading',
    ])
  })

  test('a topic that the venue refuses is found among its batch, and the others stay', async () => {
    const { clock, wire, notes } = await opened(bybit.linear, () => bybitList(['BTCUSDT', 'ETHUSDT', 'BADUSDT'], ''), { channels: ['book'] })
    const answer = (from: number): void => {
      for (const { text } of wire().sent.slice(from)) {
        const { req_id: request, op, args = [] } = JSON.parse(text) as { req_id: string; op: string; args?: string[] }
        if (op === 'subscribe') wire().say({ success: !args.some((topic) => topic.includes('BAD')), ret_msg: 'Invalid topic', op, req_id: request })
      }
    }
    await clock.pass(1_000)
    const from = wire().sent.length
    answer(0)
    await clock.pass(1_000)
    expect(wire().sent.slice(from).map(({ text }) => (JSON.parse(text) as { args: string[] }).args.length)).toEqual([1, 1, 1])
    answer(from)
    expect(notes.filter(({ what }) => what === 'topic was refused')).toMatchObject([{ level: 'warn', facts: { topic: 'orderbook.200.BADUSDT', why: 'Invalid topic' } }])
  })

  test('an unknown channel, and a mapping that is not there, are said at once', () => {
    const { host } = scripted()
    expect(() => binance.spot.open(host, opening(binance.spot, { channels: ['marks'] }))).toThrow(/source "binance.spot" has no channel "marks"/)
  })

  test('a listing that looks multiplied is proposed, and read as it is', async () => {
    const { notes, system } = await opened(binance.spot, () => spotList(['1000ODDUSDT', '1INCHUSDT', '1000SATSUSDT']))
    expect(notes.filter(({ what }) => what === 'listings look multiplied')).toMatchObject([{ facts: { bases: ['1000ODD'] } }])
    expect(system.filter(({ schema }) => schema === 'instrument').map(({ row }) => [row['instrument'], row['multiplier']])).toEqual([
      ['binance:spot:1000ODD-USDT', 1], ['binance:spot:1INCH-USDT', 1], ['binance:spot:SATS-USDT', 1000],
    ])
  })

  test('what is listed and delisted later comes and goes without a new connection', async () => {
    let names = ['BTCUSDT', 'OLDUSDT']
    const { clock, net, system, wire, controls } = await opened(binance.spot, () => spotList(names), { channels: ['trade'] })
    const tell = (symbol: string, t: number): void => wire().say({ stream: `${symbol.toLowerCase()}@trade`, data: { s: symbol, t, T: 1, p: '1', q: '1', m: true } })
    const beat = async (ms: number): Promise<void> => {
      for (let t = 0; t < ms; t += 20_000) {
        wire().events.ping()
        await clock.pass(20_000)
      }
    }
    await clock.pass(1_000)
    tell('OLDUSDT', 1)
    names = ['BTCUSDT', 'NEWUSDT']
    await beat(610_000)
    expect(wire().topics()).toEqual(['btcusdt@trade', 'newusdt@trade'])
    expect(net.wires).toHaveLength(1)
    expect(system.filter(({ schema }) => schema === 'instrument').map(({ row }) => [row['symbol'], row['status']])).toEqual([
      ['BTCUSDT', 'trading'], ['OLDUSDT', 'trading'], ['OLDUSDT', 'gone'], ['NEWUSDT', 'trading'],
    ])
    expect(controls('down').map((row) => [row['instrument'], row['why']])).toEqual([['binance:spot:OLD-USDT', 'no longer asked for']])
  })
})

describe('a poll', () => {
  test('comes at its time, proves its life, and outlives refusals', async () => {
    const answers: (Reply | undefined)[] = [{ status: 500 }, { body: [{ symbol: 'BTCUSDT', fundingIntervalHours: 8 }] }, undefined, { body: [{ symbol: 'BTCUSDT', fundingIntervalHours: 4 }] }]
    const { clock, rows, controls } = await opened(binance.usdm, () => usdmList(['BTCUSDT']), { channels: ['fundingInfo'] }, () => answers.shift())
    await clock.pass(700_000)
    expect(rows.map(({ schema, row }) => [schema, row['instrument'], row['hours']])).toEqual([
      ['fundingInterval', 'binance:perp:BTC-USDT', 8], ['fundingInterval', 'binance:perp:BTC-USDT', 4],
    ])
    expect([...controls('up'), ...controls('alive')].map((row) => [row['channel'], row['instrument']])).toEqual([['fundingInfo', ''], ['fundingInfo', '']])
  })
})
