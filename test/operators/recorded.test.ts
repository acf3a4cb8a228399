import { describe, expect, test } from 'vitest'
import { bookDelta } from '../../market/event.ts'
import type { BookDelta, Quote } from '../../market/event.ts'
import { reconstruct } from '../../operators/reconstruct.ts'
import { sequence } from '../../operators/sequence.ts'
import { drive } from '../drive.ts'
import { recorded } from './recorded.ts'
import type { Ticker } from './recorded.ts'

const MARKETS = [
  ['spot', ['spot_btcusdt_20240808.gz', 'spot_btcusdt_20240809.gz']],
  ['usdm', ['usdm_btcusdt_20240808.gz']],
  ['coinm', ['coinm_btcusd_perp_20240808.gz', 'coinm_btcusd_perp_20240809.gz']],
] as const

/** What we say of each id at which the book was live, against what the venue printed at it. */
const compare = (deltas: readonly BookDelta[], tickers: readonly Ticker[]) => {
  const once = drive(sequence(bookDelta), 'recorded')
  const book = drive(reconstruct(), 'recorded')
  const states = new Map<number, Quote>()
  let shown: Quote | undefined
  deltas.forEach((row, i) => {
    if (i % 2_500 === 2_499) book.restart()
    for (const passed of once.all<BookDelta>('bookDelta', 'bookDelta', [row])) {
      for (const quote of book.all<Quote>('quote', 'bookDelta', [passed])) shown = quote
      if (shown?.trust === 'live') states.set(row.last!, shown)
    }
  })
  const shared = tickers.filter(({ id }) => states.has(id))
  const equal = shared.filter(({ id, top }) => {
    const { bid, bidSize, ask, askSize } = states.get(id)!
    return top.join() === [bid, bidSize, ask, askSize].join()
  })
  return { shared: shared.length, equal: equal.length, end: `${shown?.trust} ${shown?.why}` }
}

describe.each(MARKETS)('the recorded books of %s', (market, files) => {
  const recording = recorded(...files)
  if (recording === undefined)
    console.warn(`skipped: the recordings of ${market} are not here (${files.join(', ')})`)

  test.skipIf(recording === undefined)(
    'equal the best bid and ask that the venue printed, at every id at which they are live',
    () => {
      const { deltas, tickers } = recording!
      const { shared, equal, end } = compare(deltas, tickers)
      console.info(`${market}: ${equal} of ${shared} shared ids equal while live, then "${end}"`)
      expect(shared).toBeGreaterThan(300)
      expect(equal).toBe(shared)
      // The price left the thousand levels of the only snapshot, and nobody asked for another.
      expect(end).toBe(market === 'coinm' ? 'live ' : 'gap beyond horizon')
    },
  )

  test.skipIf(recording === undefined)(
    'do so at every id that both have, were the snapshot the whole book',
    () => {
      const { deltas, tickers } = recording!
      const { shared, equal, end } = compare(
        deltas.map((row) => ({ ...row, horizon: 0 })),
        tickers,
      )
      console.info(`${market}: ${equal} of ${shared} shared ids equal, ${deltas.length} book rows`)
      expect(shared).toBeGreaterThan(600)
      expect(equal).toBe(shared)
      expect(end).toBe('live ')
    },
  )
})
