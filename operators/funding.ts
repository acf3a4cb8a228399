import { operator, plain } from '../graph/operator.ts'
import type { Emit, Operator } from '../graph/operator.ts'
import { funding, fundingInterval, mark } from '../market/event.ts'
import type { Funding, FundingInterval, Mark } from '../market/event.ts'
import { fundingRow, hoursBetween, intervalOf, lastedOf, paidAt } from '../market/funding.ts'
import type { Period } from '../market/funding.ts'
import { byInstrument } from '../market/instrument.ts'

interface Rates {
  /** What the venue last said of the hours of a period, while nothing has contradicted it. */
  said: number | null
  /** It was said for the first time, or changed, during this period. */
  news: boolean
  period: Period | null
  /** The last estimate that was emitted. */
  shown: { rate: number; ends: number; hours: number } | null
}

/**
 * Funding rates with the interval they are for, so that venues and symbols compare.
 *
 * - The interval is what the venue says (`fundingInterval` rows). Two periods of which one was seen to end
 *   and the next to begin show it as well (`observed`), and that counts where the venue's list says
 *   otherwise, or nothing. Without either there is no row: an interval is never guessed.
 *   https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data
 * - When the end of a period is moved before it came (Binance goes from 8 to 4 hours by itself), what the
 *   venue said earlier of its length no longer holds, unless it said so anew during the period.
 * - An `estimate` is emitted when the rate, the end or the interval changes. A `final` follows when the
 *   period rolls over: its last estimate, if that was said within 15 s of the end; an earlier one may not be
 *   what was paid, so then there is none. Where we came in the middle of a period and the venue has said no
 *   interval, its length is known by the next one alone, and the row says so (`next`).
 * - A missing rate, and an end at 0, are those of symbols that are no longer listed.
 */
export const fundingRate = (): Operator<Mark | FundingInterval, Funding, 'instrument' | 'pair' | 'asset'> =>
  operator({
    name: 'fundingRate',
    inputs: { mark, fundingInterval },
    outputs: [funding],
    key: byInstrument,
    state: plain(2, (): Rates => ({ said: null, news: false, period: null, shown: null })),
    on: {
      mark: (rates, row, emit) => {
        if (row.rate === null || row.fundingTime === null || row.fundingTime <= 0) return
        follow(rates, row, row.rate, paidAt(row.fundingTime), emit)
        estimate(rates, row, emit)
      },
      fundingInterval: (rates, row, emit) => {
        if (!(row.hours > 0)) return
        rates.news = rates.news || rates.said !== row.hours
        rates.said = row.hours
        estimate(rates, row, emit)
      },
    },
  })

const FINAL_WITHIN = 15_000_000

const follow = (rates: Rates, row: Mark, rate: number, ends: number, emit: Emit<Funding>): void => {
  const { period } = rates
  if (period?.ends === ends) {
    period.rate = rate
    period.seen = row.time
    return
  }
  // A row that was overtaken speaks of a period that has ended.
  if (period !== null && ends < period.ends && row.time < period.seen) return
  let observed: number | null = null
  let since = row.time
  if (period !== null && row.time >= period.ends) {
    const followed = hoursBetween(period.ends, ends, row.time)
    const interval = lastedOf(period, rates.said, followed)
    if (interval !== undefined && period.seen >= period.ends - FINAL_WITHIN)
      emit.funding(fundingRow(row, period, interval, 'final'))
    observed = followed ?? null
  } else if (period !== null) {
    if (!rates.news) rates.said = null
    since = period.since
  }
  rates.news = false
  rates.period = { ends, since, predicted: rate, rate, seen: row.time, observed }
}

const estimate = (rates: Rates, row: Mark | FundingInterval, emit: Emit<Funding>): void => {
  const { period, shown } = rates
  const interval = period === null ? undefined : intervalOf(period, rates.said)
  if (period === null || interval === undefined) return
  const { rate, ends } = period
  if (shown !== null && shown.rate === rate && shown.ends === ends && shown.hours === interval.intervalHours)
    return
  rates.shown = { rate, ends, hours: interval.intervalHours }
  emit.funding(fundingRow(row, period, interval, 'estimate'))
}
