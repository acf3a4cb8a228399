import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Book } from '../../market/book.ts'
import { binanceFrames } from '../frames.ts'
import type { FrameSet } from '../frames.ts'
import { measure, resultOf } from '../measure.ts'
import type { Way } from '../measure.ts'
import type { BookChange, PeerBook } from '../peer/book.ts'
import { ccxtBook } from '../peer/ccxt.ts'
import { tardisBook } from '../peer/tardis.ts'
import type { Result } from './result.ts'

type Level = readonly [price: string, size: string]
type Sides = Readonly<Record<'bids' | 'asks' | 'b' | 'a', readonly Level[]>>

/** Levels that are read after each change, besides the best prices. */
const TOP = 20

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** A recorded book: its snapshot, and the changes after it, parsed outside of the clock. */
const changesOf = ({ frames }: FrameSet): readonly BookChange[] => {
  const column = (levels: readonly Level[], at: 0 | 1) =>
    Float64Array.from(levels, (level) => Number(level[at]))
  const seed = frames.findIndex(({ channel }) => channel === 'seed')
  return frames.slice(seed).flatMap(({ channel, bytes }) => {
    if (channel !== 'book' && channel !== 'seed') return []
    const message = JSON.parse(bytes.toString()) as Sides & { readonly data: Sides }
    const snapshot = channel === 'seed'
    const [bids, asks] = snapshot ? [message.bids, message.asks] : [message.data.b, message.data.a]
    return {
      snapshot,
      bidPrices: column(bids, 0),
      bidSizes: column(bids, 1),
      askPrices: column(asks, 0),
      askSizes: column(asks, 1),
    }
  })
}

const WHOLE = { horizon: 0, window: false }

/** A book, and what is timed of looking at it: sums, so that nothing is made that nobody reads. */
interface Timed<C> extends PeerBook<C> {
  readonly sum?: (side: 'bid' | 'ask', levels: number) => number
}

const ownBook = (): Timed<BookChange> => {
  const book = new Book(Infinity)
  const ladderOf = (side: 'bid' | 'ask') => (side === 'bid' ? book.bids : book.asks)
  return {
    name: 'kt',
    prepare: (change) => change,
    apply: (change) => (change.snapshot ? book.seed(change, 0, WHOLE) : book.apply(change, 0)),
    bid: () => book.bids.price(0),
    ask: () => book.asks.price(0),
    top: (side, levels) =>
      Array.from({ length: Math.min(levels, ladderOf(side).count) }, (_, level) => [
        ladderOf(side).price(level),
        ladderOf(side).size(level),
      ]),
    sum: (side, levels) => {
      const ladder = ladderOf(side)
      let sum = 0
      for (let level = 0; level < levels && level < ladder.count; level++)
        sum += ladder.price(level) * ladder.size(level)
      return sum
    },
  }
}

/** A book that lives through all rounds, as in a shard; each round begins with the snapshot. */
const wayOf = <C>(make: () => Timed<C>, changes: readonly BookChange[], top: number): Way => {
  const book = make()
  const [snapshot, ...prepared] = changes.map((change) => book.prepare(change))
  const sum = book.sum ?? ((side, levels) => sumOf(book.top(side, levels)))
  return {
    name: book.name,
    before: () => book.apply(snapshot!),
    run: () => {
      let seen = 0
      for (const change of prepared) {
        book.apply(change)
        seen += book.bid() + book.ask()
        if (top > 0) seen += sum('bid', top) - sum('ask', top)
      }
      return seen
    },
  }
}

const sumOf = (levels: readonly (readonly [price: number, size: number])[]): number => {
  let sum = 0
  for (const [price, size] of levels) sum += price * size
  return sum
}

/** Every reading is the peer's own. */
const expectSame = <C>(make: () => PeerBook<C>, changes: readonly BookChange[]): void => {
  const [ours, theirs] = [ownBook(), make()]
  changes.forEach((change, at) => {
    ours.apply(change)
    theirs.apply(theirs.prepare(change))
    const read = (book: Pick<PeerBook<C>, 'bid' | 'ask' | 'top'>): string =>
      JSON.stringify([
        book.bid(),
        book.ask(),
        ...(['bid', 'ask'] as const).map((side) => book.top(side, TOP)),
      ])
    if (read(ours) !== read(theirs)) throw new Error(`after change ${at}, ${theirs.name} has another book`)
  })
}

/** Heap and buffers that a book takes, KiB: of so many books that took the same changes. */
const kibOf = async <C>(
  make: () => PeerBook<C>,
  books: number,
  changes: readonly BookChange[],
): Promise<number> => {
  const kept: PeerBook<C>[] = []
  const used = async (): Promise<number> => {
    // Buffers are given back by a thread of their own, some time after their owners.
    for (let i = 0; i < 5; i++) {
      collect()
      await sleep(20)
    }
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = await used()
  for (let i = 0; i < books; i++) {
    const book = make()
    for (const change of changes) book.apply(book.prepare(change))
    kept.push(book)
  }
  return ((await used()) - before) / 1024 / kept.length
}

/** A snapshot of so many levels a side, as most books have them. */
const quietBook = (levels: number): readonly BookChange[] => {
  const steps = Float64Array.from({ length: levels }, (_, i) => i + 1)
  const sizes = steps.map((step) => step / 10)
  const [bidPrices, askPrices] = [
    steps.map((step) => (50_000 - step) / 1e4),
    steps.map((step) => (50_000 + step) / 1e4),
  ]
  return [{ snapshot: true, bidPrices, bidSizes: sizes, askPrices, askSizes: sizes }]
}

/** G4: a change of a book and a look at it, beside the books of tardis-dev and ccxt, on recorded changes. */
export const book = async (quick: boolean): Promise<readonly Result[]> => {
  const [tardis, ccxt] = [await tardisBook(), await ccxtBook()]
  const rounds = quick ? 5 : 9
  const results: Result[] = []
  const weigh = async (what: string, changes: readonly BookChange[], books: number): Promise<void> => {
    const [ours, theirs] = [await kibOf(ownBook, books, changes), await kibOf(tardis, books, changes)]
    const about = { goal: 'G4', peer: 'tardis-dev OrderBook', unit: 'KiB/book', least: 0 }
    results.push({ ...about, what: `${what}, memory`, ours, theirs })
  }
  for (const market of ['spot', 'usdm'] as const) {
    const changes = changesOf(binanceFrames(market))
    if (changes.length < 100) continue
    const few = changes.slice(0, quick ? 1_000 : 3_000)
    expectSame(tardis, changes)
    expectSame(ccxt, few)
    await weigh(`Binance ${market} BTCUSDT`, changes, quick ? 3 : 8)
    for (const top of [0, TOP]) {
      const what = `Binance ${market} BTCUSDT, change and best ${top === 0 ? 'bid and ask' : `${TOP} levels`}`
      const beside = async (peer: Way, part: readonly BookChange[], least: number): Promise<void> => {
        const of = { rounds, ops: part.length - 1, leastMs: 60 }
        const [ours, theirs] = await measure([wayOf(ownBook, part, top), peer], of)
        results.push(resultOf({ goal: 'G4', what, unit: 'CPU ns/change', least }, ours!, theirs!))
      }
      await beside(wayOf(tardis, changes, top), changes, top === 0 ? 15 : 8)
      await beside(wayOf(ccxt, few, top), few, top === 0 ? 40 : 8)
    }
  }
  await weigh('quiet books of 500 levels a side', quietBook(500), 200)
  return results
}
