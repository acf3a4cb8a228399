import type { Control, Gap } from './system.ts'

/** Where the rows of one instrument come from. The source is empty until its listing told. */
export interface Origin {
  readonly instrument: string
  readonly source: string
}

/**
 * Is a control row about this instrument, by one of these channels? A row without an instrument is about all
 * of its source, and one without a source about the whole shard. While the source of an instrument is not
 * known, every source of its venue is taken for it: trust is withheld rather too often.
 */
export const concerns = (
  row: Control,
  { instrument, source }: Origin,
  channels: readonly string[],
): boolean => {
  if (row.instrument !== '' && row.instrument !== instrument) return false
  if (row.channel !== '' && !channels.includes(row.channel)) return false
  if (row.source === '' || row.source === source) return true
  if (source !== '') return false
  const venue = instrument.slice(0, instrument.indexOf(':'))
  return row.source === venue || row.source.startsWith(`${venue}.`)
}

/** Of all that came between two rows, what explains a hole between them best. */
export type Cause = Gap['cause']

/**
 * The better explanation of the one before and what a control row says. A restart also ends sessions, so it
 * goes first.
 */
export const causeOf = (before: Cause, kind: Control['kind']): Cause => {
  if (kind === 'start' || before === 'restart') return 'restart'
  if (kind === 'down' || before === 'disconnect') return 'disconnect'
  return kind === 'drop' ? 'dropped' : before
}
