import { GraphError } from '../graph/error.ts'
import { operator, plain } from '../graph/operator.ts'
import type { Emit, Operator } from '../graph/operator.ts'
import { addTrade, barOf } from '../market/bar.ts'
import type { Bar } from '../market/bar.ts'
import { candle, trade } from '../market/event.ts'
import type { Candle, Trade } from '../market/event.ts'
import { byInstrument, parseInstrument } from '../market/instrument.ts'
import { control } from '../market/system.ts'
import type { Control } from '../market/system.ts'

/** How long a bar is. It divides a day, so bars begin at the same times on every day, in UTC. */
export type BarFrame = `${number}${'s' | 'm' | 'h'}` | '1d'

export interface BarOptions {
  /** How long after its end a bar waits for trades that come late. */
  readonly latenessMs?: number
  /** Bars of each instrument that a later trade can still revise. */
  readonly keptMax?: number
}

/**
 * Bars of trades, in event time: a trade belongs to the bar of the venue's time of it, whenever it comes.
 *
 * A bar is emitted when a trade or a tick shows that the time is past its end and `latenessMs`. A trade that
 * comes later still makes a new revision of its bar, as long as that is one of the last `keptMax`; a trade
 * older than that is in its own table only. A stretch without trades has no bar: no price is made up for it.
 * `time` is the end of the bar.
 */
export const bars = (
  frame: BarFrame,
  { latenessMs = 2_000, keptMax = 3 }: BarOptions = {},
): Operator<Trade | Control, Candle, 'instrument' | 'pair' | 'asset'> => {
  const length = lengthOf(frame)
  if (!(latenessMs >= 0 && Number.isFinite(latenessMs))) {
    throw new GraphError('KT1105', `bars("${frame}") has a latenessMs of ${latenessMs}`, {
      fix: 'Use milliseconds from 0, such as 2000.',
    })
  }
  if (!(Number.isInteger(keptMax) && keptMax >= 1 && keptMax <= 1_000)) {
    throw new GraphError('KT1106', `bars("${frame}") has a keptMax of ${keptMax}`, {
      fix: 'Use a whole number of bars from 1 to 1000.',
    })
  }
  return operator({
    name: `bars.${frame}`,
    inputs: { trade, control },
    outputs: [candle],
    key: byInstrument,
    state: plain(1, (): Bars => ({ instrument: '', passed: 0, kept: [] })),
    options: { frame, latenessMs, keptMax },
    on: {
      trade: (state, row, emit) => {
        state.instrument = row.instrument
        const start = Math.floor(row.time / length) * length
        const bar = put(state, start, row, keptMax)
        if (bar !== undefined && start + length <= state.passed)
          close(state, bar, length, frame, row.received, emit)
        pass(state, row.time - latenessMs * 1_000, length, frame, row.received, emit)
      },
      control: (state, row, emit) => {
        if (row.kind === 'tick') pass(state, row.time - latenessMs * 1_000, length, frame, row.received, emit)
      },
    },
  })
}

interface Bars {
  instrument: string
  /** Bars that end by then are closed. Microseconds. */
  passed: number
  /** The newest bars, in order of time. */
  readonly kept: Bar[]
}

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const

const lengthOf = (frame: string): number => {
  const [, many, unit] = /^([1-9]\d*)([smhd])$/.exec(frame) ?? []
  const seconds = Number(many) * SECONDS[(unit ?? 's') as keyof typeof SECONDS]
  if (86_400 % seconds === 0) return seconds * 1_000_000
  throw new GraphError('KT1104', `"${frame}" is no length of a bar`, {
    fix: 'Use seconds, minutes or hours that divide a day: 1m, 5m, 1h.',
  })
}

/**
 * Add a trade to its bar. Undefined when it is older than every bar that is kept, and they are as many as may
 * be.
 */
const put = ({ kept, passed }: Bars, start: number, row: Trade, keptMax: number): Bar | undefined => {
  const after = kept.findLastIndex((bar) => bar.start <= start)
  const found = kept[after]
  if (found?.start === start) {
    addTrade(found, row)
    return found
  }
  if (after < 0 && kept.length >= keptMax && start < passed) return undefined
  const made = barOf(start, row)
  kept.splice(after + 1, 0, made)
  while (kept.length > keptMax && kept[0]!.emitted > 0) kept.shift()
  return made
}

/** Time has come this far: close what ended by then. */
const pass = (
  state: Bars,
  time: number,
  length: number,
  frame: BarFrame,
  received: number,
  emit: Emit<Candle>,
): void => {
  if (time <= state.passed) return
  state.passed = time
  for (const bar of state.kept)
    if (bar.emitted === 0 && bar.start + length <= time) close(state, bar, length, frame, received, emit)
}

const close = (
  { instrument }: Bars,
  bar: Bar,
  length: number,
  frame: BarFrame,
  received: number,
  emit: Emit<Candle>,
): void => {
  emit.candle({
    venue: parseInstrument(instrument).venue,
    instrument,
    time: bar.start + length,
    received,
    first: bar.first,
    last: bar.last,
    frame,
    start: bar.start,
    open: bar.open,
    high: bar.high,
    low: bar.low,
    close: bar.close,
    volume: bar.volume,
    turnover: bar.turnover,
    buyVolume: bar.buyVolume,
    trades: bar.trades,
    revision: bar.emitted,
  })
  bar.emitted++
}
