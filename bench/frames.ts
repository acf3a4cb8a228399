import { existsSync, globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'

/** Real frames of one market, as the socket gave them. */
export interface FrameSet {
  readonly name: string
  readonly source: 'binance.spot' | 'binance.usdm'
  readonly symbol: string
  readonly frames: readonly {
    readonly bytes: Buffer
    readonly received: number
    readonly channel: 'trade' | 'book' | 'seed'
  }[]
}

const folder = process.env['KT_RECORDINGS'] ?? resolve(import.meta.dirname, '../../shared/data')

/** Trades and book changes of set B; what a graph does not ask for is left out before the clock runs. */
export const loadFrames = (): readonly FrameSet[] =>
  (['spot', 'usdm'] as const).flatMap((market) => {
    const files = existsSync(folder)
      ? globSync(join(folder, `binance/demo-20240808-btc/${market}_btcusdt_2024080*.gz`))
      : []
    const frames = files
      .toSorted()
      .flatMap((file) => lines(gunzipSync(readFileSync(file))))
      .flatMap(frameOf)
    if (frames.length === 0) return []
    const common = { source: `binance.${market}` as const, symbol: 'BTCUSDT' }
    return [
      { ...common, name: `Binance ${market} BTCUSDT, trades and book`, frames },
      {
        ...common,
        name: `Binance ${market} BTCUSDT, book alone`,
        frames: frames.filter((one) => one.channel !== 'trade'),
      },
      {
        ...common,
        name: `Binance ${market} BTCUSDT, trades alone`,
        frames: frames.filter((one) => one.channel === 'trade'),
      },
    ]
  })

const lines = (text: Buffer): readonly Buffer[] => {
  const found: Buffer[] = []
  for (let from = 0; from < text.length;) {
    const end = text.indexOf(10, from)
    const to = end < 0 ? text.length : end
    if (to > from) found.push(text.subarray(from, to))
    from = to + 1
  }
  return found
}

const frameOf = (line: Buffer): FrameSet['frames'] => {
  const space = line.indexOf(32)
  const received = Math.floor(Number(line.toString('latin1', 0, space)) / 1000)
  const bytes = line.subarray(space + 1)
  const head = bytes.toString('latin1', 0, 60)
  const channel = head.includes('@trade')
    ? 'trade'
    : head.includes('@depth')
      ? 'book'
      : head.includes('lastUpdateId')
        ? 'seed'
        : undefined
  return channel === undefined ? [] : [{ bytes, received, channel }]
}
