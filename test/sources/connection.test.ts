import { describe, expect, test } from 'vitest'
import { binance, bybit } from '../../sources/index.ts'
import { ack, bybitList, HOUR, markOf, opened, spotDelta, spotList, usdmList } from './script.ts'
import type { Wire } from './world.ts'

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
