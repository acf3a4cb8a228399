import { describe, expect, test } from 'vitest'
import type { AnySource, Opening } from '../../graph/source.ts'
import { binance, bybit } from '../../sources/index.ts'
import { opening, scripted } from './world.ts'
import type { Reply, Wire } from './world.ts'

const HOUR = 3_600_000
const symbols = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `A${String(i).padStart(3, '0')}USDT`)

const spotList = (names: readonly string[]): object => ({ symbols: names.map((symbol) => ({
  symbol, status: 'TRADING', baseAsset: symbol.slice(0, -4), quoteAsset: 'USDT',
  filters: [{ filterType: 'PRICE_FILTER', tickSize: '0.01' }, { filterType: 'LOT_SIZE', stepSize: '0.001' }],
})) })
const usdmList = (names: readonly string[]): object => ({ symbols: names.map((symbol) => ({
  symbol, status: 'TRADING', contractType: 'PERPETUAL', baseAsset: symbol.slice(0, -4), quoteAsset: 'USDT', marginAsset: 'USDT',
  filters: [{ filterType: 'PRICE_FILTER', tickSize: '0.01' }, { filterType: 'LOT_SIZE', stepSize: '0.001' }],
})) })
const bybitList = (names: readonly string[], nextPageCursor: string): object => ({ retCode: 0, result: { nextPageCursor, list: names.map((symbol) => ({
  symbol, contractType: 'LinearPerpetual', status: 'Trading', baseCoin: symbol.slice(0, -4), quoteCoin: 'USDT', settleCoin: 'USDT',
  priceFilter: { tickSize: '0.1' }, lotSizeFilter: { qtyStep: '0.01', basePrecision: '0.01' },
})) } })

const spotDelta = (symbol: string, U: number, u: number): object =>
  ({ stream: `${symbol.toLowerCase()}@depth@100ms`, data: { e: 'depthUpdate', E: 1_770_000_000_000, s: symbol, U, u, b: [['1', '2']], a: [] } })
const spotSeed = (lastUpdateId: number): object => ({ lastUpdateId, bids: [['1', '1']], asks: [['2', '1']] })
const markOf = (symbol: string, E = 1_770_000_000_000): object =>
  ({ stream: `${symbol.toLowerCase()}@markPrice@1s`, data: { e: 'markPriceUpdate', E, s: symbol, p: '1', i: '1', r: '0.1', T: 1_770_019_200_000 } })
const bybitBook = (symbol: string, type: string, u: number): object =>
  ({ topic: `orderbook.200.${symbol}`, type, ts: 1, cts: 1, data: { s: symbol, b: [['1', '1']], a: [['2', '1']], u, seq: 1 } })

/** Open a source against a script: its list, and an answer to anything else. */
const opened = async (
  source: AnySource, list: (path: string) => object, part: Partial<Opening> = {}, other: (path: string) => Reply | undefined = () => ({ status: 404 }),
) => {
  const world = scripted()
  world.net.answer = (path) => (/exchangeInfo|instruments-info/.test(path) ? { body: list(path) } : other(path))
  const running = source.open(world.host, opening(source, part))
  await world.clock.pass(50)
  const asked = (part: string): readonly string[] => world.net.asked.map(({ path }) => path).filter((path) => path.includes(part))
  return { ...world, running, asked, wire: (i = 0): Wire => world.net.wires[i] as Wire }
}

const ack = (wire: Wire, from = 0): void => {
  for (const { text } of wire.sent.slice(from)) {
    const { id, req_id: request, op } = JSON.parse(text) as { id?: number; req_id?: string; op?: string }
    if (op === 'ping') wire.say({ success: true, ret_msg: 'pong', op: 'ping', req_id: request })
    else wire.say(id === undefined ? { success: true, ret_msg: '', op, req_id: request } : { result: null, id })
  }
}

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

describe('a connection', () => {
  test('that is lost is made again, each time later, and says so for every symbol that it had', async () => {
    const { clock, net, controls, wire } = await opened(binance.spot, () => spotList(['BTCUSDT', 'ETHUSDT']), { channels: ['book'] }, () => undefined)
    await clock.pass(500)
    wire().say(spotDelta('BTCUSDT', 1, 2))
    expect(controls('up').map((row) => [row['instrument'], row['connection'], row['epoch']])).toEqual([['binance:spot:BTC-USDT', 1, 1]])
    net.welcome = (next) => next.events.close(1006, 'connect ECONNREFUSED')
    wire().events.close(1006, 'reset')
    expect(controls('down').map((row) => [row['instrument'], row['why']])).toEqual([['binance:spot:BTC-USDT', '1006 reset']])
    await clock.pass(100_000)
    const tries = net.wires.length
    expect(tries).toBeGreaterThan(5)
    expect(tries).toBeLessThan(14)
    net.welcome = (next) => next.events.open()
    await clock.pass(60_000)
    const last = net.wires.at(-1) as Wire
    last.say(spotDelta('BTCUSDT', 9, 9))
    expect(controls('up').at(-1)).toMatchObject({ instrument: 'binance:spot:BTC-USDT', connection: 1, epoch: net.wires.length })
  })

  test('obeys Retry-After of a handshake, and says what to do where the law forbids', async () => {
    const { clock, net, notes } = await opened(binance.spot, () => spotList(['BTCUSDT']), { channels: ['trade'] })
    net.welcome = (wire) => wire.events.close(429, 'the handshake was answered by 429, retry-after: 90')
    net.wires[0]?.events.close(1006, '')
    await clock.pass(2_000)
    expect(net.wires).toHaveLength(2)
    net.welcome = (wire) => wire.events.close(451, 'the handshake was answered by 451')
    await clock.pass(88_000)
    expect(net.wires).toHaveLength(2)
    await clock.pass(3_000)
    expect(net.wires).toHaveLength(3)
    expect(notes.at(-1)).toMatchObject({ facts: { code: 451, fix: expect.stringContaining('does not serve this place') } })
    await clock.pass(500_000)
    expect(net.wires).toHaveLength(3)
  })

  test('that is silent as a whole is given up: without pings of the server', async () => {
    const { clock, net, wire } = await opened(binance.spot, () => spotList(['BTCUSDT']), { channels: ['trade'] })
    for (let i = 0; i < 10; i++) {
      await clock.pass(20_000)
      wire().events.ping()
    }
    expect(net.wires).toHaveLength(1)
    await clock.pass(58_000)
    expect(wire().closed).toBe(false)
    await clock.pass(6_000)
    expect([wire().closed, net.wires.length]).toEqual([true, 2])
  })

  test('asks for life every 20 s where the client must, and is given up without an answer', async () => {
    const { clock, net, wire } = await opened(bybit.spot, () => bybitList(['BTCUSDT'], ''), { channels: ['trade'] })
    let from = 0
    for (let i = 0; i < 12; i++) {
      await clock.pass(10_000)
      ack(wire(), from)
      from = wire().sent.length
    }
    expect(wire().sent.filter(({ text }) => text.includes('"ping"'))).toHaveLength(6)
    expect(net.wires).toHaveLength(1)
    for (let i = 0; i < 5; i++) {
      await clock.pass(10_000)
      wire().say({ topic: 'publicTrade.BTCUSDT', data: [] })
    }
    expect(wire().closed).toBe(true)
    expect(net.wires.length).toBeGreaterThan(1)
  })

  test('is replaced before the venue cuts it: the old one goes when the new one has everything', async () => {
    const { clock, net, controls, rows, wire } = await opened(binance.usdm, () => usdmList(['BTCUSDT', 'ETHUSDT']), { channels: ['mark'] })
    for (let left = 23 * HOUR; left > -HOUR && net.wires.length < 2;) {
      wire().say(markOf('BTCUSDT'))
      wire().say(markOf('ETHUSDT'))
      const step = left > 1.2 * HOUR ? 300_000 : 5_000
      await clock.pass(step)
      left -= step
    }
    expect(net.wires).toHaveLength(2)
    await clock.pass(1_000)
    const made = rows.length
    wire(1).say(markOf('BTCUSDT'))
    wire(0).say(markOf('BTCUSDT'))
    wire(0).say(markOf('ETHUSDT'))
    await clock.pass(2_000)
    expect([rows.length - made, wire(0).closed]).toEqual([2, false])
    wire(1).say(markOf('ETHUSDT'))
    await clock.pass(2_000)
    expect([rows.length - made, wire(0).closed]).toEqual([3, true])
    expect(controls('down')).toEqual([])
    expect(controls('up')).toHaveLength(2)
  })

  test('is replaced at once when the venue says that it will shut down, and ids tell the rows of both apart', async () => {
    const { clock, net, rows, wire } = await opened(binance.spot, () => spotList(['BTCUSDT']), { channels: ['trade'] })
    const tell = (at: number, t: number): void => wire(at).say({ stream: 'btcusdt@trade', data: { s: 'BTCUSDT', t, T: 1, p: '1', q: '1', m: true } })
    await clock.pass(1_000)
    tell(0, 1)
    wire(0).say({ stream: '!serverShutdown', data: { e: 'serverShutdown', E: 1 } })
    await clock.pass(2_000)
    expect(net.wires).toHaveLength(2)
    for (const [at, t] of [[0, 2], [1, 2], [0, 3], [1, 3]] as const) tell(at, t)
    expect(rows.map(({ row }) => row['first'])).toEqual([1, 2, 2, 3, 3])
    await clock.pass(2_000)
    expect([wire(0).closed, wire(1).closed]).toEqual([true, false])
  })

  test('tells of a symbol that falls silent and speaks again, and proves the life of quiet channels once a second', async () => {
    const { clock, controls, wire } = await opened(binance.usdm, () => usdmList(['BTCUSDT', 'ETHUSDT']), { channels: ['mark'] })
    for (let i = 0; i < 100; i++) {
      wire().say(markOf('BTCUSDT'))
      if (i < 5) wire().say(markOf('ETHUSDT'))
      await clock.pass(1_000)
    }
    expect(controls('stale').map((row) => row['instrument'])).toEqual(['binance:perp:ETH-USDT'])
    expect(wire().sent.map(({ text }) => (JSON.parse(text) as { method: string }).method)).toEqual(expect.arrayContaining(['UNSUBSCRIBE']))
    wire().say(markOf('ETHUSDT'))
    expect(controls('live').map((row) => row['instrument'])).toEqual(['binance:perp:ETH-USDT'])
    const alive = controls('alive')
    expect(alive.length).toBeGreaterThan(90)
    expect(alive.length).toBeLessThanOrEqual(101)
    expect(alive.every((row) => row['instrument'] === '' && row['channel'] === 'mark')).toBe(true)
  })

  test('asks again for a topic that was accepted and never spoke, and at last says so', async () => {
    const { clock, wire, notes } = await opened(binance.usdm, () => usdmList(['BTCUSDT', 'NONEUSDT']), { channels: ['mark'] })
    for (let i = 0; i < 200; i++) {
      wire().say(markOf('BTCUSDT'))
      await clock.pass(1_000)
    }
    const asked = wire().sent.filter(({ text }) => text.includes('SUBSCRIBE"') && !text.includes('UNSUB') && text.includes('noneusdt'))
    expect(asked).toHaveLength(4)
    expect(notes.filter(({ what }) => what === 'topic is silent')).toMatchObject([{ level: 'warn', facts: { topic: 'noneusdt@markPrice@1s' } }])
  })

  test('hands a message that nobody knows to the dead letters, and no reply or late word', async () => {
    const { clock, wire, errors, rows } = await opened(binance.spot, () => spotList(['BTCUSDT']), { channels: ['trade'] })
    await clock.pass(1_000)
    wire().say({ result: null, id: 1 })
    wire().say({ stream: 'ethusdt@trade', data: { s: 'ETHUSDT' } })
    expect(errors).toEqual([])
    wire().say('{"stream":"btcusdt@tr')
    wire().say({ stream: 'btcusdt@unknown', data: {} })
    expect(errors).toMatchObject([{ code: 'KT2110' }, { code: 'KT2110' }])
    expect(rows).toEqual([])
  })

  test('says nothing more once it is closed', async () => {
    const { clock, net, wire, running, rows, controls } = await opened(binance.usdm, () => usdmList(['BTCUSDT']), {}, () => undefined)
    await clock.pass(1_000)
    wire().say({ stream: 'btcusdt@trade', data: { s: 'BTCUSDT', t: 1, T: 1, p: '1', q: '1', m: true, X: 'MARKET' } })
    running.close()
    expect(controls('down')).toHaveLength(1)
    const [asked, count] = [net.asked.length, net.wires.length]
    wire().say({ stream: 'btcusdt@trade', data: { s: 'BTCUSDT', t: 2, T: 1, p: '1', q: '1', m: true, X: 'MARKET' } })
    await clock.pass(2 * HOUR)
    expect([rows.length, net.asked.length, net.wires.length, running.status().map(({ state }) => state)]).toEqual([1, asked, count, ['closed', 'closed']])
  })
})

describe('a book that begins over REST', () => {
  const depth = (reply: (path: string) => Reply | undefined) => (path: string): Reply | undefined => (path.includes('depth') ? reply(path) : { status: 404 })

  test('is asked for when its stream speaks, and again when the snapshot is too old or its ids have a hole', async () => {
    const ids = [90, 100, 300]
    const { clock, wire, rows, asked } = await opened(binance.spot, () => spotList(['BTCUSDT']), { channels: ['book'] }, depth(() => ({ body: spotSeed(ids.shift() ?? 0) })))
    await clock.pass(1_000)
    expect(asked('depth')).toEqual([])
    wire().say(spotDelta('BTCUSDT', 95, 101))
    wire().say(spotDelta('BTCUSDT', 102, 103))
    await clock.pass(3_000)
    expect(asked('depth')).toHaveLength(2)
    expect(asked('depth')[0]).toBe('/api/v3/depth?symbol=BTCUSDT&limit=5000')
    const seeds = () => rows.filter(({ row }) => row['snapshot'] === true).map(({ row }) => [row['last'], row['horizon'], row['origin']])
    expect(seeds()).toEqual([[100, 5000, 'rest']])
    wire().say(spotDelta('BTCUSDT', 104, 110))
    wire().say(spotDelta('BTCUSDT', 104, 110))
    await clock.pass(60_000)
    expect(asked('depth')).toHaveLength(2)
    wire().say(spotDelta('BTCUSDT', 200, 210))
    await clock.pass(2_000)
    expect(seeds()).toEqual([[100, 5000, 'rest'], [300, 5000, 'rest']])
  })

  test('is compared with a new snapshot every 20 minutes, one book at a time', async () => {
    const names = symbols(3)
    const { clock, wire, asked, net } = await opened(binance.spot, () => spotList(names), { channels: ['book'] }, depth(() => ({ body: spotSeed(101) })))
    await clock.pass(500)
    for (const name of names) wire().say(spotDelta(name, 100, 101))
    for (let i = 0; i < 1_300; i++) {
      wire().events.ping()
      await clock.pass(1_000)
    }
    expect(asked('depth')).toHaveLength(6)
    const times = net.asked.filter(({ path }) => path.includes('depth')).map(({ at }) => at / 1e6)
    for (const i of [4, 5]) expect((times[i] as number) - (times[i - 1] as number)).toBeGreaterThan(4)
    expect((times[3] as number) - (times[2] as number)).toBeGreaterThan(1_190)
  })

  test('is asked for again when one of its messages was lost to the dead letters, or its snapshot was not taken', async () => {
    const { clock, wire, asked, rows, errors } = await opened(binance.spot, () => spotList(['BTCUSDT']), { channels: ['book'] }, depth(() => ({ body: spotSeed(103) })))
    await clock.pass(500)
    wire().say(spotDelta('BTCUSDT', 100, 101))
    await clock.pass(1_000)
    wire().say({ stream: 'btcusdt@depth@100ms', data: { s: 'BTCUSDT', E: 1, U: 102, u: 102, b: [['1', 'x']], a: [] } })
    expect(errors).toMatchObject([{ code: 'KT2102', facts: { instrument: 'binance:spot:BTC-USDT' } }])
    wire().say(spotDelta('BTCUSDT', 102, 104))
    await clock.pass(1_000)
    expect(asked('depth')).toHaveLength(2)
    expect(rows.filter(({ row }) => row['snapshot'] === true)).toHaveLength(2)
  })

  test('begins anew on a new connection', async () => {
    const { clock, wire, net, asked } = await opened(binance.spot, () => spotList(['BTCUSDT']), { channels: ['book'] }, depth(() => ({ body: spotSeed(101) })))
    await clock.pass(500)
    wire().say(spotDelta('BTCUSDT', 100, 101))
    await clock.pass(1_000)
    wire().events.close(1006, '')
    await clock.pass(3_000)
    net.wires[1]?.say(spotDelta('BTCUSDT', 102, 102))
    await clock.pass(1_000)
    expect(asked('depth')).toHaveLength(2)
  })

  test('waits for the weight budget, the most active books first', async () => {
    const names = symbols(200)
    const { clock, wire, asked, net } = await opened(binance.spot, () => spotList(names), { channels: ['book'] }, depth(() => ({ body: spotSeed(100) })))
    await clock.pass(10_000)
    names.forEach((name, i) => {
      for (let n = 0; n <= i % 10; n++) wire().say(spotDelta(name, 100 + n, 100 + n))
    })
    await clock.pass(70_000)
    const weight = new Map<number, number>()
    for (const { path, at } of net.asked.filter((one) => one.path.includes('depth'))) {
      const minute = Math.floor(at / 60e6)
      weight.set(minute, (weight.get(minute) ?? 0) + (path.includes('limit=5000') ? 250 : 50))
    }
    expect(Math.max(...weight.values())).toBeLessThanOrEqual(4_200)
    const first = asked('depth').slice(0, 20).map((path) => Number(/A(\d+)USDT/.exec(path)?.[1]) % 10)
    expect(new Set(first)).toEqual(new Set([9]))
    await clock.pass(240_000)
    expect(new Set(asked('depth').map((path) => /A\d+/.exec(path)?.[0])).size).toBe(200)
  })

  const refusals: readonly (readonly [string, Reply | undefined, number, number, RegExp])[] = [
    ['429 with Retry-After', { status: 429, headers: { 'retry-after': '40' } }, 39_000, 45_000, /kt waits/],
    ['418', { status: 418, headers: { 'retry-after': '120' } }, 119_000, 125_000, /banned/],
    ['451', { status: 451 }, 590_000, 620_000, /does not serve this place/],
    ['403', { status: 403 }, 590_000, 620_000, /firewall/],
    ['500', { status: 500 }, 200, 3_000, /^$/],
    ['503', { status: 503, headers: { 'retry-after': '7' } }, 6_900, 9_000, /^$/],
    ['a time-out', undefined, 10_200, 14_000, /^$/],
  ]
  for (const [name, refusal, atLeast, atMost, fix] of refusals) {
    test(`is asked for again after ${name}, not before its time`, async () => {
      let refused = false
      const { clock, wire, rows, net, notes } = await opened(binance.spot, () => spotList(['BTCUSDT']), { channels: ['book'] }, depth(() => {
        if (refused) return { body: spotSeed(100) }
        refused = true
        return refusal
      }))
      await clock.pass(500)
      wire().say(spotDelta('BTCUSDT', 100, 101))
      for (let i = 0; i < 700; i++) {
        wire().events.ping()
        await clock.pass(1_000)
      }
      const [first, second] = net.asked.filter(({ path }) => path.includes('depth')).map(({ at }) => at / 1000) as [number, number]
      expect(second - first).toBeGreaterThanOrEqual(atLeast)
      expect(second - first).toBeLessThanOrEqual(atMost)
      expect(rows.filter(({ row }) => row['snapshot'] === true)).toHaveLength(1)
      const note = notes.find(({ what }) => what === 'request was refused')
      expect(String(note?.facts['fix'] ?? '')).toMatch(fix)
    })
  }

  test('a snapshot that breaks the contract goes to the dead letters, and another is asked for', async () => {
    const bodies: Reply[] = [{ body: '{"lastUpdateId":' }, { body: { lastUpdateId: 'x', bids: [], asks: [] } }, { body: spotSeed(100) }]
    const { clock, wire, rows, errors } = await opened(binance.spot, () => spotList(['BTCUSDT']), { channels: ['book'] }, depth(() => bodies.shift()))
    await clock.pass(500)
    wire().say(spotDelta('BTCUSDT', 100, 101))
    await clock.pass(10_000)
    expect(errors).toMatchObject([{ code: 'KT2101' }, { code: 'KT2104' }])
    expect(rows.filter(({ row }) => row['snapshot'] === true)).toHaveLength(1)
  })
})

describe('a book that begins in its stream', () => {
  test('is subscribed to again when its ids have a hole, or when it never began', async () => {
    const { clock, wire, rows } = await opened(bybit.linear, () => bybitList(['BTCUSDT', 'ETHUSDT'], ''), { channels: ['book'] })
    await clock.pass(1_000)
    ack(wire())
    wire().say(bybitBook('BTCUSDT', 'snapshot', 100))
    wire().say(bybitBook('BTCUSDT', 'delta', 101))
    wire().say(bybitBook('ETHUSDT', 'snapshot', 7))
    await clock.pass(2_000)
    const before = wire().sent.length
    wire().say(bybitBook('BTCUSDT', 'delta', 103))
    wire().say(bybitBook('BTCUSDT', 'delta', 104))
    await clock.pass(2_000)
    expect(wire().sent.slice(before).map(({ text }) => { const { op, args } = JSON.parse(text) as { op: string; args: string[] }; return [op, args] })).toEqual([
      ['unsubscribe', ['orderbook.200.BTCUSDT']], ['subscribe', ['orderbook.200.BTCUSDT']],
    ])
    wire().say(bybitBook('BTCUSDT', 'delta', 105))
    await clock.pass(18_000)
    expect(wire().sent.filter(({ text }) => text.includes('"subscribe"') && text.includes('orderbook.200.BTCUSDT'))).toHaveLength(3)
    wire().say(bybitBook('BTCUSDT', 'snapshot', 1))
    wire().say(bybitBook('BTCUSDT', 'delta', 2))
    expect(rows.map(({ row }) => row['last'])).toEqual([100, 101, 7, 103, 104, 105, 1, 2])
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
