import type { MarketFrame, SourceName } from './frames.ts'
import { loadTardis, tardisMappers, tardisSeed, tardisTake } from './peer/tardis.ts'
import type { TardisEvent, TardisLevel, TardisOrderBook } from './peer/tardis.ts'
import type { Pipeline, Reach } from './pipeline.ts'

interface Snapshot {
  readonly bids: readonly (readonly [string, string])[]
  readonly asks: readonly (readonly [string, string])[]
}

const level = ([price, amount]: readonly [string, string]): TardisLevel => ({
  price: Number(price),
  amount: Number(amount),
})

/**
 * What a user of tardis-dev does: its mappers, as its own code calls them; from `best` on its order book
 * and the best bid and ask; with `all` a line of JSON for each event, which is the least that can be
 * stored.
 */
export const tardisPipelines = async (
  source: SourceName,
): Promise<(reach: Reach, see?: (event: TardisEvent) => void) => Pipeline> => {
  const [{ OrderBook }, mappersOf] = [await loadTardis(), await tardisMappers(source)]
  return (reach, see = () => {}) => {
    const channels =
      reach === 'trade' ? (['trade'] as const) : reach === 'book' ? (['book'] as const) : undefined
    const mappers = mappersOf(channels ?? ['trade', 'book'])
    const books = new Map<string, TardisOrderBook>()
    let [trades, deltas, bytes] = [0, 0, 0]
    let [bid, ask] = [Number.NaN, Number.NaN]
    let symbol = ''
    const apply = (event: TardisEvent): void => {
      if (event.type !== 'book_change') return
      let book = books.get(symbol)
      if (book === undefined) {
        book = new OrderBook()
        books.set(symbol, book)
      }
      book.update(event)
      bid = book.bestBid()?.price ?? Number.NaN
      ask = book.bestAsk()?.price ?? Number.NaN
    }
    const event = (one: TardisEvent): void => {
      if (one.type === 'trade') trades++
      else deltas++
      if (reach === 'best' || reach === 'all') apply(one)
      if (reach === 'all') bytes += Buffer.byteLength(JSON.stringify(one))
      see(one)
    }
    // Its mappers take one snapshot of a symbol; a recording that is played again has another.
    const seeded = new Set<string>()
    const again = ({ bids, asks }: Snapshot): void => {
      if (reach !== 'book') {
        apply({ type: 'book_change', isSnapshot: true, bids: bids.map(level), asks: asks.map(level) })
      }
    }
    const take = (frame: MarketFrame): void => {
      symbol = frame.symbol
      const parsed: unknown = JSON.parse(frame.bytes as unknown as string)
      if (frame.channel === 'seed' && seeded.has(symbol)) return again(parsed as Snapshot)
      if (frame.channel === 'seed') seeded.add(symbol)
      const message = frame.channel === 'seed' ? tardisSeed(symbol, parsed) : parsed
      tardisTake(mappers, message, new Date(frame.received / 1000), event)
    }
    return { name: 'tardis-dev', take, end: () => ({ trades, deltas, bytes, bid, ask }) }
  }
}
