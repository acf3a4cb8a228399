import { Dice, digitwise, mutated } from './mutate.ts'
import type { Target } from './fuzz-targets.ts'
import { tiers } from './tiers.ts'

/** What came of messages that were changed at random. */
export interface Fuzzed {
  readonly frames: number
  readonly scanned: number
  readonly templates: number
  /** Messages that were refused, by code. */
  readonly errors: ReadonlyMap<string, number>
  readonly byTarget: ReadonlyMap<string, { frames: number; scanned: number }>
}

/**
 * Feed so many messages to both tiers. Readers live for some hundred or thousand messages, so that they learn from odd ones
 * before there are eight templates. Throws where the tiers differ, with the seed and the life that show it again.
 */
export const fuzz = (targets: readonly Target[], frames: number, seed: number, progress: (frames: number) => void = () => {}): Fuzzed => {
  const sum = { frames: 0, scanned: 0, templates: 0 }
  const errors = new Map<string, number>()
  const byTarget = new Map<string, { frames: number; scanned: number }>()
  // Every target has its turn, also among few messages.
  const [short, long] = [500, 6_000].map((most) => Math.min(most, Math.ceil(frames / targets.length / 3))) as [number, number]
  for (let life = 0; sum.frames < frames; life++) {
    const dice = new Dice(Math.imul(seed, 0x9e3779b1) + life)
    const target = targets[life % targets.length]!
    const both = tiers(target.of)
    const own = byTarget.get(target.name) ?? { frames: 0, scanned: 0 }
    byTarget.set(target.name, own)
    let last = ''
    for (let i = 100 + dice.below(dice.chance(50) ? short : long); i > 0 && sum.frames < frames; i--) {
      last = next(dice, target, last)
      try {
        if (both.feed(Buffer.from(last, 'latin1'))) own.scanned++
      } catch (error) {
        throw new Error(`${target.name}, seed ${seed}, life ${life}: ${(error as Error).message}`, { cause: error })
      }
      own.frames++
      sum.frames++
      const [code] = both.parsing.out
      if (typeof code === 'string' && code.startsWith('KT')) errors.set(code, (errors.get(code) ?? 0) + 1)
    }
    sum.templates += both.scanning.tiers.templates
    progress(sum.frames)
  }
  for (const { scanned } of byTarget.values()) sum.scanned += scanned
  return { ...sum, errors, byTarget }
}

/** The next message: as it should be, changed, or the last one again, so that odd shapes are learned as well. */
const next = (dice: Dice, { messages }: Target, last: string): string => {
  const kind = dice.below(100)
  if (last !== '' && kind < 15) return last
  if (last !== '' && kind < 40) return digitwise(dice, last)
  const message = dice.of(messages)
  if (kind < 50) return message
  return kind < 65 ? digitwise(dice, message) : mutated(dice, message)
}
