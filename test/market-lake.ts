import type { ObjectStore, Placed } from '../graph/port.ts'
import type { AnySchema } from '../graph/schema.ts'
import { basis, funding, mark, quote, trade } from '../market/event.ts'
import type { Basis, Funding, Mark, Quote, Trade } from '../market/event.ts'
import { gap, instrument } from '../market/system.ts'
import type { Gap, Instrument } from '../market/system.ts'
import { parquet } from '../sinks/driver/parquet.ts'
import { lake } from '../sinks/lake.ts'
import { runLake } from '../sinks/lake/load.ts'
import { memoryLog, memoryObjects, recordsOf, virtualClock } from './sinks/lake-world.ts'
import { randomOf } from './random.ts'

/** 2026-01-05T00:00:00Z, a Monday; the day that the small lake is about. */
export const MONDAY = 1_767_571_200_000_000
const MINUTE = 60_000_000
const HOUR = 60 * MINUTE

/** A perpetual as the small lake has it: what it pays for one period, and how far it trades from spot. */
interface Perp {
  readonly venue: string
  readonly pair: string
  readonly rate: number
  readonly hours: number
  readonly bps: number
}

/** Funding that differs by venue, in periods that differ too: only the rate an hour tells which is dear. */
const PERPS: readonly Perp[] = [
  { venue: 'binance', pair: 'BTC-USDT', rate: 0.0001, hours: 8, bps: 4 },
  { venue: 'bybit', pair: 'BTC-USDT', rate: 0.00003, hours: 8, bps: 2 },
  { venue: 'binance', pair: 'ETH-USDT', rate: 0.00012, hours: 8, bps: 5 },
  { venue: 'bybit', pair: 'ETH-USDT', rate: 0.00015, hours: 8, bps: 7 },
  { venue: 'binance', pair: 'SOL-USDT', rate: -0.0001, hours: 8, bps: -3 },
  { venue: 'bybit', pair: 'SOL-USDT', rate: 0.00011, hours: 4, bps: 9 },
]
const PRICES: Readonly<Record<string, number>> = { 'BTC-USDT': 60_000, 'ETH-USDT': 3000, 'SOL-USDT': 150 }

const perpOf = ({ venue, pair }: Perp): string => `${venue}:perp:${pair}`
const spotOf = (pair: string): string => `binance:spot:${pair}`
const aprOf = ({ rate, hours }: Perp): number => (rate / hours) * 24 * 365
const timed = (time: number) => ({ time, received: time + 1500, first: null, last: null })

const fundings = (hours: number): readonly Funding[] =>
  PERPS.flatMap((perp) => {
    const rowAt = (time: number, kind: Funding['kind'], wobble: number): Funding => {
      const rate = perp.rate * (1 + wobble)
      const period = perp.hours * HOUR
      const fundingTime = kind === 'final' ? time : (Math.floor(time / period) + 1) * period
      return {
        venue: perp.venue,
        instrument: perpOf(perp),
        ...timed(time),
        kind,
        rate,
        intervalHours: perp.hours,
        intervalFrom: 'venue',
        fundingTime,
        ratePerHour: rate / perp.hours,
        apr: (rate / perp.hours) * 24 * 365,
        predicted: kind === 'final' ? perp.rate : null,
      }
    }
    const rows: Funding[] = []
    for (let minute = 0; minute <= hours * 60; minute += 5) {
      const time = MONDAY + minute * MINUTE
      if (minute > 0 && (minute * MINUTE) % (perp.hours * HOUR) === 0) rows.push(rowAt(time, 'final', 0))
      rows.push(rowAt(time, 'estimate', Math.sin(minute / 97) / 10))
    }
    return rows
  })

const bases = (hours: number): readonly Basis[] =>
  Array.from({ length: hours * 60 + 1 }, (_, minute) => minute).flatMap((minute) =>
    PERPS.map((perp): Basis => {
      const time = MONDAY + minute * MINUTE
      const bps = perp.bps + 2 * Math.sin(minute / 41 + perp.bps)
      const spot = PRICES[perp.pair]! * (1 + Math.sin(minute / 300) / 50)
      const live = minute % 60 !== 17
      const value = <T>(of: T): T | null => (live ? of : null)
      return {
        pair: perp.pair,
        time,
        received: time + 1500,
        kind: 'spot-perp',
        perp: perpOf(perp),
        reference: spotOf(perp.pair),
        state: live ? 'live' : 'withheld',
        why: live ? '' : 'gap',
        perpMid: value(spot * (1 + bps / 10_000)),
        referenceMid: value(spot),
        bps: value(bps),
        netBps: value(bps - 1),
        perpAgeMs: value(3),
        referenceAgeMs: value(5),
        perpLast: null,
        referenceLast: null,
        perpApr: value(aprOf(perp)),
        referenceApr: value(0),
        carryApr: value(aprOf(perp)),
      }
    }),
  )

const quotes = (): readonly Quote[] =>
  PERPS.map((perp, i): Quote => {
    const bid = PRICES[perp.pair]!
    const proven = i !== 1
    const levels = proven
      ? { bid, bidSize: 2, ask: bid * 1.0001, askSize: 3 }
      : { bid: null, bidSize: null, ask: null, askSize: null }
    return {
      venue: perp.venue,
      instrument: perpOf(perp),
      ...timed(MONDAY + HOUR),
      trust: proven ? 'live' : 'gap',
      why: proven ? '' : 'gap',
      ...levels,
      trustedDepth: proven ? 500 : 0,
    }
  })

/**
 * Trades with dense ids and a hole of three on one instrument, which the ledger explains; Bybit does not
 * number.
 */
const trades = (hours: number): readonly Trade[] => {
  const below = randomOf(5)
  return PERPS.flatMap((perp) => {
    const numbered = perp.venue === 'binance'
    return Array.from({ length: hours * 30 }, (_, i): Trade => {
      const id = i + 1 + (perp.pair === 'BTC-USDT' && i >= 50 ? 3 : 0)
      const time = MONDAY + i * 2 * MINUTE + below(1_000_000)
      return {
        venue: perp.venue,
        instrument: perpOf(perp),
        time,
        received: time + 2000,
        first: numbered ? id : null,
        last: numbered ? id : null,
        id: numbered ? String(id) : `u-${perp.pair}-${id}`,
        side: below(2) === 0 ? 'buy' : 'sell',
        price: PRICES[perp.pair]! + below(100) / 2,
        size: (1 + below(40)) / 8,
      }
    })
  })
}

const gapRows = (): readonly Gap[] => {
  const hole: Gap = {
    venue: 'binance',
    instrument: 'binance:perp:BTC-USDT',
    channel: 'trade',
    event: 'opened',
    proof: 'proven',
    first: 51,
    last: 53,
    fromTime: MONDAY + 98 * MINUTE,
    toTime: MONDAY + 100 * MINUTE,
    cause: 'disconnect',
    repair: 'none',
    time: MONDAY + 100 * MINUTE,
    received: MONDAY + 100 * MINUTE,
  }
  const book: Gap = { ...hole, channel: 'bookDelta', first: 900, last: 905, repair: 'seed' }
  return [
    hole,
    book,
    { ...book, event: 'healed', received: book.received + MINUTE, time: book.time + MINUTE },
  ]
}

const listings = (): readonly Instrument[] => {
  const row = (venue: string, kind: Instrument['kind'], pair: string, multiplier: number): Instrument => {
    const [base = '', quoted = ''] = pair.split('-')
    return {
      venue,
      instrument: `${venue}:${kind}:${pair}`,
      source: `${venue}.${kind}`,
      symbol: `${multiplier > 1 ? multiplier : ''}${base}${quoted}`,
      kind,
      base,
      quote: quoted,
      settle: quoted,
      multiplier,
      contractSize: 1,
      inverse: false,
      tickSize: 0.5,
      lotSize: 0.125,
      status: 'trading',
      time: MONDAY,
      received: MONDAY,
    }
  }
  const perps = PERPS.map(({ venue, pair }) =>
    row(venue, 'perp', pair, pair === 'SOL-USDT' && venue === 'bybit' ? 1000 : 1),
  )
  return [...perps, ...Object.keys(PRICES).map((pair) => row('binance', 'spot', pair, 1))]
}

const marks = (): readonly Mark[] =>
  PERPS.map((perp) => ({
    venue: perp.venue,
    instrument: perpOf(perp),
    ...timed(MONDAY + HOUR),
    mark: PRICES[perp.pair]!,
    index: PRICES[perp.pair]!,
    rate: perp.rate,
    fundingTime: MONDAY + 8 * HOUR,
  }))

/** The events of a small lake: three pairs on two venues for some hours, by schema. */
export const marketRows = (
  hours: number,
): readonly (readonly [AnySchema, readonly { readonly received: number }[]])[] => [
  [funding, fundings(hours)],
  [basis, bases(hours)],
  [quote, quotes()],
  [trade, trades(hours)],
  [gap, gapRows()],
  [instrument, listings()],
  [mark, marks()],
]

/** Write the small lake with our own writer, a file an hour and table. The same hours give the same bytes. */
export const writeMarketLake = (objects: ObjectStore, hours: number): Promise<void> =>
  writeLake(objects, marketRows(hours))

/** Write events into a lake with our own writer, a file an hour and table. */
export const writeLake = async (
  objects: ObjectStore,
  tables: ReturnType<typeof marketRows>,
): Promise<void> => {
  const sinks = tables.map(([schema, rows]) => ({ schema, records: recordsByHour(schema, rows) }))
  const load = runLake({
    graph: 'small',
    cut: 'events',
    objects,
    clock: virtualClock(),
    format: parquet,
    positions: memoryObjects(),
    log: memoryLog(sinks.flatMap(({ records }) => records)),
    sinks: sinks.map(({ schema }) => ({
      topic: schema.name,
      partitions: 1,
      sink: lake(schema as never, { rollMs: 3_600_000 }),
    })),
  })
  await load.drain()
}

const recordsByHour = (
  schema: AnySchema,
  rows: readonly { readonly received: number }[],
): readonly Placed[] => {
  const sorted = [...rows].sort((a, b) => a.received - b.received)
  const hours = Map.groupBy(sorted, ({ received }) => Math.floor(received / HOUR))
  return recordsOf(schema, schema.name, 0, [...hours.values()])
}
