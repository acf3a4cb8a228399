/** What a row is to a state that has applied every id up to some id. */
export type Verdict = 'apply' | 'repeat' | 'gap'

/**
 * The one gap rule: a row that covers the ids `first` to `last` applies to a state at `applied` iff
 * `first <= applied + 1 <= last`. It is a `repeat` when all that it covers was applied before, and there is a `gap`
 * when the ids from `applied + 1` to `first - 1` are missing. Venues differ only in how the range is computed: an id by
 * itself is `[id, id]`, a link to the row before (`pu`) is `[pu + 1, u]`.
 *
 * @see https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#how-to-manage-a-local-order-book-correctly
 */
export const continues = (applied: number, first: number, last: number): Verdict => {
  if (last <= applied) return 'repeat'
  return first <= applied + 1 ? 'apply' : 'gap'
}
