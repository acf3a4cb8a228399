import type { Funding, Mark } from '../../market/event.ts'
import { paidAt } from '../../market/funding.ts'
import { Findings, inOrder, madeIn, marketOf } from './check.ts'
import type { Check, Seen } from './check.ts'

const HOUR_US = 3_600_000_000
/** A final rate is what was said so close to the end of its period. */
const FINAL_WITHIN_US = 15_000_000
/** The newest final rates may be on their way, where another stage makes them. */
const UNDERWAY_US = 60_000_000

interface Counted {
  readonly instruments: Set<string>
  marks: number
  estimates: number
  finals: number
  /** Final rates that were compared with the last mark of their period. */
  compared: number
  /** Settlements between two final rates that nothing was seen of. */
  unseen: number
  findings: number
}

/** What is known of one perpetual. */
interface Rates {
  /** The period that marks speak of. */
  ends: number
  rate: number
  seen: number
  /** The one before it. */
  ended: { readonly ends: number; readonly rate: number; readonly seen: number } | undefined
  /** The end of the newest period that has an estimate: its length is known. */
  estimated: number
  final: Funding | undefined
}

/**
 * Are the final rates what venues said last of each period? Each is compared with the last mark of its period
 * in the log; each period whose last mark came in its last 15 s, and whose length is known, must have one
 * final rate; and two that follow each other must be as far apart as the later one's interval says.
 */
export class FundingCheck implements Check {
  readonly events = ['mark', 'funding']
  readonly #rates = new Map<string, Rates>()
  readonly #counted = new Map<string, Counted>()
  readonly #findings = new Findings()

  take(event: string, seen: object): void {
    const row = seen as Mark | Funding
    const rates = madeIn(this.#rates, row.instrument, (): Rates => ({
      ...{ ends: 0, rate: 0, seen: 0, ended: undefined, estimated: 0, final: undefined },
    }))
    const counted = this.#countedOf(row.instrument)
    counted.instruments.add(row.instrument)
    if (event === 'mark') this.#mark(rates, row as Mark, counted)
    else this.#funding(rates, row as Funding, counted)
  }

  done(): Seen {
    for (const [instrument, rates] of this.#rates)
      if (rates.ended !== undefined && rates.seen > rates.ended.ends + UNDERWAY_US)
        this.#owed(instrument, rates)
    const rows = inOrder(this.#counted).map(([market, { instruments, ...counts }]) => ({
      market,
      instruments: instruments.size,
      ...counts,
    }))
    return { rows, findings: this.#findings.all('funding') }
  }

  #mark(rates: Rates, { rate, fundingTime, time, instrument }: Mark, counted: Counted): void {
    counted.marks++
    if (rate === null || fundingTime === null || fundingTime <= 0) return
    const ends = paidAt(fundingTime)
    if (ends < rates.ends && time < rates.seen) return
    if (ends !== rates.ends) {
      this.#owed(instrument, rates)
      const over = rates.ends > 0 && time >= rates.ends
      rates.ended = over ? { ends: rates.ends, rate: rates.rate, seen: rates.seen } : undefined
    }
    Object.assign(rates, { ends, rate, seen: time })
  }

  /** The period that ended before this one has its final rate by now. */
  #owed(instrument: string, rates: Rates): void {
    const { ended, final } = rates
    rates.ended = undefined
    if (ended === undefined || ended.seen < ended.ends - FINAL_WITHIN_US || rates.estimated < ended.ends)
      return
    if (final === undefined || final.fundingTime < ended.ends)
      this.#wrong(instrument, `the settlement at ${at(ended.ends)} has no final rate`)
  }

  #funding(rates: Rates, row: Funding, counted: Counted): void {
    if (row.kind === 'estimate') {
      counted.estimates++
      rates.estimated = row.fundingTime
      return
    }
    counted.finals++
    const { instrument, fundingTime, rate, intervalHours } = row
    const { ended, final: before } = rates
    if (ended?.ends === fundingTime) {
      counted.compared++
      if (ended.rate !== rate)
        this.#wrong(
          instrument,
          `the final rate at ${at(fundingTime)} is ${rate}, and its last mark said ${ended.rate}`,
        )
    }
    if (before?.fundingTime === fundingTime)
      this.#wrong(instrument, `the settlement at ${at(fundingTime)} has two final rates`)
    else if (before !== undefined) {
      const periods = (fundingTime - before.fundingTime) / (intervalHours * HOUR_US)
      if (periods >= 2) counted.unseen += Math.round(periods) - 1
      else if (periods < 1)
        this.#wrong(
          instrument,
          `the settlement at ${at(fundingTime)} comes ${periods * intervalHours} h after the one before, ` +
            `and the interval is ${intervalHours} h`,
        )
    }
    rates.final = row
  }

  #wrong(instrument: string, why: string): void {
    this.#countedOf(instrument).findings++
    this.#findings.add(`funding of ${instrument}: ${why}`)
  }

  #countedOf(instrument: string): Counted {
    return madeIn(this.#counted, marketOf(instrument), () => ({
      ...{ instruments: new Set<string>(), marks: 0, estimates: 0, finals: 0, compared: 0, unseen: 0 },
      findings: 0,
    }))
  }
}

const at = (time: number): string => new Date(time / 1000).toISOString()
