import type { MarketFrame } from '../frames.ts'

type Levels = readonly (readonly [price: string, size: string])[]

/**
 * The same frames of Binance with one more at the end, which changes the last book into the first: a stream
 * can then begin again without a snapshot. Frames without a snapshot stay as they are.
 */
export const healed = (frames: readonly MarketFrame[]): readonly MarketFrame[] => {
  const seed = frames.find(({ channel }) => channel === 'seed')
  const last = frames.findLast(({ channel }) => channel === 'book')
  if (seed === undefined || last === undefined) return frames
  const first = JSON.parse(seed.bytes.toString()) as { lastUpdateId: number; bids: Levels; asks: Levels }
  const begin = { bids: new Map(first.bids), asks: new Map(first.asks) }
  const end = { bids: new Map(first.bids), asks: new Map(first.asks) }
  let stands = 0
  for (const { channel, bytes } of frames) {
    if (channel !== 'book') continue
    const { data } = JSON.parse(bytes.toString()) as { data: { u: number; b: Levels; a: Levels } }
    stands = data.u
    if (data.u <= first.lastUpdateId) continue
    for (const [price, size] of data.b) end.bids.set(price, size)
    for (const [price, size] of data.a) end.asks.set(price, size)
  }
  const back = (from: ReadonlyMap<string, string>, to: ReadonlyMap<string, string>): Levels =>
    [...from].flatMap(([price, size]) => {
      const wanted = to.get(price) ?? '0.00000000'
      return wanted === size ? [] : [[price, wanted] as const]
    })
  const text = last.bytes.toString()
  const { stream, data } = JSON.parse(text) as { stream: string; data: object }
  const id = stands + 1
  const [b, a] = [back(end.bids, begin.bids), back(end.asks, begin.asks)]
  const bytes = Buffer.from(JSON.stringify({ stream, data: { ...data, U: id, u: id, b, a } }))
  return [...frames, { ...last, bytes }]
}
