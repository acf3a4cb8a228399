import type { MarketFrame } from './frames.ts'
import type { Pipeline } from './pipeline.ts'

type Level = readonly [price: string, size: string]

interface Message {
  readonly stream?: string
  readonly lastUpdateId?: number
  readonly bids?: readonly Level[]
  readonly asks?: readonly Level[]
  readonly data?: {
    readonly s: string
    readonly t: number
    readonly T: number
    readonly E: number
    readonly u: number
    readonly U: number
    readonly p: string
    readonly q: string
    readonly m: boolean
    readonly b: readonly Level[]
    readonly a: readonly Level[]
  }
}

/**
 * One side of a book as most programs keep it: a sorted array of objects, found by bisection, changed by
 * splice.
 */
const side = (sign: 1 | -1) => {
  const levels: { price: number; size: number }[] = []
  const set = ([priceText, sizeText]: Level): void => {
    const [price, size] = [Number(priceText), Number(sizeText)]
    let [low, high] = [0, levels.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((levels[middle]!.price - price) * sign < 0) low = middle + 1
      else high = middle
    }
    const found = levels[low]?.price === price
    if (size === 0) levels.splice(low, found ? 1 : 0)
    else if (found) levels[low]!.size = size
    else levels.splice(low, 0, { price, size })
  }
  return { levels, set }
}

const STEP_FRAMES = 50

/** A book with what waits for its beginning. */
interface NaiveBook {
  readonly bids: ReturnType<typeof side>
  readonly asks: ReturnType<typeof side>
  applied: number
  waiting: NonNullable<Message['data']>[]
  shown: string
}

/**
 * What one writes first for Binance: parse, make objects, keep sorted arrays, write JSON lines; `written` gets
 * each of them.
 */
export const naivePipeline = (written: (line: string) => void = () => {}): Pipeline => {
  const books = new Map<string, NaiveBook>()
  let [trades, deltas, bytes, frames] = [0, 0, 0, 0]
  let [bid, ask] = [Number.NaN, Number.NaN]
  let lines: string[] = []
  const write = (line: string): void => {
    lines.push(line)
    written(line)
  }
  const bookOf = (symbol: string): NaiveBook => {
    const known = books.get(symbol)
    if (known !== undefined) return known
    const book = { bids: side(-1), asks: side(1), applied: -1, waiting: [], shown: '' }
    books.set(symbol, book)
    return book
  }
  const quote = (book: NaiveBook, instrument: string, time: number, received: number): void => {
    const [bought, sold] = [book.bids.levels[0], book.asks.levels[0]]
    ;[bid, ask] = [bought?.price ?? Number.NaN, sold?.price ?? Number.NaN]
    const row = { instrument, bid, bidSize: bought?.size, ask, askSize: sold?.size }
    const text = JSON.stringify(row)
    if (text === book.shown) return
    book.shown = text
    write(JSON.stringify({ ...row, time, received }))
  }
  const apply = (book: NaiveBook, data: NonNullable<Message['data']>, received: number): void => {
    if (book.applied < 0) {
      book.waiting.push(data)
      return
    }
    if (data.u <= book.applied) return
    for (const level of data.b) book.bids.set(level)
    for (const level of data.a) book.asks.set(level)
    book.applied = data.u
    quote(book, data.s, data.E, received)
  }
  const seed = (book: NaiveBook, message: Message, received: number): void => {
    for (const kept of [book.bids, book.asks]) kept.levels.length = 0
    for (const level of message.bids ?? []) book.bids.set(level)
    for (const level of message.asks ?? []) book.asks.set(level)
    book.applied = message.lastUpdateId ?? -1
    for (const one of book.waiting) apply(book, one, received)
    book.waiting = []
  }
  const take = ({ bytes: frame, channel, received, symbol }: MarketFrame): void => {
    const message = JSON.parse(frame as unknown as string) as Message
    const { data } = message
    if (channel === 'seed') seed(bookOf(symbol), message, received)
    else if (data !== undefined && channel === 'trade') {
      trades++
      write(tradeLine(data, received))
    } else if (data !== undefined) {
      deltas++
      write(deltaLine(data, received))
      apply(bookOf(symbol), data, received)
    }
    if (++frames % STEP_FRAMES !== 0) return
    bytes += Buffer.byteLength(lines.join('\n'))
    lines = []
  }
  return { name: 'naive', take, end: () => ({ trades, deltas, bytes, bid, ask }) }
}

const tradeLine = ({ s, t, T, p, q, m }: NonNullable<Message['data']>, received: number): string =>
  JSON.stringify({
    instrument: s,
    id: t,
    time: T,
    received,
    side: m ? 'sell' : 'buy',
    price: Number(p),
    size: Number(q),
  })

const numbers = (levels: readonly Level[]): readonly (readonly number[])[] =>
  levels.map(([price, size]) => [Number(price), Number(size)])

const deltaLine = ({ s, U, u, E, b, a }: NonNullable<Message['data']>, received: number): string =>
  JSON.stringify({ instrument: s, first: U, last: u, time: E, received, bids: numbers(b), asks: numbers(a) })
