import { pairs } from './book.ts'
import type { PeerBook } from './book.ts'
import { loadPeer } from './install.ts'

export interface TardisLevel {
  readonly price: number
  readonly amount: number
}

export interface TardisTrade {
  readonly type: 'trade'
  readonly id: string | undefined
  readonly price: number
  readonly amount: number
  readonly side: string
  readonly timestamp: Date
}

export interface TardisBookChange {
  readonly type: 'book_change'
  readonly isSnapshot: boolean
  readonly bids: readonly TardisLevel[]
  readonly asks: readonly TardisLevel[]
  readonly timestamp?: Date
}

export type TardisEvent = TardisTrade | TardisBookChange

interface TardisMapper {
  readonly canHandle: (message: unknown) => boolean
  readonly map: (message: unknown, received: Date) => Iterable<TardisEvent>
}

export interface TardisOrderBook {
  readonly update: (change: TardisBookChange) => void
  readonly bestBid: () => TardisLevel | undefined
  readonly bestAsk: () => TardisLevel | undefined
  readonly bids: () => Iterable<TardisLevel>
  readonly asks: () => Iterable<TardisLevel>
}

type MakeMapper = (exchange: string, received: Date) => TardisMapper

/** What is used of `tardis-dev`. */
interface Tardis {
  readonly OrderBook: new () => TardisOrderBook
  readonly normalizeTrades: MakeMapper
  readonly normalizeBookChanges: MakeMapper
  readonly streamNormalized: (
    options: {
      readonly exchange: string
      readonly symbols: readonly string[]
      readonly onError?: (error: Error) => void
    },
    ...normalizers: readonly MakeMapper[]
  ) => AsyncIterable<TardisEvent>
}

interface BybitMappers {
  readonly BybitV5BookChangeMapper: new (exchange: string, depth: number) => TardisMapper
}

export const loadTardis = async (): Promise<Tardis> => (await loadPeer('tardis-dev')) as Tardis

const EXCHANGES: Readonly<Record<string, string>> = {
  'binance.spot': 'binance',
  'binance.usdm': 'binance-futures',
  'bybit.spot': 'bybit-spot',
  'bybit.linear': 'bybit',
}

/**
 * Makes the mappers of one of our sources, as its `streamNormalized` makes them: only those of the channels
 * that are asked for. The book mapper of Bybit is made for the depth that the recording has.
 */
export const tardisMappers = async (
  source: string,
): Promise<(channels: readonly ('trade' | 'book')[]) => readonly TardisMapper[]> => {
  const { normalizeTrades, normalizeBookChanges } = await loadTardis()
  const bybit = (await loadPeer('tardis-dev/dist/mappers/bybit.js')) as BybitMappers
  const exchange = EXCHANGES[source]!
  // The mappers of the format that the venue speaks today.
  const received = new Date()
  return (channels) =>
    channels.map((channel) => {
      if (channel === 'trade') return normalizeTrades(exchange, received)
      return source.startsWith('bybit')
        ? new bybit.BybitV5BookChangeMapper(exchange, 200)
        : normalizeBookChanges(exchange, received)
    })
}

/** Follow a message as `normalizeMessages` of tardis-dev does. */
export const tardisTake = (
  mappers: readonly TardisMapper[],
  message: unknown,
  received: Date,
  take: (event: TardisEvent) => void,
): void => {
  for (const mapper of mappers) {
    if (!mapper.canHandle(message)) continue
    for (const event of mapper.map(message, received)) take(event)
  }
}

/** A REST snapshot in the form in which the real-time client of tardis-dev hands it to its mappers. */
export const tardisSeed = (symbol: string, snapshot: unknown): object => ({
  stream: `${symbol.toLowerCase()}@depthSnapshot`,
  generated: true,
  data: snapshot,
})

/** The order book of tardis-dev: a red-black tree of level objects a side. */
export const tardisBook = async (): Promise<() => PeerBook<TardisBookChange>> => {
  const { OrderBook } = await loadTardis()
  const level = (price: number, amount: number): TardisLevel => ({ price, amount })
  return () => {
    const book = new OrderBook()
    return {
      name: 'tardis-dev OrderBook',
      prepare: ({ snapshot, bidPrices, bidSizes, askPrices, askSizes }) => ({
        type: 'book_change',
        isSnapshot: snapshot,
        bids: pairs(bidPrices, bidSizes, level),
        asks: pairs(askPrices, askSizes, level),
      }),
      apply: (change) => book.update(change),
      bid: () => book.bestBid()?.price ?? Number.NaN,
      ask: () => book.bestAsk()?.price ?? Number.NaN,
      top: (side, levels) => {
        const found: (readonly [number, number])[] = []
        for (const { price, amount } of side === 'bid' ? book.bids() : book.asks()) {
          if (found.push([price, amount]) >= levels) break
        }
        return found
      },
    }
  }
}
