import type { Funding, Mark } from './event.ts'

/** One hour, in microseconds. */
const HOUR = 3_600_000_000
const MINUTE = HOUR / 60

/** A rate for one period, by the hour and by the year: simple, not compounded. */
const annual = (
  rate: number,
  intervalHours: number,
): { readonly ratePerHour: number; readonly apr: number } => {
  const ratePerHour = rate / intervalHours
  return { ratePerHour, apr: ratePerHour * 24 * 365 }
}

/** Venues pay on the hour and print it with some milliseconds of jitter. */
export const paidAt = (fundingTime: number): number => Math.round(fundingTime / MINUTE) * MINUTE

/**
 * The hours between two ends of periods that follow each other. Undefined where they need not: periods last a
 * whole number of hours, so only a row within the hour after the end of the first shows the very next one.
 */
export const hoursBetween = (ended: number, ends: number, seen: number): number | undefined => {
  const hours = (ends - ended) / HOUR
  return seen < ended + HOUR && hours >= 1 && Number.isInteger(hours) ? hours : undefined
}

/** One funding period, as far as we saw it. Its times are microseconds by the clock of the venue. */
export interface Period {
  readonly ends: number
  /** When we first saw it run. */
  readonly since: number
  /** Its first estimate that we saw, and the newest. */
  readonly predicted: number
  rate: number
  /** When the newest was said. */
  seen: number
  /** Its length where its beginning and its end are facts; null where only the venue can tell. */
  readonly observed: number | null
}

/** How long a period is, and who says so. */
interface Interval {
  readonly intervalHours: number
  readonly intervalFrom: Funding['intervalFrom']
}

/** Its ends, where they are known, are facts that a list of the venue may not have caught up with yet. */
export const intervalOf = (period: Period, said: number | null): Interval | undefined => {
  if (period.observed !== null && period.observed !== said)
    return { intervalHours: period.observed, intervalFrom: 'observed' }
  return said === null ? undefined : { intervalHours: said, intervalFrom: 'venue' }
}

/**
 * The interval of a period that is over. Where nobody said it and its beginning was not seen, it is that of
 * the period after it, `followed` hours, which the venue states by naming its end: venues pay at a fixed
 * rhythm and seldom change it. Undefined as well where we saw the period run for longer than that.
 */
export const lastedOf = (
  period: Period,
  said: number | null,
  followed: number | undefined,
): Interval | undefined => {
  const known = intervalOf(period, said)
  if (known !== undefined || followed === undefined) return known
  return period.since < period.ends - followed * HOUR
    ? undefined
    : { intervalHours: followed, intervalFrom: 'next' }
}

/** The row of a period's rate. */
export const fundingRow = (
  at: Pick<Mark, 'venue' | 'instrument' | 'time' | 'received' | 'first' | 'last'>,
  { ends, rate, predicted }: Period,
  interval: Interval,
  kind: Funding['kind'],
): Funding => ({
  venue: at.venue,
  instrument: at.instrument,
  time: at.time,
  received: at.received,
  first: at.first,
  last: at.last,
  kind,
  rate,
  intervalHours: interval.intervalHours,
  intervalFrom: interval.intervalFrom,
  fundingTime: ends,
  ...annual(rate, interval.intervalHours),
  predicted: kind === 'final' ? predicted : null,
})
