import type { Ticker } from '../operators/recorded.ts'
import type { Row } from './replay-run.ts'

type Top = readonly unknown[]

/** What stood as the best bid and ask of a live book after each of its changes, by the id of the change. */
export const standing = (deltas: readonly Row[], quotes: readonly Row[]): ReadonlyMap<number, Top> => {
  const states = new Map<number, Top>()
  let at = -1
  for (const { last, received } of deltas as readonly {
    readonly last: number
    readonly received: number
  }[]) {
    while (at + 1 < quotes.length && shows(quotes[at + 1]!, last, received)) at++
    const quote = quotes[at]
    if (quote?.['trust'] === 'live')
      states.set(last, [quote['bid'], quote['bidSize'], quote['ask'], quote['askSize']])
  }
  return states
}

/** Does a quote come no later than the change that covers an id? Without trust it may have no id. */
const shows = (quote: Row, last: number, received: number): boolean =>
  Number(quote['received']) <= received && Number(quote['last'] ?? 0) <= last

/** Where both have an id, and say other things of it. */
export const differing = (states: ReadonlyMap<number, Top>, tickers: readonly Ticker[]) => {
  const shared = tickers.filter(({ id }) => states.has(id))
  const different = shared.filter(({ id, top }) => top.join() !== states.get(id)!.join())
  return { shared: shared.length, different }
}
