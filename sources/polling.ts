import type { SourceHost } from '../graph/source.ts'
import type { Control } from '../market/system.ts'
import type { Intake } from './intake.ts'
import type { Rest } from './rest.ts'
import { silenceOf } from './staleness.ts'
import type { Polled } from './venue.ts'

interface PollingParts {
  readonly rest: Rest
  readonly host: SourceHost
  readonly intake: Intake
}

/** Ask for a channel again and again, until its source is closed. Too long without an answer is staleness. */
export const poll = async (
  channel: string,
  { path, everyMs, weight }: Polled,
  { rest, host: { clock }, intake }: PollingParts,
): Promise<void> => {
  const line = { connection: 0, epoch: 1, frames: 0 }
  const inlet = intake.inlet(channel, undefined, line)
  const { leastMs } = silenceOf(intake.channel(channel).card)
  let stale = false
  const tell = (kind: Control['kind'], why: string, time: number): void =>
    intake.control(kind, { channel, instrument: '', connection: 0, epoch: 1, why }, time)
  const fall = (): void => {
    if (rest.closed) return
    stale = true
    tell('stale', `no answer for ${leastMs} ms`, clock.now())
  }
  let cancel = (): void => {}
  while (!rest.closed) {
    const answer = await rest.until(path, weight)
    if (rest.closed) break
    if (answer !== undefined) {
      cancel()
      cancel = clock.after(leastMs, fall)
      tell(line.frames === 0 ? 'up' : stale ? 'live' : 'alive', '', answer.received)
      stale = false
      intake.take(inlet, answer.body, answer.received)
    }
    await rest.sleep(everyMs)
  }
  cancel()
}
