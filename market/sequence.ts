/** What a row is to a state that has applied every id up to some id. */
export type Verdict = 'apply' | 'repeat' | 'gap'

/**
 * The one gap rule: a row that covers the ids `first` to `last` applies to a state at `applied` iff `first <=
 * applied + 1 <= last`. It is a `repeat` when all that it covers was applied before, and there is a `gap`
 * when the ids from `applied + 1` to `first - 1` are missing. Venues differ only in how the range is
 * computed: an id by itself is `[id, id]`, a link to the row before (`pu`) is `[pu + 1, u]`.
 *
 * @see
 * https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
 */
export const continues = (applied: number, first: number, last: number): Verdict => {
  if (last <= applied) return 'repeat'
  return first <= applied + 1 ? 'apply' : 'gap'
}

/**
 * The newest row of a numbered stream: its last id, and its time by the clock of the venue, in microseconds.
 */
export interface Position {
  readonly last: number
  readonly time: number
}

/**
 * What a row is to a stream. A venue that restarts may begin its numbering anew, and then every row would
 * look like a repeat for ever. Ids and the venue's clock cannot disagree within one numbering, so a row with
 * an older id and a time that is later than the newest row's, by more than two connections of one venue ever
 * differ, is `renumbered`.
 */
export const follows = (at: Position, first: number, last: number, time: number): Verdict | 'renumbered' => {
  const verdict = continues(at.last, first, last)
  return verdict === 'repeat' && last < at.last && time > at.time + RENUMBERED_AFTER ? 'renumbered' : verdict
}

/**
 * One second. Rows of two connections with the same id carry the venue's own time of it, within some
 * milliseconds.
 */
const RENUMBERED_AFTER = 1_000_000
