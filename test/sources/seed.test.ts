import { describe, expect, test } from 'vitest'
import { binance, bybit } from '../../sources/index.ts'
import { ack, bybitBook, bybitList, opened, spotDelta, spotList, spotSeed, symbols } from './script.ts'
import type { Reply } from './world.ts'

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

describe('a book of few levels', () => {
  test('is asked for anew over REST, and never where the stream keeps all that there is of it', async () => {
    const spot = await opened(binance.spot, () => spotList(['BTCUSDT']), { channels: ['book'] }, () => ({ body: spotSeed(101) }))
    await spot.clock.pass(500)
    spot.wire().say(spotDelta('BTCUSDT', 100, 101))
    await spot.clock.pass(1_000)
    spot.running.renew('binance:spot:BTC-USDT', 'shallow')
    await spot.clock.pass(1_000)
    expect(spot.asked('depth')).toHaveLength(2)

    const { clock, wire, running } = await opened(bybit.linear, () => bybitList(['BTCUSDT'], ''), { channels: ['book'] })
    await clock.pass(500)
    ack(wire())
    wire().say(bybitBook('BTCUSDT', 'snapshot', 1))
    const left = (): number => wire().sent.filter(({ text }) => text.includes('unsubscribe')).length
    running.renew('bybit:perp:BTC-USDT', 'shallow')
    await clock.pass(1_000)
    expect(left()).toBe(0)
    running.renew('bybit:perp:BTC-USDT', 'gap')
    await clock.pass(1_000)
    expect(left()).toBe(1)
  })
})
