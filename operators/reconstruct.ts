import { GraphError } from '../graph/error.ts'
import type { Emit, Operator } from '../graph/operator.ts'
import { operator } from '../graph/operator.ts'
import { bookDelta, quote } from '../market/event.ts'
import type { BookDelta, Quote } from '../market/event.ts'
import { byInstrument } from '../market/instrument.ts'
import { Replica } from '../market/replica.ts'
import type { SavedReplica } from '../market/replica.ts'
import { concerns } from '../market/session.ts'
import { control, gap, instrument } from '../market/system.ts'
import type { Control, Gap, Instrument } from '../market/system.ts'

export interface ReconstructOptions {
  /** Levels a side to remember; by default all that are known. */
  readonly depthMax?: number
  /** The source's channel that carries the books. */
  readonly channel?: string
}

/**
 * Rebuild each instrument's order book, and emit its best bid and ask with the trust they deserve
 * (market/replica.ts has the rules).
 *
 * A quote is emitted when the best price or size of a side changes, when trust changes, and at the first
 * change of deeper levels after a second without a quote, as a sign of life. It stands until the next one,
 * and is the state of the book at the venue's id `last`; `first` is the first id of the change that made it.
 * Without trust it has no prices. A hole in the ids that a snapshot closes is written to the gap ledger as
 * healed, with all ids that were missing.
 */
export const reconstruct = ({ depthMax = Infinity, channel = 'book' }: ReconstructOptions = {}): Operator<
  BookDelta | Control | Instrument,
  Quote,
  'instrument' | 'pair' | 'asset'
> => {
  if (depthMax !== Infinity && !(Number.isInteger(depthMax) && depthMax >= 1)) {
    throw new GraphError('KT1102', `reconstruct has a depthMax of ${depthMax}`, {
      fix: 'Use a whole number of levels from 1, or leave it out.',
    })
  }
  const channels = [channel]
  return operator({
    name: 'reconstruct',
    inputs: { bookDelta, control, instrument },
    outputs: [quote],
    reports: [gap],
    key: byInstrument,
    state: {
      version: 1,
      create: (key) => new Replica(key, depthMax),
      save: (replica) => replica.save(),
      load: (saved: SavedReplica, key) => Replica.load(saved, key, depthMax),
    },
    options: { ...(depthMax === Infinity ? {} : { depthMax }), channel },
    on: {
      bookDelta: (replica, row, emit) => {
        replica.take(row)
        report(replica, row, emit)
      },
      control: (replica, row, emit) => {
        if (row.kind === 'tick' || !concerns(row, replica, channels)) return
        if (replica.hear(row.kind)) report(replica, row, emit)
      },
      instrument: (replica, row) => void (replica.source = row.source),
    },
  })
}

const report = (replica: Replica, at: BookDelta | Control, emit: Emit<Quote | Gap>): void => {
  for (const hole of replica.healed(at)) emit.gap(hole)
  const news = replica.news(at)
  if (news !== undefined) emit.quote(news)
}
