import { describe, expect, test } from 'vitest'
import { simulatedFrames } from '../../cli/frames.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { loadExamples } from '../../sources/driver/examples.ts'
import { loadMapping } from '../../sources/driver/jsonata.ts'
import { binance, bybit, markets } from '../../sources/index.ts'
import { recorded } from './fuzz-targets.ts'
import { bybitList, opened, spotList } from './script.ts'
import { opening, scripted } from './world.ts'
import { tiers } from './tiers.ts'
import type { Tiers } from './tiers.ts'

const SYMBOL = 'BTCUSDT'
const RECORDED_MAX = 300

/** A channel whose messages are scanned, or the beginnings of its books; rehearsed. */
const rehearsed = (market: (typeof markets)[number]['market'], part: string): Tiers => {
  const { schemas, card } = market.channels[part.replace('.seed', '')]!
  const of = tiers({
    mappings: market.mappings.map(loadMapping), part, schemas: schemas as readonly AnySchema[], symbol: SYMBOL,
    names: new Map([[SYMBOL, { instrument: 'i', wanted: true }]]), patch: card.model === 'patch',
  })
  for (const one of examplesOf(market, part)) of.scanning.reader.rehearse(one.bytes)
  return of
}

const examplesOf = (market: (typeof markets)[number]['market'], part: string) =>
  market.mappings.flatMap(loadExamples).filter((one) => one.part === part)

const parts = markets.flatMap(({ market }) =>
  Object.entries(market.channels).flatMap(([channel, { from, seed }]) =>
    'path' in from ? [] : [channel, ...(seed === undefined ? [] : [`${channel}.seed`])].map((part) => ({ name: `${market.name} ${part}`, market, part })),
  ),
)

describe('what venues say is rehearsed', () => {
  test.each(parts)('$name: its examples are scanned from the first one on, to what they are parsed to', ({ market, part }) => {
    const { feed, scanning } = rehearsed(market, part)
    const examples = examplesOf(market, part)
    expect(examples.length).toBeGreaterThan(0)
    expect(scanning.learned.map(([, refused]) => refused)).not.toContainEqual(expect.any(String))
    expect(scanning.tiers).toMatchObject({ scanned: 0, parsed: 0 })
    for (const { bytes } of examples) expect(feed(bytes)).toBe(true)
  })

  test('and so is what the simulated exchange says, which writes its messages by itself', () => {
    const frames = simulatedFrames(3).filter(({ symbol }) => symbol === SYMBOL)
    for (const { name, market, part } of parts.filter((one) => !one.part.endsWith('.seed'))) {
      const { feed, scanning } = rehearsed(market, part)
      const own = frames.filter(({ source, channel }) => source === market.name && channel === part)
      expect(own.length, name).toBeGreaterThan(2)
      for (const { bytes } of own) feed(bytes)
      // A patch may say of something for the first time.
      expect([name, scanning.tiers.parsed]).toEqual([name, 0])
    }
  })

  test('and what was recorded of Bybit in the year of the examples', async () => {
    const frames = (await recorded(RECORDED_MAX)).filter(({ source, symbol }) => source.startsWith('bybit') && symbol === SYMBOL)
    if (frames.length === 0) return
    for (const { name, market, part } of parts.filter((one) => one.market.venue === 'bybit' && one.part !== 'ticker')) {
      const { feed, scanning } = rehearsed(market, part)
      for (const { bytes } of frames.filter(({ source, channel }) => source === market.name && channel === part)) feed(bytes)
      expect([name, scanning.tiers.parsed]).toEqual([name, 0])
    }
  })
})

describe('a source that is given examples', () => {
  const first = { stream: 'btcusdt@trade', data: { e: 'trade', E: 1_785_000_000_050, s: SYMBOL, t: 1, p: '10.5', q: '2', T: 1_785_000_000_049, m: false, M: true } }

  test('scans its first message, and has emitted nothing before', async () => {
    const world = scripted()
    world.net.answer = (path) => ({ body: path.includes('exchangeInfo') ? spotList([SYMBOL]) : {} })
    const running = binance.spot.open({ ...world.host, examples: loadExamples }, opening(binance.spot, { channels: ['trade'] }))
    await world.clock.pass(50)
    expect([world.rows, world.errors, running.reads()]).toMatchObject([[], [], [{ scanned: 0 }]])
    world.net.wires[0]!.say(first)
    expect(world.rows.map(({ row }) => row)).toMatchObject([{ id: '1', price: 10.5, size: 2, instrument: 'binance:spot:BTC-USDT' }])
    expect(running.reads()).toMatchObject([{ channel: 'trade', scanned: 1, parsed: new Map() }])
  })

  test('and parses it without them', async () => {
    const { wire, rows, running } = await opened(binance.spot, () => spotList([SYMBOL]), { channels: ['trade'] })
    wire().say(first)
    expect(rows).toHaveLength(1)
    expect(running.reads()).toMatchObject([{ channel: 'trade', scanned: 0, parsed: new Map([['a new shape', 1]]) }])
  })

  test('still says what breaks the contract: a symbol of the examples that is not listed', async () => {
    const world = scripted()
    world.net.answer = (path) => ({ body: path.includes('instruments-info') ? bybitList(['ETHUSDT'], '') : {} })
    bybit.linear.open({ ...world.host, examples: loadExamples }, opening(bybit.linear, { channels: ['trade'] }))
    await world.clock.pass(50)
    const of = (symbol: string) => ({ topic: 'publicTrade.ETHUSDT', type: 'snapshot', ts: 1, data: [
      { T: 1, s: symbol, S: 'Buy', v: '1', p: '2', L: 'PlusTick', i: 'a', BT: false, RPI: false, seq: 1 }] })
    world.net.wires[0]!.say(of('ETHUSDT'))
    world.net.wires[0]!.say(of(SYMBOL))
    expect([world.rows.length, world.errors]).toMatchObject([1, [{ code: 'KT2109' }]])
  })
})
