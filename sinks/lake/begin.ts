import { HostError } from '../../graph/error.ts'
import type { Partition } from '../../graph/port.ts'
import type { AnyLakeSink } from '../lake.ts'
import { overtaken } from '../registration.ts'
import { tableName } from './schema.ts'

/** What is known of a partition when its loading begins. */
export interface Known extends Partition {
  /** The next offset to load, as its table says; 0: the table has nothing of it. */
  readonly position: number
  /** Where the log begins and ends. */
  readonly first: number
  readonly next: number
  /** Where the sink was to begin when it first ran. */
  readonly registered: number | undefined
}

/**
 * The offset from which a partition is loaded: where its table stands, or with the first rows there are.
 * Throws KT3408 where the table is ahead of the log, and KT3002 where retention has passed what is needed.
 */
export const startOf = (sink: AnyLakeSink, known: Known): number => {
  const { topic, partition, position, first, next, registered } = known
  const table = tableName(sink.schema)
  if (position > next) throw otherLog(sink, known)
  const wanted = position > 0 ? position : (registered ?? first)
  if (wanted >= first) return Math.max(position, first)
  const moved =
    position > 0 ? `move "${table}" of the lake away (or name another lake with KT_LAKE)` : undefined
  throw overtaken(sink, table, { topic, partition, wanted, first }, moved)
}

const otherLog = ({ name }: AnyLakeSink, { topic, partition, position }: Known): HostError =>
  new HostError('KT3408', `the table of "${name}" holds rows of another log`, {
    where: `${topic}/${partition}`,
    why: `It is loaded up to offset ${position}, and this log ends before that.`,
    fix: 'Give the run a lake of its own (another KT_LAKE), or go on in the data folder of that log.',
    retry: 'never',
  })
