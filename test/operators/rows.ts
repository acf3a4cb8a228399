import type { BookDelta, Funding, Mark, Quote, Trade } from '../../market/event.ts'
import type { Control, Instrument } from '../../market/system.ts'

/** A second, in microseconds. */
export const SECOND = 1_000_000
/** 2024-08-09 00:00 UTC. */
export const MIDNIGHT = 1_723_161_600 * SECOND

/** Levels as they are easy to read: price to size. */
export type Side = Readonly<Record<string, number>>

const levels = (bids: Side, asks: Side) => ({
  bidPrices: Object.keys(bids).map(Number),
  bidSizes: Object.values(bids),
  askPrices: Object.keys(asks).map(Number),
  askSizes: Object.values(asks),
})

export const delta = (
  first: number,
  last: number,
  bids: Side,
  asks: Side,
  more: Partial<BookDelta> = {},
): BookDelta => ({
  venue: 'binance',
  instrument: 'binance:spot:BTC-USDT',
  time: MIDNIGHT + last * 1_000,
  received: MIDNIGHT + last * 1_000,
  first,
  last,
  snapshot: false,
  origin: 'stream',
  horizon: 0,
  ...levels(bids, asks),
  ...more,
})

/** The answer of a REST request. */
export const snapshot = (id: number, bids: Side, asks: Side, more: Partial<BookDelta> = {}): BookDelta =>
  delta(id, id, bids, asks, { snapshot: true, origin: 'rest', ...more })

/** A whole book within the stream. */
export const whole = (id: number, bids: Side, asks: Side, more: Partial<BookDelta> = {}): BookDelta =>
  delta(id, id, bids, asks, { snapshot: true, origin: 'stream', ...more })

export const control = (kind: Control['kind'], more: Partial<Control> = {}): Control => ({
  kind,
  source: '',
  channel: '',
  instrument: '',
  connection: 0,
  epoch: 0,
  why: '',
  time: MIDNIGHT,
  received: MIDNIGHT,
  ...more,
})

export const tick = (time: number): Control => control('tick', { time, received: time })

export const trade = (
  id: number,
  time: number,
  price: number,
  size: number,
  more: Partial<Trade> = {},
): Trade => ({
  venue: 'binance',
  instrument: 'binance:spot:BTC-USDT',
  time,
  received: time,
  first: id,
  last: id,
  id: String(id),
  side: 'buy',
  price,
  size,
  ...more,
})

export const mark = (
  time: number,
  rate: number | null,
  fundingTime: number | null,
  more: Partial<Mark> = {},
): Mark => ({
  venue: 'binance',
  instrument: 'binance:perp:BTC-USDT',
  time,
  received: time,
  first: null,
  last: null,
  mark: 100,
  index: 100,
  rate,
  fundingTime,
  ...more,
})

export const quote = (
  instrument: string,
  time: number,
  bid: number | null,
  ask: number | null,
  more: Partial<Quote> = {},
): Quote => ({
  venue: instrument.slice(0, instrument.indexOf(':')),
  instrument,
  time,
  received: time,
  first: null,
  last: null,
  trust: 'live',
  why: '',
  bid,
  bidSize: bid === null ? null : 1,
  ask,
  askSize: ask === null ? null : 1,
  trustedDepth: 10,
  ...more,
})

export const funding = (
  instrument: string,
  time: number,
  apr: number,
  more: Partial<Funding> = {},
): Funding => ({
  venue: instrument.slice(0, instrument.indexOf(':')),
  instrument,
  time,
  received: time,
  first: null,
  last: null,
  kind: 'estimate',
  rate: apr / 365 / 3,
  intervalHours: 8,
  intervalFrom: 'venue',
  fundingTime: MIDNIGHT + 8 * 3600 * SECOND,
  ratePerHour: apr / 365 / 24,
  apr,
  predicted: null,
  ...more,
})

export const listing = (instrument: string, more: Partial<Instrument> = {}): Instrument => {
  const [venue = '', kind = '', traded = ''] = instrument.split(':')
  const [base = '', quoted = ''] = traded.split('-')
  return {
    venue,
    instrument,
    source: SOURCES[`${venue}:${kind}`] ?? venue,
    symbol: base + quoted,
    kind: kind as Instrument['kind'],
    base,
    quote: quoted,
    settle: quoted,
    multiplier: 1,
    contractSize: 1,
    inverse: false,
    tickSize: 0.1,
    lotSize: 0.001,
    status: 'trading',
    time: MIDNIGHT,
    received: MIDNIGHT,
    ...more,
  }
}

const SOURCES: Readonly<Record<string, string>> = {
  'binance:spot': 'binance.spot',
  'binance:perp': 'binance.usdm',
  'bybit:spot': 'bybit.spot',
  'bybit:perp': 'bybit.linear',
}
