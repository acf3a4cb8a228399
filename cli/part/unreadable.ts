import type { Unreadable } from '../../runtime/format/sound.ts'
import { DAMAGED } from '../../runtime/log.ts'
import { writeLetters } from '../letters.ts'

/** The records that a sink could not read: kept as dead letters, said, and counted. */
export interface UnreadableRecords {
  readonly add: Unreadable
  /** How many places of the log were passed over. */
  readonly count: () => number
  readonly close: () => Promise<void>
}

/**
 * A record that cannot be read becomes a dead letter of the run, known by its place in the log: two sinks,
 * and one that reads it again, write the same letter.
 */
export const unreadableRecords = async (root: string): Promise<UnreadableRecords> => {
  const letters = await writeLetters(root, ({ code, message }) =>
    console.error(JSON.stringify({ code, message })),
  )
  const seen = new Set<string>()
  return {
    add: (record, { code, message, why = '' }) => {
      const { topic, partition, offset, schema, epoch, time } = record
      const place = `${topic}/${partition} at ${offset}`
      if (seen.has(place)) return
      seen.add(place)
      console.error(JSON.stringify({ code, message, why, where: place }))
      letters.add({
        ...{ source: 'log', channel: topic, connection: partition, epoch, frame: offset, received: time },
        symbol: undefined,
        mapping: schema === DAMAGED ? '' : schema,
        error: `${code} ${message}: ${why}`,
        bytes: record.bytes.slice(),
      })
    },
    count: () => seen.size,
    close: () => letters.close(),
  }
}
