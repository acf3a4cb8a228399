import type { FrameSet } from './frames.ts'
import type { Pipeline } from './pipeline.ts'

type Level = readonly [price: string, size: string]

interface Message {
  readonly stream?: string
  readonly lastUpdateId?: number
  readonly bids?: readonly Level[]
  readonly asks?: readonly Level[]
  readonly data?: {
    readonly s: string
    readonly t: number
    readonly T: number
    readonly E: number
    readonly u: number
    readonly U: number
    readonly p: string
    readonly q: string
    readonly m: boolean
    readonly b: readonly Level[]
    readonly a: readonly Level[]
  }
}

/**
 * One side of a book as most programs keep it: a sorted array of objects, found by bisection, changed by
 * splice.
 */
const side = (sign: 1 | -1) => {
  const levels: { price: number; size: number }[] = []
  const set = ([priceText, sizeText]: Level): void => {
    const [price, size] = [Number(priceText), Number(sizeText)]
    let [low, high] = [0, levels.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((levels[middle]!.price - price) * sign < 0) low = middle + 1
      else high = middle
    }
    const found = levels[low]?.price === price
    if (size === 0) levels.splice(low, found ? 1 : 0)
    else if (found) levels[low]!.size = size
    else levels.splice(low, 0, { price, size })
  }
  return { levels, set }
}

const STEP_FRAMES = 50

/** What one writes first: parse, make objects, keep sorted arrays, write JSON lines. */
export const naivePipeline = ({ frames }: FrameSet): Pipeline => {
  const [bids, asks] = [side(-1), side(1)]
  let applied = -1
  let waiting: NonNullable<Message['data']>[] = []
  let [quotes, bytes] = [0, 0]
  let lines: string[] = []
  let shown = ''
  const quote = (time: number, received: number): void => {
    const [bid, ask] = [bids.levels[0], asks.levels[0]]
    const row = {
      instrument: 'BTC-USDT',
      bid: bid?.price,
      bidSize: bid?.size,
      ask: ask?.price,
      askSize: ask?.size,
    }
    const text = JSON.stringify(row)
    if (text === shown) return
    shown = text
    quotes++
    lines.push(JSON.stringify({ ...row, time, received }))
  }
  const apply = (data: NonNullable<Message['data']>, received: number): void => {
    if (applied < 0) {
      waiting.push(data)
      return
    }
    if (data.u <= applied) return
    for (const level of data.b) bids.set(level)
    for (const level of data.a) asks.set(level)
    applied = data.u
    quote(data.E, received)
  }
  const take = (at: number): void => {
    const { bytes: frame, channel, received } = frames[at]!
    const message = JSON.parse(frame.toString()) as Message
    const { data } = message
    if (channel === 'seed') {
      for (const level of message.bids ?? []) bids.set(level)
      for (const level of message.asks ?? []) asks.set(level)
      applied = message.lastUpdateId ?? -1
      for (const one of waiting) apply(one, received)
      waiting = []
    } else if (data !== undefined && channel === 'trade') {
      const { s, t, T, p, q, m } = data
      lines.push(
        JSON.stringify({
          instrument: s,
          id: t,
          time: T,
          received,
          side: m ? 'sell' : 'buy',
          price: Number(p),
          size: Number(q),
        }),
      )
    } else if (data !== undefined) {
      const { s, U, u, E, b, a } = data
      const numbers = (levels: readonly Level[]): readonly (readonly number[])[] =>
        levels.map(([price, size]) => [Number(price), Number(size)])
      lines.push(
        JSON.stringify({
          instrument: s,
          first: U,
          last: u,
          time: E,
          received,
          bids: numbers(b),
          asks: numbers(a),
        }),
      )
      apply(data, received)
    }
    if (at % STEP_FRAMES !== 0) return
    bytes += Buffer.byteLength(lines.join('\n'))
    lines = []
  }
  return {
    name: 'naive',
    take,
    end: () => ({ quotes, bytes, bid: bids.levels[0]?.price ?? 0, ask: asks.levels[0]?.price ?? 0 }),
  }
}
