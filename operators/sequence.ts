import type { Operator, StateOf } from '../graph/operator.ts'
import type { Schema } from '../graph/schema.ts'
import type { MarketEvent } from '../market/event.ts'
import { gapRow } from '../market/hole.ts'
import type { Hole } from '../market/hole.ts'
import { byInstrument } from '../market/instrument.ts'
import { follows } from '../market/sequence.ts'
import { causeOf, concerns } from '../market/session.ts'
import type { Cause } from '../market/session.ts'
import { control, gap, instrument } from '../market/system.ts'
import type { Control, Instrument } from '../market/system.ts'

/** A row as this operator sees it: only trades have an id, only book changes are snapshots. */
interface Row extends MarketEvent<string> {
  readonly id?: string
  readonly snapshot?: boolean
  readonly origin?: 'stream' | 'rest'
}

/**
 * Let each row of one schema through once, and write what is missing to the gap ledger: before anything else
 * sees it.
 *
 * - Numbered rows obey the one gap rule (market/sequence.ts). A hole is one `proven` row with the missing
 *   ids.
 * - A snapshot within the stream takes the numbering over. One that was asked for over REST does not move it.
 * - An older id at a later time of the venue is a new numbering, not a repeat: a `possible` gap, and the row
 *   goes on. A lower id alone does not tell it, also after a reconnect, where two connections overlap and
 *   repeat each other.
 * - Rows with an id but no number (Bybit's trades) are repeats of one of the last 1,000 ids, or new.
 * - Rows with neither (mark prices) are repeats when all that the venue said equals the row before, time
 *   included; rows with lists of levels are not compared.
 * - Rows with a last id alone (best prices) are overtaken when it is older; their ids leave no holes.
 * - Without numbers an interruption is a `possible` gap, from the last row before it to the first after it.
 *
 * `channels` are the source's channels whose sessions the rows depend on.
 */
export const sequence = <E extends MarketEvent<string>>(
  of: Schema<E>,
  channels: readonly string[] = CHANNELS[of.name] ?? [of.name],
): Operator<E | Control | Instrument, E, 'instrument' | 'pair' | 'asset'> => {
  type Emitted = Readonly<Record<string, (event: object) => void>>
  const lists = of.columns.some((column) => column.kind === 'floats')
  const said = lists ? [] : of.columns.map((column) => column.name).filter((column) => !OURS.includes(column))
  const on = {
    [of.name]: (state: Sequence, row: Row, emit: Emitted): void => {
      const found = row.snapshot === true && row.origin === 'rest' ? 'pass' : judge(state, row, said)
      if (found === 'repeat') return
      if (found !== 'pass') emit['gap']?.(gapRow(row.instrument, of.name, 'opened', found, row))
      emit[of.name]?.(row)
    },
    control: (state: Sequence, row: Control): void => {
      if (concerns(row, state, channels)) state.cause = causeOf(state.cause, row.kind)
    },
    instrument: (state: Sequence, row: Instrument): void => void (state.source = row.source),
  }
  const sequenced = {
    name: `sequence.${of.name}`,
    inputs: [of, control, instrument],
    outputs: [of],
    reports: [gap],
    key: byInstrument,
    frames: false,
    state: sequenceState,
    on,
    options: Object.freeze({ channels }),
  }
  return Object.freeze(sequenced) as unknown as Operator<
    E | Control | Instrument,
    E,
    'instrument' | 'pair' | 'asset'
  >
}

/** The channels that the sources of kt carry a schema by, where they are not called like it. */
const CHANNELS: Readonly<Record<string, readonly string[]>> = {
  bookDelta: ['book'],
  fundingInterval: ['fundingInfo', 'mark'],
}

/** What does not make two rows different, where the venue does not number. */
const OURS: readonly string[] = ['received', 'first', 'last']

const RECENT_MAX = 1_000

interface Sequence {
  readonly instrument: string
  source: string
  /** Was there any row; then these are the last id and the venue's time of the newest. */
  heard: boolean
  last: number
  time: number
  /** What has happened to the channel since. */
  cause: Cause
  readonly recent: Set<string>
  values: readonly unknown[]
}

type Saved = Omit<Sequence, 'recent' | 'instrument'> & { readonly recent: readonly string[] }

const sequenceState: StateOf<Sequence, Saved> = {
  version: 1,
  create: (key) => ({
    instrument: key,
    source: '',
    heard: false,
    last: 0,
    time: 0,
    cause: 'lost',
    recent: new Set(),
    values: [],
  }),
  save: ({ source, heard, last, time, cause, recent, values }) => ({
    source,
    heard,
    last,
    time,
    cause,
    recent: [...recent],
    values,
  }),
  load: (saved, key) => ({ ...saved, instrument: key, recent: new Set(saved.recent) }),
}

const judge = (state: Sequence, row: Row, said: readonly string[]): 'repeat' | 'pass' | Hole => {
  const { first, last } = row
  const found =
    last === null
      ? judgeUnnumbered(state, row, said)
      : first === null
        ? judgeMonotone(state, row, last, said)
        : judgeNumbered(state, row, first, last)
  if (found === 'repeat') return found
  state.heard = true
  state.last = row.last ?? state.last
  state.time = row.time
  state.cause = 'lost'
  return found
}

const judgeNumbered = (state: Sequence, row: Row, first: number, last: number): 'repeat' | 'pass' | Hole => {
  const { last: applied, time, cause } = state
  if (!state.heard) return 'pass'
  let verdict = follows(state, first, last, row.time)
  // A whole book is worth having at any id, unless it is an older one that another connection sent later.
  if (row.snapshot === true && verdict === 'repeat')
    verdict = last === applied ? 'apply' : row.time > time ? 'renumbered' : 'repeat'
  if (verdict === 'gap')
    return { first: applied + 1, last: first - 1, fromTime: time, toTime: row.time, cause }
  if (verdict !== 'renumbered') return verdict === 'apply' ? 'pass' : verdict
  return {
    first: null,
    last: null,
    fromTime: time,
    toTime: row.time,
    cause: cause === 'lost' ? 'venue' : cause,
  }
}

/** A connection that takes over may say again what the one before it said, and what that had overtaken. */
const judgeMonotone = (
  state: Sequence,
  row: Row,
  last: number,
  said: readonly string[],
): 'repeat' | 'pass' | Hole => {
  const verdict = state.heard && last < state.last ? follows(state, last, last, row.time) : 'apply'
  if (verdict === 'repeat') return verdict
  const found = judgeUnnumbered(state, row, said)
  if (verdict !== 'renumbered' || found !== 'pass') return found
  return { first: null, last: null, fromTime: state.time, toTime: row.time, cause: 'venue' }
}

const judgeUnnumbered = (state: Sequence, row: Row, said: readonly string[]): 'repeat' | 'pass' | Hole => {
  const { recent, values, time, cause } = state
  if (row.id !== undefined) {
    if (recent.has(row.id)) return 'repeat'
    recent.add(row.id)
    const [oldest] = recent
    if (recent.size > RECENT_MAX && oldest !== undefined) recent.delete(oldest)
  } else {
    const says = said.map((column) => (row as unknown as Readonly<Record<string, unknown>>)[column])
    if (values.length > 0 && says.every((value, i) => value === values[i])) return 'repeat'
    state.values = says
  }
  return !state.heard || cause === 'lost'
    ? 'pass'
    : { first: null, last: null, fromTime: time, toTime: row.time, cause }
}
