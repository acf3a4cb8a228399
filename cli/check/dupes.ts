import type { MarketEvent } from '../../market/event.ts'
import { follows } from '../../market/sequence.ts'
import type { Position } from '../../market/sequence.ts'
import { Findings, inOrder, madeIn, marketOf } from './check.ts'
import type { Check, Seen } from './check.ts'

interface Row extends MarketEvent<string> {
  readonly id?: string
  readonly snapshot?: boolean
}

interface Counted {
  rows: number
  numbered: number
  named: number
  twice: number
}

/**
 * Does the log have anything twice that a venue said once? Numbers may only go on, but where a numbering
 * begins anew; of rows with a name of their own (trades without numbers) the last million must differ.
 */
export class DupesCheck implements Check {
  readonly events = ['trade', 'bookDelta']
  readonly #at = new Map<string, Position>()
  readonly #counted = new Map<string, Counted>()
  readonly #findings = new Findings()
  #recent = new Set<string>()
  #before = new Set<string>()

  take(channel: string, event: object): void {
    const row = event as Row
    const { instrument, first, last, id, time } = row
    const counted = madeIn(this.#counted, `${channel} ${marketOf(instrument)}`, () => ({
      ...{ rows: 0, numbered: 0, named: 0, twice: 0 },
    }))
    counted.rows++
    if (row.snapshot === true) {
      if (last !== null) this.#at.delete(`${channel} ${instrument}`)
      return
    }
    if (first !== null && last !== null) {
      counted.numbered++
      const place = `${channel} ${instrument}`
      const at = this.#at.get(place)
      if (at === undefined || follows(at, first, last, time) !== 'repeat') this.#at.set(place, { last, time })
      else this.#twice(counted, `${channel} of ${instrument}: id ${last} is twice in the log`)
    } else if (id !== undefined) {
      counted.named++
      const name = `${instrument} ${id}`
      if (this.#recent.has(name) || this.#before.has(name))
        this.#twice(counted, `${channel} of ${instrument}: id "${id}" is twice in the log`)
      this.#remember(name)
    }
  }

  done(): Seen {
    const rows = inOrder(this.#counted).map(([place, counts]) => {
      const [channel, market] = place.split(' ')
      return { channel: channel!, market: market!, ...counts }
    })
    return { rows, findings: this.#findings.all('dupes') }
  }

  #twice(counted: Counted, finding: string): void {
    counted.twice++
    this.#findings.add(finding)
  }

  #remember(name: string): void {
    this.#recent.add(name)
    if (this.#recent.size < RECENT_MAX) return
    this.#before = this.#recent
    this.#recent = new Set()
  }
}

const RECENT_MAX = 1_000_000
