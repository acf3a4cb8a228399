import { binanceFrames } from '../frames.ts'
import { ktReader } from '../kt.ts'
import { Loop } from '../loop.ts'
import { measure, resultOf } from '../measure.ts'
import type { BookDelta, Trade } from '../../market/index.ts'
import type { TardisBookChange, TardisTrade } from '../peer/tardis.ts'
import { tardisPipelines } from '../tardis.ts'
import { only, wayOf } from './columns.ts'
import type { Result } from './result.ts'

const tradeOf = ({ id, price, size, side, time }: Trade): TardisTrade => ({
  type: 'trade',
  id,
  price,
  amount: size,
  side,
  timestamp: new Date(time / 1000),
})

const levels = (prices: ArrayLike<number>, sizes: ArrayLike<number>): TardisBookChange['bids'] => {
  const made: { price: number; amount: number }[] = []
  for (let at = 0; at < prices.length; at++) made.push({ price: prices[at]!, amount: sizes[at]! })
  return made
}

const changeOf = (row: BookDelta): TardisBookChange => ({
  type: 'book_change',
  isSnapshot: row.snapshot,
  bids: levels(row.bidPrices, row.bidSizes),
  asks: levels(row.askPrices, row.askSizes),
  timestamp: new Date(row.time / 1000),
})

/** G2: the same rows made into the objects that tardis-dev makes. What they hold, `columns.ts` compares. */
export const objects = async (quick: boolean): Promise<readonly Result[]> => {
  const results: Result[] = []
  for (const market of ['spot', 'usdm'] as const) {
    const set = binanceFrames(market)
    const tardis = await tardisPipelines(set.source)
    for (const channel of ['trade', 'book'] as const) {
      const part = only(set, channel, quick ? 4_000 : 20_000)
      const loop = new Loop({ ...part, frames: part.frames.filter((one) => one.channel === channel) })
      let [prices, made] = [0, 0]
      const read = ktReader(set.source, (schema, row) => {
        made += 1
        const one = schema === 'trade' ? tradeOf(row as Trade) : changeOf(row as BookDelta)
        prices += one.type === 'trade' ? one.price : one.bids.length
      })
      const end = () => ({ trades: made, deltas: 0, bytes: 0, bid: prices, ask: 0 })
      const ours = wayOf({ name: 'kt', take: read, end }, loop)
      // The mappers of Binance wait for a snapshot, which is not timed.
      const peer = tardis(channel)
      for (const frame of part.frames) if (frame.channel === 'seed') peer.take(frame)
      const theirs = wayOf(peer, loop, 'tardis-dev mappers')
      const options = { rounds: quick ? 3 : 7, ops: loop.frames.length }
      const [here, there] = await measure([ours, theirs], options)
      if (made === 0 || prices === 0) throw new Error(`${part.name}: nothing was made`)
      const what = `${part.name}, as objects`
      results.push(resultOf({ goal: 'G2', what, unit: 'CPU ns/frame' }, here!, there!))
    }
  }
  return results
}
