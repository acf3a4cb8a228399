import { GraphError } from '../graph/error.ts'
import { operator, plain } from '../graph/operator.ts'
import type { Emit, Operator } from '../graph/operator.ts'
import { spreadOf } from '../market/basis.ts'
import { basis, funding, quote } from '../market/event.ts'
import type { Basis, Funding, Quote } from '../market/event.ts'
import { byPair, parseInstrument } from '../market/instrument.ts'
import { ageMs, aprOf, newLeg, pricesOf, problemOf, quoted, told } from '../market/leg.ts'
import type { Leg } from '../market/leg.ts'
import { control, instrument } from '../market/system.ts'
import type { Control, Instrument } from '../market/system.ts'

export interface BasisOptions {
  /** A leg whose channel has shown no life for longer is not used. */
  readonly staleAfterMs: number
  /** The sources' channels that carry the books. */
  readonly channel?: string
}

/**
 * How far each perpetual of a pair trades from each spot market of the pair, and from each other venue's
 * perpetual, in prices of one base asset. Only one pair is compared at a time, so the quote currency is one.
 *
 * Both legs must be proven: a live quote, a listing that says its units, and a proof of life of its channel
 * (a quote, a heartbeat) within `staleAfterMs`, which ticks let pass. When one is not, a `withheld` row says
 * which and why; it has no prices, and nothing follows until both are well. A row is emitted when a price or
 * the carry changes.
 */
export const basisSpread = ({
  staleAfterMs,
  channel = 'book',
}: BasisOptions): Operator<Quote | Funding | Instrument | Control, Basis, 'pair' | 'asset'> => {
  if (!(staleAfterMs > 0 && Number.isFinite(staleAfterMs))) {
    throw new GraphError('KT1103', `basisSpread has a staleAfterMs of ${staleAfterMs}`, {
      fix: 'Use milliseconds above 0, such as 3000.',
    })
  }
  const channels = [channel]
  return operator({
    name: 'basisSpread',
    inputs: { quote, funding, instrument, control },
    outputs: [basis],
    key: byPair,
    state: plain(1, (): Market => ({ now: 0, legs: {}, shown: {} })),
    options: { staleAfterMs, channel },
    on: {
      quote: (market, row, emit) => {
        const leg = legOf(market, row.instrument)
        if (leg === undefined) return
        quoted(leg, row)
        compare(market, leg, row.received, staleAfterMs, emit)
      },
      funding: (market, row, emit) => {
        const leg = row.kind === 'estimate' ? legOf(market, row.instrument) : undefined
        if (leg === undefined) return
        leg.funding = { apr: row.apr, fundingTime: row.fundingTime }
        compare(market, leg, row.received, staleAfterMs, emit)
      },
      instrument: (market, row, emit) => {
        const leg = legOf(market, row.instrument)
        if (leg === undefined) return
        leg.listing = { source: row.source, status: row.status, multiplier: row.multiplier }
        compare(market, leg, row.received, staleAfterMs, emit)
        if (row.status === 'gone') forget(market, leg)
      },
      control: (market, row, emit) => {
        const concerned = Object.values(market.legs).filter(
          (leg) => told(leg, row, channels) || row.kind === 'tick',
        )
        for (const leg of concerned) compare(market, leg, row.received, staleAfterMs, emit)
      },
    },
  })
}

/** The markets of one pair, and what was last said of each two of them. */
interface Market {
  /** By our clock. */
  now: number
  readonly legs: Record<string, Leg>
  readonly shown: Record<string, Shown>
}

type Shown = Pick<Basis, 'state' | 'bps' | 'netBps' | 'perpMid' | 'referenceMid' | 'carryApr'>

const legOf = ({ legs }: Market, instrument: string): Leg | undefined => {
  const { kind } = parseInstrument(instrument)
  return kind === 'spot' || kind === 'perp' ? (legs[instrument] ??= newLeg(instrument)) : undefined
}

const forget = ({ legs, shown }: Market, { instrument }: Leg): void => {
  delete legs[instrument]
  for (const two of Object.keys(shown)) if (two.split(' ').includes(instrument)) delete shown[two]
}

/** Compare a leg that something happened to with each other leg that has ever been quoted. */
const compare = (
  market: Market,
  leg: Leg,
  received: number,
  staleAfterMs: number,
  emit: Emit<Basis>,
): void => {
  market.now = Math.max(market.now, received)
  for (const other of Object.values(market.legs)) {
    const two = leg.quote === null || other.quote === null ? undefined : ordered(leg, other)
    if (two === undefined) continue
    const row = rowOf(market, two, staleAfterMs)
    const name = `${row.perp} ${row.reference}`
    const before = market.shown[name]
    if (before !== undefined && !differs(before, row)) continue
    const { state, bps, netBps, perpMid, referenceMid, carryApr } = row
    market.shown[name] = { state, bps, netBps, perpMid, referenceMid, carryApr }
    emit.basis({ ...row, received })
  }
}

interface Two {
  readonly perp: Leg
  readonly reference: Leg
  readonly kind: Basis['kind']
}

/** Which of two is compared with which; the perpetuals of two venues by the order of their names. */
const ordered = (here: Leg, there: Leg): Two | undefined => {
  const [a, b] = [parseInstrument(here.instrument), parseInstrument(there.instrument)]
  if (a.kind !== b.kind) {
    const [perp, reference] = a.kind === 'perp' ? [here, there] : [there, here]
    return { perp, reference, kind: 'spot-perp' }
  }
  if (a.kind === 'spot' || a.venue === b.venue) return undefined
  const [perp, reference] = here.instrument < there.instrument ? [here, there] : [there, here]
  return { perp, reference, kind: 'perp-perp' }
}

const differs = (before: Shown, now: Basis): boolean =>
  before.state !== now.state || (now.state === 'live' && VALUES.some((value) => before[value] !== now[value]))

const VALUES = ['bps', 'netBps', 'perpMid', 'referenceMid', 'carryApr'] as const

const rowOf = ({ now }: Market, { perp, reference, kind }: Two, staleAfterMs: number): Basis => {
  const broken = [problemOf(perp, now, staleAfterMs), problemOf(reference, now, staleAfterMs)]
  const why = broken[0] !== '' ? `perp ${broken[0]}` : broken[1] !== '' ? `reference ${broken[1]}` : ''
  const perpApr = aprOf(perp, false, now)
  const referenceApr = aprOf(reference, kind === 'spot-perp', now)
  const spread = why === '' ? spreadOf(pricesOf(perp), pricesOf(reference)) : undefined
  return {
    pair: parseInstrument(perp.instrument).pair,
    time: Math.max(perp.quote!.time, reference.quote!.time),
    received: now,
    kind,
    perp: perp.instrument,
    reference: reference.instrument,
    state: spread === undefined ? 'withheld' : 'live',
    why,
    perpMid: spread?.perpMid ?? null,
    referenceMid: spread?.referenceMid ?? null,
    bps: spread?.bps ?? null,
    netBps: spread?.netBps ?? null,
    perpAgeMs: ageMs(perp, now),
    referenceAgeMs: ageMs(reference, now),
    perpLast: perp.quote!.last,
    referenceLast: reference.quote!.last,
    perpApr,
    referenceApr,
    carryApr: perpApr === null || referenceApr === null ? null : perpApr - referenceApr,
  }
}
