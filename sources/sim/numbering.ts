import type { Pace } from './pace.ts'
import type { VenueName } from './universe.ts'

/**
 * Where the ids of a venue begin when it starts at a time.
 *
 * A venue that is stopped and started again must look like one that went on, although it keeps nothing in
 * between. So an id is never larger than its rule allows at that time, and a start begins at what its time
 * allows: the rule grows several times faster than ids are used up, and every later start is above all
 * earlier ids. That holds for starts with the same settings; with the usual ones the settings do not matter.
 */
interface Numbering {
  /** The first id at `epochMs`, of the size that the real venue had then. */
  readonly base: number
  /** How many ids the rule allows each millisecond, at the least. */
  readonly perMs: number
}

/** 2026-01-01T00:00Z. Starts before it are numbered as if they were at it. */
const epochMs = 1_767_225_600_000

/** Ids used up for each thing that happens, with room for bursts: about four times the mean. */
const tradesEach = 8
const changesEach = 16

const trades: Readonly<Record<VenueName, Numbering>> = {
  'binance.spot': { base: 4_500_000_000, perMs: 2 },
  'binance.usdm': { base: 7_000_000_000, perMs: 2 },
  'bybit.linear': { base: 1_000_000_000, perMs: 2 },
  'bybit.spot': { base: 1_000_000_000, perMs: 2 },
}

/** `step` is the mean distance of one id from the next. */
const updates: Readonly<Record<VenueName, Numbering & { readonly step: number }>> = {
  'binance.spot': { base: 90_000_000_000, perMs: 10, step: 1 },
  'binance.usdm': { base: 9_800_000_000_000, perMs: 1000, step: 11 },
  'bybit.linear': { base: 270_000_000_000, perMs: 100, step: 16 },
  'bybit.spot': { base: 90_000_000_000, perMs: 100, step: 16 },
}

/** The trade id before the first one of a symbol that starts at `startMs`. */
export function lastTrade(venue: VenueName, pace: Pace, startMs: number): number {
  const { base, perMs } = trades[venue]
  return begin({ base, perMs: Math.max(perMs, Math.ceil(pace.trades * tradesEach)) }, startMs)
}

/** The update id before the first one of a sequence that symbols of these paces share. */
export function lastUpdate(venue: VenueName, sharing: readonly Pace[], startMs: number): number {
  const { base, perMs, step } = updates[venue]
  const activity = sharing.reduce((sum, pace) => sum + pace.trades + pace.changes, 0)
  return begin({ base, perMs: Math.max(perMs, Math.ceil(activity * changesEach * step)) }, startMs)
}

/** The `u` of a Bybit book at a time. No topic counts faster, because none publishes oftener than a slot. */
export function bybitUpdate(nowMs: number): number {
  return begin({ base: 10_000_000, perMs: 0.1 }, nowMs)
}

function begin({ base, perMs }: Numbering, startMs: number): number {
  return base + Math.floor(perMs * Math.max(0, startMs - epochMs))
}
