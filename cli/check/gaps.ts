import type { MarketEvent } from '../../market/event.ts'
import { follows } from '../../market/sequence.ts'
import type { Position } from '../../market/sequence.ts'
import type { Gap } from '../../market/system.ts'
import { Findings, inOrder, madeIn, marketOf } from './check.ts'
import type { Check, Seen } from './check.ts'

interface Numbered extends MarketEvent<string> {
  readonly snapshot?: boolean
  readonly origin?: 'stream' | 'rest'
}

/** What was counted of one market and channel. */
interface Counted {
  rows: number
  readonly instruments: Set<string>
  proven: number
  possible: number
  healed: number
  unexplained: number
}

const NUMBERED = ['trade', 'bookDelta']

/**
 * Is all that is missing in the gap ledger? Every hole in a venue's numbers must stand there with exactly the
 * ids that are missing, and a numbering that begins anew must stand there as possible. What stands there as
 * proven and was not healed is missing, and so a finding, too; what is only possible is counted.
 */
export class GapsCheck implements Check {
  readonly events = [...NUMBERED, 'gap']
  readonly #at = new Map<string, Position>()
  /** Of each instrument and channel: the ledger's newest row, of which the row comes next. */
  readonly #said = new Map<string, Gap>()
  readonly #open = new Map<string, Gap[]>()
  readonly #counted = new Map<string, Counted>()
  readonly #findings = new Findings()

  take(event: string, row: object): void {
    if (event === 'gap') this.#ledger(row as Gap)
    else this.#row(event, row as Numbered)
  }

  done(): Seen {
    const open = [...this.#open].flatMap(([place, gaps]) => openFinding(place, gaps))
    const rows = inOrder(this.#counted).map(([place, { instruments, ...counts }]) => {
      const [channel, market] = place.split(' ')
      return { channel: channel!, market: market!, instruments: instruments.size, ...counts }
    })
    return { rows, findings: [...this.#findings.all('gaps'), ...open] }
  }

  #ledger(gap: Gap): void {
    const place = `${gap.channel} ${gap.instrument}`
    const counted = this.#countedOf(gap.channel, gap.instrument)
    const open = madeIn(this.#open, place, () => [])
    if (gap.event === 'opened') {
      counted[gap.proof]++
      this.#said.set(place, gap)
      if (gap.proof === 'proven') open.push(gap)
      return
    }
    const { first, last } = gap
    const left = open.filter((one) => first !== null && (one.first! < first || one.last! > last!))
    counted.healed += open.length - left.length
    this.#open.set(place, left)
  }

  #row(channel: string, row: Numbered): void {
    const { instrument, first, last, time } = row
    const counted = this.#countedOf(channel, instrument)
    counted.rows++
    counted.instruments.add(instrument)
    if (first === null || last === null || (row.snapshot === true && row.origin === 'rest')) return
    const place = `${channel} ${instrument}`
    const at = this.#at.get(place)
    const found = at === undefined ? 'apply' : follows(at, first, last, time)
    const anew = found === 'renumbered' || (found === 'repeat' && row.snapshot === true && last < at!.last)
    const said = this.#said.get(place)
    this.#said.delete(place)
    if (found === 'gap' && !(said?.first === at!.last + 1 && said.last === first - 1)) {
      counted.unexplained++
      const ids = first - 1 === at!.last + 1 ? `id ${first - 1}` : `ids ${at!.last + 1} to ${first - 1}`
      this.#findings.add(
        `${channel} of ${instrument}: ${ids} are missing, and the gap ledger does not say so`,
      )
    } else if (anew && said?.proof !== 'possible') {
      counted.unexplained++
      const ids = `from id ${at!.last} to ${first}`
      this.#findings.add(`${channel} of ${instrument}: goes back ${ids}, and the gap ledger does not say so`)
    }
    if (found !== 'repeat' || anew) this.#at.set(place, { last, time })
  }

  #countedOf(channel: string, instrument: string): Counted {
    return madeIn(this.#counted, `${channel} ${marketOf(instrument)}`, () => ({
      ...{ rows: 0, instruments: new Set<string>(), proven: 0, possible: 0, healed: 0, unexplained: 0 },
    }))
  }
}

const openFinding = (place: string, gaps: readonly Gap[]): readonly string[] => {
  if (gaps.length === 0) return []
  const [channel, instrument] = place.split(' ')
  const ids = gaps.reduce((sum, { first, last }) => sum + last! - first! + 1, 0)
  const causes = [...new Set(gaps.map(({ cause }) => cause))].join(', ')
  return [`${channel} of ${instrument}: ${ids} ids are missing in ${gaps.length} proven gaps (${causes})`]
}
