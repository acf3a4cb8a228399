import { systemClock } from '../../runtime/driver/clock.ts'
import { within } from '../../runtime/driver/within.ts'
import type { Unreadable } from '../../runtime/format/sound.ts'
import { DAMAGED } from '../../runtime/log.ts'
import { writeLetters } from '../letters.ts'

/** A queue that does not answer for so long does not hold up good rows, and its letters wait in memory. */
const KEPT_MS = 10_000

/** The records that a sink could not read: kept as dead letters, said, and counted. */
export interface UnreadableRecords extends Unreadable {
  /** How many places of the log were passed over. */
  readonly count: () => number
  readonly close: () => Promise<void>
}

/**
 * A record that cannot be read becomes a dead letter of the run, known by its place in the log: two sinks,
 * and one that reads it again, write the same letter. It is kept before the sink gets what lies behind it, so
 * that a kill in between loses no letter.
 */
export const unreadableRecords = async (root: string): Promise<UnreadableRecords> => {
  const letters = await writeLetters(root, ({ code, message }) =>
    console.error(JSON.stringify({ code, message })),
  )
  const seen = new Set<string>()
  let waiting = false
  return {
    found: (record, { code, message, why = '' }) => {
      const { topic, partition, offset, schema, epoch, time } = record
      const place = `${topic}/${partition} at ${offset}`
      if (seen.has(place)) return
      seen.add(place)
      waiting = true
      console.error(JSON.stringify({ code, message, why, where: place }))
      letters.add({
        ...{ source: 'log', channel: topic, connection: partition, epoch, frame: offset, received: time },
        symbol: undefined,
        mapping: schema === DAMAGED ? '' : schema,
        error: `${code} ${message}: ${why}`,
        bytes: record.bytes.slice(),
      })
    },
    kept: async () => {
      if (waiting) await within(systemClock(), KEPT_MS, () => letters.flush()).catch(() => undefined)
      waiting = false
    },
    count: () => seen.size,
    close: () => letters.close(),
  }
}
