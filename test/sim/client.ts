import type { Delivery } from '../../sources/sim/connection.ts'
import { Exchange, type ExchangeOptions } from '../../sources/sim/exchange.ts'
import { parseTruth, type Truth } from '../../sources/sim/truth.ts'
import type { VenueName } from '../../sources/sim/universe.ts'

export const startMs = 1_785_000_000_000

/** An exchange in virtual time with everything it delivered, sorted by connection. */
export interface Bench {
  readonly exchange: Exchange
  readonly truth: Truth[]
  readonly lines: string[]
  readonly texts: (connection: string) => string[]
  readonly deliveries: Delivery[]
  readonly run: (forMs: number) => void
  readonly send: (connection: string, message: unknown) => void
}

export function bench(options: Partial<ExchangeOptions> = {}): Bench {
  let truth: Truth[] = []
  const lines: string[] = []
  const deliveries: Delivery[] = []
  const exchange = new Exchange({
    seed: 1, pairs: 4, rate: 400, depth: 100, startMs, ...options,
    truth: (line) => lines.push(line),
  })
  return {
    exchange, lines, deliveries,
    get truth() {
      if (truth.length < lines.length) truth = lines.map(parseTruth).filter((record) => record !== undefined)
      return truth
    },
    texts: (connection) => deliveries
      .flatMap((d) => (d.connection === connection && d.does === 'send' ? [d.text] : [])),
    run: (forMs) => { deliveries.push(...exchange.advance(exchange.nowMs + forMs)) },
    send: (connection, message) => {
      exchange.receive(connection, typeof message === 'string' ? message : JSON.stringify(message))
      deliveries.push(...exchange.take())
    },
  }
}

/** Opens a connection for each venue and subscribes it to trades, books and marks of everything. */
export function subscribeAll(b: Bench): void {
  const lower = (venue: VenueName): string[] => b.exchange.symbols(venue).map((s) => s.toLowerCase())
  const subscribe = (id: string, params: readonly string[]): void =>
    b.send(id, { method: 'SUBSCRIBE', id: 1, params })
  b.exchange.connect('spot', 'binance.spot', '/stream')
  subscribe('spot', lower('binance.spot').flatMap((s) => [`${s}@trade`, `${s}@depth@100ms`]))
  b.exchange.connect('usdm', 'binance.usdm', '/public/stream')
  subscribe('usdm', lower('binance.usdm').flatMap((s) => [`${s}@trade`, `${s}@depth@100ms`]))
  b.exchange.connect('mark', 'binance.usdm', '/market/stream')
  subscribe('mark', lower('binance.usdm').map((s) => `${s}@markPrice@1s`))
  for (const venue of ['bybit.linear', 'bybit.spot'] as const) {
    const category = venue.slice(6)
    b.exchange.connect(venue, venue, `/v5/public/${category}`)
    for (const s of b.exchange.symbols(venue)) {
      b.send(venue, { op: 'subscribe', args: [`publicTrade.${s}`, `orderbook.50.${s}`, `tickers.${s}`] })
    }
  }
}

export type Rows = readonly (readonly [string, string])[]

/** A message of any venue, by the keys that tests read; a key that a message lacks reads as undefined. */
export interface Frame {
  readonly stream: string
  readonly topic: string
  readonly type: string
  readonly data: Frame
  readonly e: string
  readonly s: string
  readonly t: number
  readonly p: string
  readonly q: string
  readonly m: boolean
  readonly E: number
  readonly T: number
  readonly U: number
  readonly u: number
  readonly pu: number
  readonly b: Rows
  readonly a: Rows
  readonly bids: Rows
  readonly asks: Rows
  readonly lastUpdateId: number
  readonly symbol: string
  readonly status: string
  readonly symbols: readonly (Frame & { readonly filters: readonly { readonly filterType: string }[] })[]
  readonly fundingTime: number
  readonly fundingRate: string
  readonly result: { readonly list: readonly Frame[]; readonly nextPageCursor: string }
}

export function parse(text: string): Frame {
  return JSON.parse(text) as Frame
}

/** The smallest book that can be right: prices and sizes as the venue wrote them. */
export class ReferenceBook {
  readonly bids = new Map<string, string>()
  readonly asks = new Map<string, string>()

  replace(bids: Rows, asks: Rows): void {
    this.bids.clear()
    this.asks.clear()
    this.apply(bids, asks)
  }

  apply(bids: Rows, asks: Rows): void {
    for (const [side, rows] of [[this.bids, bids], [this.asks, asks]] as const) {
      for (const [price, size] of rows) {
        if (Number(size) === 0) side.delete(price)
        else side.set(price, size)
      }
    }
  }

  best(): { bid: string; bidSize: string; ask: string; askSize: string } {
    const pick = (side: Map<string, string>, sign: number): string =>
      [...side.keys()].reduce((a, b) => (a === '' || (Number(b) - Number(a)) * sign > 0 ? b : a), '')
    const [bid, ask] = [pick(this.bids, 1), pick(this.asks, -1)]
    return { bid, bidSize: this.bids.get(bid) ?? '', ask, askSize: this.asks.get(ask) ?? '' }
  }
}
