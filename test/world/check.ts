import type { Outcome, Row } from './world.ts'
import type { BookTruth, FaultTruth, TradeTruth, Truth } from '../../sources/sim/truth.ts'

/** Each returns what is wrong, as sentences; a run without faults of ours has none. */
export type Checker = (outcome: Outcome) => readonly string[]

/** An answer over REST waits for its turn: what it heals may be received a little after it, microseconds. */
const SLACK = 100_000
const MOST = 5
const few = (found: readonly string[]): readonly string[] =>
  found.length <= MOST ? found : [...found.slice(0, MOST), `and ${found.length - MOST} more`]

const rowsOf = (outcome: Outcome, schema: string): readonly Row[] => outcome.rows[schema] ?? []

/** Our name of a venue's symbol: `binance.spot BTCUSDT` is `binance:spot:BTC-USDT`. */
const namesOf = (outcome: Outcome): ReadonlyMap<string, string> =>
  new Map(
    rowsOf(outcome, 'instrument').map((row) => [
      `${String(row['source'])} ${String(row['symbol'])}`,
      String(row['instrument']),
    ]),
  )

const instrumentOf = (
  names: ReadonlyMap<string, string>,
  { venue, symbol }: { venue: string; symbol: string },
): string => names.get(`${venue} ${symbol}`) ?? `${venue} ${symbol}`

const byInstrument = (rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> =>
  Map.groupBy(rows, (row) => String(row['instrument']))

const isBook = (truth: Truth): truth is BookTruth =>
  truth.kind === 'book' && (truth.channel === 'book' || /^orderbook\.(1|200)\./.test(truth.channel))
const isTrade = (truth: Truth): truth is TradeTruth => truth.kind === 'trade'
const isFault = (truth: Truth): truth is FaultTruth => truth.kind === 'fault'

/** A quote with trust shows the venue's true best prices and sizes at its update id. */
const quotesAreTrue: Checker = (outcome) => {
  const names = namesOf(outcome)
  const misnumbered = misnumberedIn(outcome)
  const books = Map.groupBy(
    outcome.truth.filter(isBook),
    (truth) => `${instrumentOf(names, truth)} ${truth.id}`,
  )
  const text = (value: unknown): string => (value === null ? '' : String(value))
  const side = (value: string): string => (value === '' ? '' : String(Number(value)))
  const found = rowsOf(outcome, 'quote').flatMap((quote) => {
    if (quote['trust'] !== 'live')
      return quote['bid'] === null && quote['ask'] === null
        ? []
        : [`${String(quote['instrument'])} shows prices without trust`]
    // A venue that renumbers its books uses an id again, and a slow connection may still bring the older one.
    const truths = books
      .get(`${String(quote['instrument'])} ${String(quote['last'])}`)
      ?.filter((one) => one.time * 1000 <= Number(quote['received']) + SLACK)
    const truth = truths?.at(-1)
    if (truth === undefined && misnumbered.has(String(quote['instrument']))) return []
    if (truth === undefined)
      return [
        `${String(quote['instrument'])} is live at ${String(quote['last'])}, which the venue never reached`,
      ]
    const shown = [quote['bid'], quote['bidSize'], quote['ask'], quote['askSize']].map(text).join(' ')
    const said = (one: BookTruth): string => [one.bid, one.bidSize, one.ask, one.askSize].map(side).join(' ')
    return truths!.some((one) => said(one) === shown)
      ? []
      : [`${String(quote['instrument'])} at ${String(quote['last'])} shows ${shown}, true is ${said(truth)}`]
  })
  return few(found)
}

/**
 * Instruments of which the venue itself got a number wrong: then neither it nor we can tell what is
 * missing.
 */
const misnumberedIn = (outcome: Outcome): ReadonlySet<string> => {
  const names = namesOf(outcome)
  return new Set(
    outcome.truth
      .filter(isFault)
      .filter((fault) => fault.fault === 'wrongId')
      .map((fault) => instrumentOf(names, fault)),
  )
}

interface Span {
  readonly first: number
  readonly last: number
}

const gapSpans = (outcome: Outcome, channel: string, instrument: string): readonly Span[] =>
  rowsOf(outcome, 'gap')
    .filter(
      (gap) =>
        gap['channel'] === channel &&
        gap['instrument'] === instrument &&
        gap['event'] === 'opened' &&
        gap['first'] !== null,
    )
    .map((gap) => ({ first: Number(gap['first']), last: Number(gap['last']) }))

/**
 * Every numbered trade between the first and the last that we have is in the log once, as the venue printed
 * it, or in the ledger.
 */
const tradesAreWhole: Checker = (outcome) => {
  const names = namesOf(outcome)
  const logged = byInstrument(rowsOf(outcome, 'trade'))
  const truths = Map.groupBy(outcome.truth.filter(isTrade), (truth) => instrumentOf(names, truth))
  const misnumbered = misnumberedIn(outcome)
  const found = [...logged].flatMap(([instrument, rows]) => {
    if (!instrument.startsWith('binance') || misnumbered.has(instrument)) return []
    const ids = rows.map((row) => Number(row['id']))
    const have = new Map(rows.map((row) => [Number(row['id']), row]))
    const spans = gapSpans(outcome, 'trade', instrument)
    const wrong: string[] = []
    if (have.size < ids.length) wrong.push(`${instrument}: ${ids.length - have.size} trades twice`)
    for (const [at, id] of ids.entries())
      if (at > 0 && id <= ids[at - 1]!) wrong.push(`${instrument}: trade ${id} after ${ids[at - 1]}`)
    for (const truth of truths.get(instrument) ?? []) {
      const id = Number(truth.id)
      if (id < ids[0]! || id > ids.at(-1)!) continue
      const row = have.get(id)
      const inGap = spans.some((span) => span.first <= id && id <= span.last)
      if (row === undefined && !inGap)
        wrong.push(`${instrument}: trade ${id} is neither in the log nor in the ledger`)
      if (row !== undefined && inGap) wrong.push(`${instrument}: trade ${id} is in the log and in the ledger`)
      if (row !== undefined && !sameTrade(row, truth))
        wrong.push(`${instrument}: trade ${id} differs from the venue's`)
    }
    return wrong
  })
  return few(found)
}

const sameTrade = (row: Row, truth: TradeTruth): boolean =>
  row['price'] === Number(truth.price) && row['size'] === Number(truth.size) && row['side'] === truth.side

/**
 * Trades without numbers are in the log once, or were dropped on the way, or lie in an interruption that
 * the ledger has.
 */
const unnumberedTradesAreAccounted: Checker = (outcome) => {
  const names = namesOf(outcome)
  const logged = byInstrument(rowsOf(outcome, 'trade'))
  const dropped = droppedTrades(outcome, names)
  const found = [...logged].flatMap(([instrument, rows]) => {
    if (!instrument.startsWith('bybit')) return []
    const ids = new Set(rows.map((row) => String(row['id'])))
    const wrong = ids.size < rows.length ? [`${instrument}: ${rows.length - ids.size} trades twice`] : []
    const interruptions = rowsOf(outcome, 'gap').filter(
      (gap) => gap['channel'] === 'trade' && gap['instrument'] === instrument && gap['event'] === 'opened',
    )
    const truths = outcome.truth.filter(
      (truth): truth is TradeTruth => isTrade(truth) && instrumentOf(names, truth) === instrument,
    )
    const begin = Number(rows[0]!['time'])
    const end = Number(rows.at(-1)!['time'])
    for (const truth of truths) {
      const time = truth.time * 1000
      if (ids.has(truth.id) || time <= begin || time >= end || dropped.has(truth.id)) continue
      if (interruptions.some((gap) => Number(gap['fromTime']) <= time && time <= Number(gap['toTime'])))
        continue
      wrong.push(
        `${instrument}: trade ${truth.id} at ${truth.time} is neither in the log nor in an interruption`,
      )
    }
    return wrong
  })
  return few(found)
}

/** Ids of trades whose frames the exchange's faults took: without numbers nobody can tell. */
const droppedTrades = (outcome: Outcome, names: ReadonlyMap<string, string>): ReadonlySet<string> => {
  const order = Map.groupBy(outcome.truth.filter(isTrade), (truth) => instrumentOf(names, truth))
  return new Set(
    outcome.truth.filter(isFault).flatMap((fault) => {
      if (!fault.channel.startsWith('publicTrade.') || fault.first === '') return []
      const ids = (order.get(instrumentOf(names, fault)) ?? []).map((trade) => trade.id)
      return ids.slice(ids.indexOf(fault.first), ids.indexOf(fault.last) + 1)
    }),
  )
}

/** The changes of a book follow each other by the one rule, or the ledger says which are missing. */
const changesAreWhole: Checker = (outcome) => {
  const misnumbered = misnumberedIn(outcome)
  const found = [...byInstrument(rowsOf(outcome, 'bookDelta'))].flatMap(([instrument, rows]) => {
    if (misnumbered.has(instrument)) return []
    const spans = gapSpans(outcome, 'bookDelta', instrument)
    let applied: number | undefined
    return rows.flatMap((row) => {
      const [first, last] = [Number(row['first']), Number(row['last'])]
      if (row['snapshot'] === true) {
        if (row['origin'] === 'stream') applied = last
        return []
      }
      const before = applied
      applied = last
      if (before === undefined || (first <= before + 1 && last > before)) return []
      if (last <= before)
        return renumbered(outcome, instrument, row) ? [] : [`${instrument}: change ${last} after ${before}`]
      return spans.some((span) => span.first <= before + 1 && first - 1 <= span.last)
        ? []
        : [`${instrument}: changes ${before + 1} to ${first - 1} are missing without a word`]
    })
  })
  return few(found)
}

/** The ledger says that something may be missing before this row: the venue began to count anew. */
const renumbered = (outcome: Outcome, instrument: string, row: Row): boolean =>
  rowsOf(outcome, 'gap').some(
    (gap) => gap['instrument'] === instrument && gap['proof'] === 'possible' && gap['toTime'] === row['time'],
  )

/** A spread is computed of two live books and never of others; a withheld one has no prices. */
const spreadsAreProven: Checker = (outcome) => {
  const live = new Set(
    rowsOf(outcome, 'quote')
      .filter((quote) => quote['trust'] === 'live')
      .map((quote) => `${String(quote['instrument'])} ${String(quote['last'])}`),
  )
  const found = rowsOf(outcome, 'basis').flatMap((row) => {
    if (row['state'] === 'withheld')
      return row['bps'] === null && row['perpMid'] === null && row['why'] !== ''
        ? []
        : ['a withheld spread shows prices, or does not say why']
    const legs = [
      [row['perp'], row['perpLast']],
      [row['reference'], row['referenceLast']],
    ]
    return legs.every(([instrument, last]) => live.has(`${String(instrument)} ${String(last)}`))
      ? []
      : [`a spread of ${String(row['pair'])} stands on a book that is not proven`]
  })
  return few(found)
}

/** Received times of an instrument never go back, but for an answer over REST, which waits for its turn. */
const orderHolds: Checker = (outcome) =>
  few(
    ['trade', 'bookDelta', 'quote', 'mark'].flatMap((schema) =>
      [...byInstrument(rowsOf(outcome, schema).filter((row) => row['origin'] !== 'rest'))].flatMap(
        ([instrument, rows]) =>
          rows.flatMap((row, at) =>
            at > 0 && Number(row['received']) < Number(rows[at - 1]!['received'])
              ? [`${schema} of ${instrument} goes back in time`]
              : [],
          ),
      ),
    ),
  )

/** Some book of every source comes to life, but for one whose REST answers, which it needs, a cruel world refuses. */
const sourcesLive: Checker = (outcome) => {
  const quotes = rowsOf(outcome, 'quote').filter((quote) => quote['trust'] === 'live')
  const live = new Set(quotes.map((quote) => quote['instrument']))
  const bySource = Map.groupBy(rowsOf(outcome, 'instrument'), (row) => String(row['source']))
  return [...bySource].flatMap(([source, rows]) =>
    (outcome.faults === 'cruel' && source.startsWith('binance')) ||
    rows.some((row) => live.has(row['instrument']))
      ? []
      : [`no book of ${source} was ever live`],
  )
}

const checkers: Readonly<Record<string, Checker>> = {
  quotesAreTrue,
  tradesAreWhole,
  unnumberedTradesAreAccounted,
  changesAreWhole,
  spreadsAreProven,
  orderHolds,
  sourcesLive,
}

/** All that is wrong with an outcome. */
export const violations = (outcome: Outcome): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    Object.entries(checkers).flatMap(([name, check]) => {
      const found = check(outcome)
      return found.length === 0 ? [] : [[name, found]]
    }),
  )
