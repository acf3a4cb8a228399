import { setTimeout as pause } from 'node:timers/promises'
import { HostError } from '../../graph/error.ts'
import type { ReadFrom } from '../../graph/port.ts'
import type { KeptLog } from '../../runtime/log.ts'

const AGAIN_MS = 1000

/**
 * Tells the log how far readers are, without anybody waiting for it: of each reader its newest word, one at a
 * time, so that no older one comes last. A disk that refuses is asked again: until then the log keeps more
 * than it must. `refused` hears the first of refusals in a row.
 */
export const holds = (
  log: Pick<KeptLog, 'hold'>,
  refused: (error: HostError) => void,
  againMs = AGAIN_MS,
): ((reader: string, positions: readonly ReadFrom[]) => void) => {
  const newest = new Map<string, readonly ReadFrom[]>()
  const telling = new Set<string>()
  const tell = async (reader: string): Promise<void> => {
    let well = true
    for (let positions = newest.get(reader); positions !== undefined; positions = newest.get(reader)) {
      try {
        await log.hold(reader, positions)
        well = true
        if (newest.get(reader) === positions) newest.delete(reader)
      } catch (error) {
        if (!(error instanceof HostError)) throw error
        if (well) refused(error)
        well = false
        await pause(againMs, undefined, { ref: false })
      }
    }
    telling.delete(reader)
  }
  return (reader, positions) => {
    newest.set(reader, positions)
    if (telling.has(reader)) return
    telling.add(reader)
    void tell(reader)
  }
}
