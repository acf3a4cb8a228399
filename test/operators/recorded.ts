import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { BookDelta } from '../../market/event.ts'
import { recordings } from '../recordings.ts'
import { delta } from './rows.ts'

const FOLDER = join(recordings, 'binance/demo-20240808-btc')

/** The best bid and ask, as the venue itself printed them at an id. */
export interface Ticker {
  readonly id: number
  readonly top: readonly number[]
}

interface Message {
  readonly lastUpdateId?: number
  readonly bids: Levels
  readonly asks: Levels
  readonly stream: string
  readonly data: {
    readonly U: number
    readonly u: number
    readonly pu?: number
    readonly E: number
    readonly b: Levels
    readonly a: Levels
    readonly B: string
    readonly A: string
  }
}
type Levels = readonly (readonly [price: string, size: string])[]

const sides = (bids: Levels, asks: Levels) => ({
  bidPrices: bids.map(([price]) => Number(price)),
  bidSizes: bids.map(([, size]) => Number(size)),
  askPrices: asks.map(([price]) => Number(price)),
  askSizes: asks.map(([, size]) => Number(size)),
})

/** Books and best prices of a recording, in its order; undefined where there is none. */
export const recorded = (
  ...files: readonly string[]
): { readonly deltas: BookDelta[]; readonly tickers: Ticker[] } | undefined => {
  if (!files.every((file) => existsSync(join(FOLDER, file)))) return undefined
  const deltas: BookDelta[] = []
  const tickers: Ticker[] = []
  for (const line of files.flatMap((file) =>
    gunzipSync(readFileSync(join(FOLDER, file)))
      .toString()
      .split('\n'),
  )) {
    const at = line.indexOf(' ')
    if (at < 0 || !/lastUpdateId|@depth|@bookTicker/.test(line.slice(at, at + 40))) continue
    const received = Math.floor(Number(line.slice(0, at)) / 1_000)
    const message = JSON.parse(line.slice(at + 1)) as Message
    const { data, lastUpdateId } = message
    if (lastUpdateId !== undefined) {
      const horizon = Math.max(message.bids.length, message.asks.length)
      deltas.push(
        delta(
          lastUpdateId,
          lastUpdateId,
          {},
          {},
          {
            snapshot: true,
            origin: 'rest',
            horizon,
            time: received,
            received,
            ...sides(message.bids, message.asks),
          },
        ),
      )
    } else if (message.stream.includes('@depth')) {
      const first = data.pu === undefined ? data.U : data.pu + 1
      deltas.push(delta(first, data.u, {}, {}, { time: data.E * 1_000, received, ...sides(data.b, data.a) }))
    } else {
      tickers.push({ id: data.u, top: [data.b, data.B, data.a, data.A].map(Number) })
    }
  }
  return { deltas, tickers }
}
