import { pairs } from './book.ts'
import type { PeerBook, PeerLevel } from './book.ts'
import { loadPeer } from './install.ts'

interface CcxtSide extends ArrayLike<PeerLevel> {
  readonly slice: (from: number, to: number) => readonly PeerLevel[]
}

interface CcxtBook {
  readonly bids: CcxtSide
  readonly asks: CcxtSide
  readonly reset: (snapshot: object) => void
  readonly limit: () => CcxtBook
}

interface CcxtBinance {
  readonly orderBook: (snapshot: object, depth: number) => CcxtBook
  readonly handleDeltas: (side: CcxtSide, levels: readonly PeerLevel[]) => void
}

interface Ccxt {
  readonly pro: { readonly binance: new (options: object) => CcxtBinance }
}

interface CcxtChange {
  readonly snapshot: boolean
  readonly bids: readonly PeerLevel[]
  readonly asks: readonly PeerLevel[]
}

/** Deeper than any book of the recordings: ccxt cuts a book at its limit. */
const DEPTH = 100_000

const level = (price: number, size: number): PeerLevel => [price, size]

/** The order book of ccxt pro, changed by the code with which its Binance changes it. */
export const ccxtBook = async (): Promise<() => PeerBook<CcxtChange>> => {
  const { pro } = (await loadPeer('ccxt')) as Ccxt
  const exchange = new pro.binance({ newUpdates: true })
  return () => {
    const book = exchange.orderBook({}, DEPTH)
    return {
      name: 'ccxt OrderBook',
      prepare: ({ snapshot, bidPrices, bidSizes, askPrices, askSizes }) => ({
        snapshot,
        bids: pairs(bidPrices, bidSizes, level),
        asks: pairs(askPrices, askSizes, level),
      }),
      apply: ({ snapshot, bids, asks }) => {
        if (snapshot) {
          book.reset({ bids, asks })
          return
        }
        exchange.handleDeltas(book.asks, asks)
        exchange.handleDeltas(book.bids, bids)
      },
      bid: () => book.bids[0]?.[0] ?? Number.NaN,
      ask: () => book.asks[0]?.[0] ?? Number.NaN,
      top: (side, levels) => (side === 'bid' ? book.bids : book.asks).slice(0, levels),
    }
  }
}
