import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { kt, temporary } from '../e2e/command.ts'

describe('kt venue check', () => {
  test('says of each channel which way its messages are read, and why', async () => {
    const { code, out } = await kt('venue', 'check')
    expect(code).toBe(0)
    const lines = out.split('\n').map((line) => line.trim().split(/\s\s+/))
    const tier = (source: string, part: string): string | undefined => lines.find(([one, other]) => one === source && other === part)?.[2]
    for (const source of ['binance.spot', 'binance.usdm', 'bybit.linear', 'bybit.spot'])
      for (const part of ['trade', 'ticker']) expect([source, part, tier(source, part)]).toEqual([source, part, 'scanned'])
    expect([tier('binance.spot', 'book'), tier('binance.usdm', 'mark'), tier('bybit.linear', 'book'), tier('binance.spot', 'book.seed'), tier('bybit.linear', 'mark')])
      .toEqual(['scanned', 'scanned', 'scanned', 'scanned', 'scanned'])
    expect(out).not.toMatch(/unseen/)
  })

  test('answers in JSON, for one source, with the generated code when it is asked for', async () => {
    const { code, out } = await kt('venue', 'check', 'binance.spot', '--json', '--emit')
    const { ok, channels } = JSON.parse(out) as { ok: boolean; channels: { source: string; part: string; frames: number; scanned: number; code: string; shapes: { shape: string; code: string }[] }[] }
    expect([code, ok, channels.map(({ part }) => part)]).toEqual([0, true, ['trade', 'book', 'book.seed', 'ticker']])
    expect(channels[0]).toMatchObject({ source: 'binance.spot', shapes: [{ shape: expect.stringMatching(/^\{stream:t,data:\{e:t/) as string }] })
    expect(channels[0]!.frames).toBe(channels[0]!.scanned)
    expect(channels[0]!.shapes[0]!.code).toMatch(/return \(b,v,from,end,o,R,H\)=>/)
    expect(channels[0]!.code).toMatch(/return \(v, c\) =>/)
    const text = await kt('venue', 'check', 'binance.spot', '--emit')
    expect(text.out).toMatch(/^\/\/ binance.spot trade, scanned: /m)
  })

  test('looks at recorded messages: those that do not fit their mapping are findings', async () => {
    using folder = temporary()
    const file = join(folder.path, 'tape.jsonl')
    const trade = (price: string): string => JSON.stringify({ stream: 'btcusdt@trade', data: { e: 'trade', E: 1, s: 'BTCUSDT', t: 1, p: price, q: '1', T: 1, m: true, M: true } })
    const tape = (...prices: readonly string[]): void =>
      writeFileSync(file, prices.map((price, i) => `${1_770_000_000_000_000_000 + i * 1_000_000} ${trade(price)}\n`).join(''))
    tape('1', '2', '3')
    const fine = await kt('venue', 'check', 'binance.spot', '--frames', file)
    expect([fine.code, fine.out]).toEqual([0, expect.stringMatching(/trade +scanned +3 +3 +1/)])
    expect(fine.out).toMatch(/book +unseen/)
    tape('1', '2', 'x')
    const broken = await kt('venue', 'check', 'binance.spot', '--frames', file)
    expect([broken.code, broken.out]).toEqual([2, expect.stringMatching(/1 do not fit, as KT2102: this is not a number: "x"/)])
  })

  test('knows what it knows not', async () => {
    const [source, frames] = await Promise.all([kt('venue', 'check', 'binance.coinm'), kt('venue', 'check', '--frames', '/nowhere')])
    expect([source.code, source.err]).toEqual([64, expect.stringMatching(/there is no source "binance.coinm"/)])
    expect([frames.code, frames.err]).toEqual([65, expect.stringMatching(/no recording is at/)])
  })
})
