import { describe, expect, test } from 'vitest'
import { binance } from '../../sources/index.ts'
import { markOf, opened, spotList, usdmList } from './script.ts'
import type { Reply } from './world.ts'

describe('staleness', () => {
  test('lets a quiet symbol be quiet by its own pace, and no longer than twenty times what the card says', async () => {
    const { clock, controls, wire } = await opened(binance.usdm, () => usdmList(['BTCUSDT', 'ETHUSDT']), { channels: ['mark'] })
    const speak = async (seconds: number, every: number): Promise<void> => {
      for (let i = 0; i < seconds; i++) {
        wire().say(markOf('BTCUSDT'))
        if ((i + 1) % every === 0) wire().say(markOf('ETHUSDT'))
        await clock.pass(1_000)
      }
    }
    await speak(12, 4)
    await speak(90, 1_000)
    expect(controls('stale')).toEqual([])
    await speak(12, 1_000)
    expect(controls('stale').map((row) => row['instrument'])).toEqual(['binance:perp:ETH-USDT'])
  })

  test('tells of a channel that falls silent as a whole, where quiet symbols are normal', async () => {
    const { clock, controls, wire, notes } = await opened(binance.usdm, () => usdmList(['BTCUSDT', 'ETHUSDT']), { channels: ['trade', 'mark'] })
    const [trades, marks] = ['public', 'market'].map((route) => [0, 1].map(wire).find(({ url }) => url.includes(route))!)
    const trade = (symbol: string): object => ({ stream: `${symbol.toLowerCase()}@trade`, data: { s: symbol, t: 1, T: 1, p: '1', q: '1', X: 'MARKET', m: true } })
    const pass = async (seconds: number): Promise<void> => {
      for (let i = 0; i < seconds; i++) {
        for (const symbol of ['BTCUSDT', 'ETHUSDT']) marks!.say(markOf(symbol))
        trades!.events.ping()
        await clock.pass(1_000)
      }
    }
    for (let i = 0; i < 20; i++) {
      trades!.say(trade('BTCUSDT'))
      await pass(1)
    }
    await pass(59)
    expect(controls('stale')).toEqual([])
    await pass(60)
    expect(controls('stale')).toMatchObject([{ channel: 'trade', instrument: '', why: expect.stringContaining('silent for') }])
    expect(notes.filter(({ what }) => what === 'channel is silent')).toMatchObject([{ level: 'warn', facts: { channel: 'trade' } }])
    trades!.say(trade('ETHUSDT'))
    trades!.say(trade('ETHUSDT'))
    expect(controls('live')).toMatchObject([{ channel: 'trade', instrument: '' }])
    await pass(30)
    expect(controls('stale')).toHaveLength(1)
  })

  test('lets a quiet channel be quiet by the pace of all its symbols', async () => {
    const { clock, controls, wire } = await opened(binance.spot, () => spotList(['BTCUSDT', 'ETHUSDT']), { channels: ['trade'] })
    const pass = async (seconds: number): Promise<void> => {
      for (let i = 0; i < seconds; i++) {
        wire().events.ping()
        await clock.pass(1_000)
      }
    }
    for (let i = 0; i < 10; i++) {
      for (const s of ['BTCUSDT', 'ETHUSDT']) wire().say({ stream: `${s.toLowerCase()}@trade`, data: { s, t: i, T: 1, p: '1', q: '1', m: true } })
      await pass(8)
    }
    await pass(180)
    expect(controls('stale')).toEqual([])
    await pass(30)
    expect(controls('stale')).toMatchObject([{ channel: 'trade', instrument: '' }])
  })

  test('tells of a channel that is asked for, and has had no answer for too long', async () => {
    let well = true
    const intervals = (): Reply => (well ? { body: [{ symbol: 'BTCUSDT', fundingIntervalHours: 8 }] } : { status: 500 })
    const { clock, controls } = await opened(binance.usdm, () => usdmList(['BTCUSDT']), { channels: ['fundingInfo'] }, (path) => (path.includes('fundingInfo') ? intervals() : { status: 404 }))
    await clock.pass(600_000)
    expect(controls('alive').length).toBeGreaterThan(0)
    well = false
    await clock.pass(1_700_000)
    expect(controls('stale')).toEqual([])
    await clock.pass(300_000)
    expect(controls('stale')).toMatchObject([{ channel: 'fundingInfo', instrument: '' }])
    well = true
    await clock.pass(400_000)
    expect([controls('stale').length, controls('live').length]).toEqual([1, 1])
  })
})
