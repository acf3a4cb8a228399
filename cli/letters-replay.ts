import { rowsOf, readBatch } from '../graph/batch.ts'
import { VenueError } from '../graph/error.ts'
import type { Plan } from '../graph/plan.ts'
import type { DeadLetter, Log } from '../graph/port.ts'
import { present } from '../graph/present.ts'
import { kept } from '../graph/row.ts'
import { logged } from '../graph/schema.ts'
import type { AnySource, Frame, SourceHost } from '../graph/source.ts'
import { instrument } from '../market/system.ts'
import { letterPlace } from '../runtime/driver/letter.ts'
import type { StoredLetter } from '../runtime/driver/letter.ts'
import { VirtualClock } from '../runtime/virtual-clock.ts'
import { openCapture } from '../sources/driver/capture.ts'
import { loadMapping } from '../sources/driver/jsonata.ts'
import { Player } from '../sources/replay.ts'
import { wantsOf } from './source.ts'

/** What became of a letter that was read again. */
export interface Reread {
  readonly id: string
  readonly letter: DeadLetter
  /** Rows that it maps to now, with the schema of each; none where `error` says why. */
  readonly rows: readonly { readonly schema: string; readonly row: object }[]
  readonly error: string | undefined
}

/**
 * Read letters again with the mappings of today, by the same readers as a run does: all rows of a frame, or
 * an error. A letter that comes twice is read once. `known` are the instruments that symbols were named by.
 */
export const reread = (
  plan: Plan,
  letters: readonly StoredLetter[],
  known: readonly { readonly source: string; readonly row: object }[],
): readonly Reread[] => {
  const players = new Map<string, { player: Player; channels: readonly string[] }>()
  let read: ((frame: Frame<never>) => void) | undefined
  let clock: VirtualClock | undefined
  for (const { source, channels, universe } of plan.stages.flatMap(wantsOf)) {
    clock ??= new VirtualClock(Math.min(...letters.map(({ letter }) => letter.received)))
    const host = hostOf(clock, (frame) => read?.(frame))
    const player = new Player(source, host, { channels, universe, endpoint: undefined, owns: () => true })
    players.set(source.name, { player, channels })
    for (const one of known)
      if (one.source === source.name)
        player.deliver({ ...one, received: 0, what: 'row', schema: 'instrument' })
  }
  const seen = new Set<string>()
  return letters
    .toSorted((a, b) => a.letter.received - b.letter.received)
    .flatMap(({ id, letter }): readonly Reread[] => {
      const place = letterPlace(letter)
      if (seen.has(place)) return []
      seen.add(place)
      const on = players.get(letter.source)
      if (on === undefined || !on.channels.includes(letter.channel))
        return [{ id, letter, rows: [], error: strange(letter) }]
      const rows: { schema: string; row: object }[] = []
      // A frame of an instrument that nobody named is passed over, and is not mapped by that.
      let error: string | undefined = UNKNOWN
      read = (frame) => {
        try {
          frame.read((schema, row) => rows.push({ schema, row: kept(row) }))
          error = rows.length === 0 ? UNKNOWN : undefined
        } catch (thrown) {
          if (!(thrown instanceof VenueError)) throw thrown
          error = `${thrown.code} ${thrown.message}`
        }
      }
      on.player.deliver({ ...letter, what: 'message' })
      read = undefined
      return [{ id, letter, rows, error }]
    })
}

const strange = ({ source, channel }: DeadLetter): string =>
  source === 'log'
    ? `it is a record of topic "${channel}", which no mapping makes: see kt explain KT3001`
    : `the graph does not read ${source}.${channel}`

const UNKNOWN = 'it has no row: neither the log of the run nor the graph knows its instrument'

const hostOf = (clock: VirtualClock, frame: (frame: Frame<never>) => void): SourceHost => ({
  clock,
  random: { below: () => 0 },
  net: { connect: () => ({ send: () => {}, close: () => {} }), get: () => new Promise(() => {}) },
  mapping: loadMapping,
  frame: (one) => frame(one as Frame<never>),
  system: () => {},
  note: () => {},
})

/** The instruments that the log of a run names, the newest row of each. */
export const instrumentsIn = async (log: Log): Promise<readonly { source: string; row: object }[]> => {
  const newest = new Map<string, { source: string; row: object }>()
  for (const { topic, partition, first, next } of await log.ends()) {
    if (topic !== 'kt.instrument') continue
    const reader = await log.read([{ topic, partition, offset: first }])
    for (let at = first; at < next;) {
      const records = await reader.read(1 << 22, 0)
      if (records.length === 0) break
      for (const record of records) {
        at = record.offset + 1
        for (const row of rowsOf(readBatch(logged(instrument), present(instrument, record).bytes))) {
          const { source, symbol } = row as { readonly source: string; readonly symbol: string }
          newest.set(`${source} ${symbol}`, { source, row: { ...row } })
        }
      }
    }
    await reader.close()
  }
  return [...newest.values()]
}

/**
 * Write letters as a tape, a folder that `kt replay` takes: their frames go through the whole graph again.
 */
export const taped = async (
  folder: string,
  sources: readonly AnySource[],
  letters: readonly DeadLetter[],
  known: readonly { readonly source: string; readonly row: object }[],
): Promise<void> => {
  for (const source of sources) {
    const own = letters.filter((letter) => letter.source === source.name)
    if (own.length === 0) continue
    const begin = Math.min(...own.map(({ received }) => received))
    const capture = openCapture({ folder, name: 'letters' }, source)
    for (const one of known)
      if (one.source === source.name) capture.system('instrument', { ...one.row, received: begin })
    for (const letter of own.toSorted((a, b) => a.received - b.received))
      capture.frame({ ...letter, read: () => {} } as Frame<never>)
    await capture.close()
  }
}
