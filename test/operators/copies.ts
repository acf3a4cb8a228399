import type { BookDelta, Quote } from '../../market/event.ts'
import type { Control } from '../../market/system.ts'
import { reconstruct } from '../../operators/reconstruct.ts'
import type { ReconstructOptions } from '../../operators/reconstruct.ts'
import { drive } from '../drive.ts'
import type { Side } from './rows.ts'

/** One line a quote: `live 99 x 5 / 101 x 5 @ 12`. It dies and comes back before each row. */
export const books = (options?: ReconstructOptions) => {
  const one = drive(reconstruct(options), 'binance:spot:BTC-USDT')
  const lines = (rows: readonly (BookDelta | Control)[]): string[] =>
    rows.flatMap((row) => {
      one.restart()
      return one
        .feed('kind' in row ? 'control' : 'bookDelta', row)
        .map((made) => (made.schema === 'gap' ? healed(made.row) : line(made.row as unknown as Quote)))
    })
  return { ...one, lines: (...rows: readonly (BookDelta | Control)[]) => lines(rows) }
}
const healed = (row: Readonly<Record<string, unknown>>): string =>
  `${row['event']} ${row['first']}-${row['last']} ${row['cause']}`
const line = ({ trust, why, bid, bidSize, ask, askSize, last }: Quote): string =>
  trust === 'live'
    ? `live ${bid} x ${bidSize} / ${ask} x ${askSize} @ ${last}`
    : `${trust}: ${why}${bid === null && ask === null ? '' : ' WITH PRICES'}`

export const BIDS: Side = { 99: 5, 98: 2 }
export const ASKS: Side = { 101: 5, 102: 2 }
