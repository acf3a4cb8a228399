import { appendFileSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { servePart } from '../../deploy/driver/part.ts'
import { HostError } from '../../graph/error.ts'

/** A part that writes down what becomes of it, and fails where it is told to. */
export interface ScriptedPart {
  readonly said: string
  /** How long each start takes; the last holds for all that follow. */
  readonly startMs: readonly number[]
  /** How many stops fail, and how. */
  readonly failures: number
  readonly retry: 'never' | 'passing' | 'unknown'
}

await servePart<ScriptedPart>(async ({ said, startMs, failures, retry }) => {
  const say = (word: string): void => appendFileSync(said, `${word}\n`)
  const times = (word: string): number =>
    readFileSync(said, 'utf8')
      .split('\n')
      .filter((one) => one === word).length
  say('start')
  await pause(startMs[Math.min(times('start'), startMs.length) - 1])
  return {
    facts: {},
    stop: async () => {
      say('stop')
      if (times('stop') > failures) return say('finished')
      if (retry === 'unknown') throw new Error('nobody knows')
      throw new HostError('KT3011', 'no space', { retry: retry === 'never' ? 'never' : { afterMs: 1 } })
    },
  }
})
