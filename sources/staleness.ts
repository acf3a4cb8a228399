import type { Card } from '../graph/source.ts'
import type { Effect } from './happening.ts'
import type { Line } from './line.ts'

/** How long a symbol, or only a whole channel, may say nothing before it is stale. */
export interface Silence {
  readonly of: 'symbol' | 'channel'
  readonly leastMs: number
  readonly mostMs: number
}

/** What is learned of a quiet symbol's pace can lengthen the card's silence by this much, and no further. */
const LEARNED_MAX = 20
/** This many of its own usual silences are staleness, within those bounds. */
const USUAL_SILENCES = 50

/** How often something speaks, as far as we heard. Times are microseconds. */
export interface Pace {
  heard: number
  /** Mean time between messages; 0 until there are two. */
  mean: number
}

/** Take note of a message. */
export const paced = (pace: Pace, now: number): void => {
  const since = now - pace.heard
  if (pace.heard > 0 && since > 0) pace.mean = pace.mean === 0 ? since : pace.mean * 0.95 + since * 0.05
  pace.heard = now
}

/** The silence that a card allows. */
export const silenceOf = ({ cadenceMs, silence: { cadences, of } }: Card): Silence => {
  const leastMs = cadenceMs * cadences
  return Object.freeze({ of, leastMs, mostMs: leastMs * LEARNED_MAX })
}

/** Microseconds of silence that are staleness, where messages usually come `mean` microseconds apart. */
export const limitUs = ({ leastMs, mostMs }: Silence, mean: number): number =>
  Math.min(mostMs * 1000, Math.max(leastMs * 1000, mean * USUAL_SILENCES))

interface Heard {
  silence: Silence
  at: number
  /** Messages a microsecond, of all its symbols. */
  pace: number
}

/**
 * Channels whose symbols may be quiet, and that must speak as a whole: one that was subscribed on a route of
 * another is accepted, and never says anything.
 */
export class ChannelSilence {
  readonly #stale = new Set<string>()

  /** What there is to tell of channels that have just fallen silent. */
  fell(line: Line, now: number): readonly Effect[] {
    const all = new Map<string, Heard>()
    for (const { held, sentAt } of line.subs.values()) {
      const { channel, silence, heard, mean, owner } = held
      if (silence.of !== 'channel' || sentAt === 0 || owner > line.epoch) continue
      const known = all.get(channel) ?? { silence, at: line.openedAt, pace: 0 }
      known.at = Math.max(known.at, sentAt, heard)
      known.pace += mean === 0 ? 0 : 1 / mean
      all.set(channel, known)
    }
    const effects: Effect[] = []
    for (const [channel, { silence, at, pace }] of all) {
      if (this.#stale.has(channel) || now - at <= limitUs(silence, pace === 0 ? 0 : 1 / pace)) continue
      this.#stale.add(channel)
      const why = `all of it silent for ${Math.round((now - at) / 1000)} ms`
      const fix = 'Is the channel on the right route, and is anything of it traded?'
      effects.push({ kind: 'control', of: 'stale', line: line.epoch, channel, instrument: '', why })
      effects.push({ kind: 'note', level: 'warn', what: 'channel is silent', facts: { channel, why, fix } })
    }
    return effects
  }

  /** Is any channel silent? */
  get any(): boolean {
    return this.#stale.size > 0
  }

  /** A message came: what there is to tell where its channel was silent. */
  spoke(channel: string, line: Line): readonly Effect[] {
    if (!this.#stale.delete(channel)) return []
    return [{ kind: 'control', of: 'live', line: line.epoch, channel, instrument: '', why: '' }]
  }

  forget(): void {
    this.#stale.clear()
  }
}
