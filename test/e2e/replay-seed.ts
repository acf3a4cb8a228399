import type { BookDelta } from '../../market/event.ts'
import type { Recorded, Tape } from '../../sources/replay.ts'

type Seed = Extract<Recorded, { readonly what: 'seed' }>

/** An order book as plain as can be: a snapshot, and every change since, up to an id. */
export class ReferenceBook {
  readonly #bids = new Map<number, number>()
  readonly #asks = new Map<number, number>()
  readonly #last: number

  constructor(rows: readonly BookDelta[], last: number) {
    this.#last = last
    const snapshot = rows.find((row) => row.snapshot)!
    const later = rows.filter((one) => !one.snapshot && one.last! > snapshot.last! && one.last! <= last)
    for (const row of [snapshot, ...later]) {
      Array.from(row.bidPrices).forEach((price, i) => put(this.#bids, price, row.bidSizes[i]!))
      Array.from(row.askPrices).forEach((price, i) => put(this.#asks, price, row.askSizes[i]!))
    }
  }

  /** The book as a recorded answer of a venue's REST service, `limit` levels a side; 0: all of them. */
  tape(of: Pick<Seed, 'received' | 'source' | 'symbol' | 'limit'>): Tape {
    const side = (levels: ReadonlyMap<number, number>, sign: number) => {
      const sorted = [...levels].toSorted(([one], [other]) => sign * (one - other))
      return sorted.slice(0, of.limit > 0 ? of.limit : undefined).map((level) => level.map(String))
    }
    const at = Math.floor(of.received / 1000)
    const body = {
      lastUpdateId: this.#last,
      E: at,
      T: at,
      bids: side(this.#bids, -1),
      asks: side(this.#asks, 1),
    }
    return tapeOf({
      what: 'seed',
      channel: 'book',
      bytes: new TextEncoder().encode(JSON.stringify(body)),
      ...of,
    })
  }
}

/** A tape with one thing on it. */
export const tapeOf = (recorded: Recorded): Tape => {
  let left: readonly Recorded[] | undefined = [recorded]
  const next: Tape['next'] = async () => {
    const batch = left
    left = undefined
    return batch
  }
  return { name: `a ${recorded.what} of the test`, next }
}

const put = (levels: Map<number, number>, price: number, size: number): void => {
  if (size === 0) levels.delete(price)
  else levels.set(price, size)
}
