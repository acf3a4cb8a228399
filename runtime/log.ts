import { HostError, KtError } from '../graph/error.ts'
import type { Log, Partition, ReadFrom, Step } from '../graph/port.ts'

/** How much of the log is kept. Whole pieces go, oldest first, until both hold. */
export interface Limits {
  readonly bytes: number
  readonly ageMs: number
  /** Drop what a registered reader has not read yet: it gets KT3002. */
  readonly pastReaders?: boolean
}

/** What retention did. */
export interface Dropped {
  readonly bytes: number
  /** The registered reader because of which more is kept than the limits say. */
  readonly heldBy: string | undefined
}

/** A log that we keep ourselves, so that somebody has to say what may go. */
export interface KeptLog extends Log {
  /**
   * A reader registers how far it has got, durably; retention never passes it. Registering again moves it,
   * `undefined` forgets the reader.
   */
  readonly hold: (reader: string, positions: readonly ReadFrom[] | undefined) => Promise<void>
  readonly retain: (limits: Limits) => Promise<Dropped>
}

/** A partition as a key of a map. */
export const partitionKey = (topic: string, partition: number): string => `${topic}\n${partition}`

/**
 * The schema of a record that is damaged: who wrote it is not known. Of several that are damaged as one the
 * first has the bytes that there are of all.
 */
export const DAMAGED = 'kt.damaged'

/** KT3002: the reader comes too late. */
export const passed = (where: Partition, wanted: number, first: number): HostError =>
  new HostError(
    'KT3002',
    `offsets ${wanted} to ${first - 1} of topic "${where.topic}" partition ${where.partition} are gone`,
    {
      why: 'Retention has passed the position of this reader.',
      fix: `Read from offset ${first} and write the hole down as a gap, or keep more of the log.`,
      facts: { ...where, wanted, first },
      retry: 'never',
    },
  )

/** KT3004: another took the shard over. */
export const overtaken = (shard: string, epoch: number, newest: number): HostError =>
  new HostError('KT3004', `epoch ${epoch} of shard "${shard}" was overtaken by epoch ${newest}`, {
    why: 'Another run took the writing side of this shard; only the newest may append.',
    fix: 'Stop this shard. If two fleets run the same graph on one log, stop one of them.',
    facts: { shard, epoch, newest },
    retry: 'never',
  })

/** KT3006: the step would leave a hole, or be there twice. */
const misplaced = (shard: string, step: number, expected: number): HostError =>
  new HostError('KT3006', `step ${step} of shard "${shard}" cannot follow step ${expected - 1}`, {
    why: 'An earlier step was refused, and this one must not overtake it.',
    fix: `Append again from step ${expected}.`,
    facts: { shard, step, expected },
    retry: 'now',
  })

/** KT3007: the disk is slower than the venue, and memory is not the place to wait. */
export const full = (pending: number, bytesMax: number): HostError =>
  new HostError('KT3007', `${pending} bytes wait for the log already`, {
    why: `No more than ${bytesMax} may wait: the disk does not keep up.`,
    fix: 'Use a faster disk, keep fewer channels, or let the shard spill.',
    facts: { pending, bytesMax },
    retry: { afterMs: 50 },
  })

/** KT3008: nothing more comes from here. */
export const closed = (): KtError => new KtError('KT3008', 'the log is closed', { fix: 'Open it again.' })

/** Refuse a step that the log could not give back as it was. `last`: the shard's last one, or -1. */
export const refusalOf = (shard: string, step: Step, last: number): HostError | undefined => {
  if (step.shard !== shard) return misplaced(step.shard, step.step, 0)
  const follows =
    last < 0 ? step.after === undefined || step.after < 0 : (step.after ?? step.step - 1) === last
  return follows && step.step > last ? undefined : misplaced(shard, step.step, last + 1)
}

/** A step that can wait: its records are its own. */
export const owned = (step: Step): Step => ({
  ...step,
  records: step.records.map((record) => ({ ...record, bytes: record.bytes.slice() })),
})
