import type { BookDelta, Quote } from '../../market/event.ts'
import { Replica } from '../../market/replica.ts'
import { Findings, inOrder, madeIn, marketOf } from './check.ts'
import type { Check, Seen } from './check.ts'

/** Best bid, its size, best ask, its size; undefined: the book is not trusted there. */
type Best = readonly [bid: number | null, bidSize: number | null, ask: number | null, askSize: number | null]

interface Counted {
  readonly books: Set<string>
  changes: number
  snapshots: number
  quotes: number
  compared: number
  differing: number
  crossed: number
}

/** A book that is built again, and what its best prices were at each of the newest ids. */
class Rebuilt {
  readonly bestAt = new Map<number, Best | undefined>()
  /** Quotes of ids that have not come yet. */
  waiting: Quote[] = []
  last = -1
  readonly #replica: Replica
  #best: Best | undefined

  constructor(instrument: string) {
    this.#replica = new Replica(instrument, Infinity)
  }

  take(row: BookDelta): void {
    this.#replica.take(row)
    const news = this.#replica.news(row)
    if (news !== undefined)
      this.#best = news.trust === 'live' ? [news.bid, news.bidSize, news.ask, news.askSize] : undefined
    const last = news?.last ?? (row.origin === 'rest' ? null : row.last)
    // A repeat, or a snapshot that only says more of what is known, leaves the book where it was.
    if (last === null || (news === undefined && !row.snapshot && last <= this.last)) return
    this.last = last
    this.bestAt.set(last, this.#best)
    if (this.bestAt.size > KEPT_MAX) this.bestAt.delete(this.bestAt.keys().next().value!)
  }
}

/**
 * Are the best prices those of the books? Each book is built again from the changes in the log, and each
 * quote with prices is compared with it at the quote's id. A book can be built from its first snapshot on;
 * quotes before it, and those of books that the log has no changes of, are not compared.
 */
export class BooksCheck implements Check {
  readonly events = ['bookDelta', 'quote']
  readonly #books = new Map<string, Rebuilt>()
  readonly #counted = new Map<string, Counted>()
  readonly #findings = new Findings()

  take(event: string, seen: object): void {
    const row = seen as BookDelta | Quote
    const book = madeIn(this.#books, row.instrument, () => new Rebuilt(row.instrument))
    const counted = this.#countedOf(row.instrument)
    if (event === 'quote') this.#quote(row as Quote, book, counted)
    else this.#change(row as BookDelta, book, counted)
  }

  done(): Seen {
    const rows = inOrder(this.#counted).map(([market, { books, ...counts }]) => ({
      market,
      books: books.size,
      ...counts,
    }))
    return { rows, findings: this.#findings.all('books') }
  }

  #change(row: BookDelta, book: Rebuilt, counted: Counted): void {
    counted.books.add(row.instrument)
    counted[row.snapshot ? 'snapshots' : 'changes']++
    book.take(row)
    if (book.waiting.length === 0) return
    for (const quote of book.waiting) if (quote.last! <= book.last) this.#compare(quote, book, counted)
    book.waiting = book.waiting.filter(({ last }) => last! > book.last)
  }

  #quote(quote: Quote, book: Rebuilt, counted: Counted): void {
    counted.quotes++
    const { bid, ask, last, instrument } = quote
    if (bid !== null && ask !== null && bid >= ask) {
      counted.crossed++
      this.#findings.add(`quote of ${instrument} at id ${last}: bid ${bid} is not below ask ${ask}`)
    }
    if (quote.trust !== 'live' || last === null) return
    if (book.bestAt.has(last)) this.#compare(quote, book, counted)
    else if (last > book.last && book.waiting.length < WAITING_MAX) book.waiting.push(quote)
  }

  #compare(quote: Quote, book: Rebuilt, counted: Counted): void {
    const best = book.bestAt.get(quote.last!)
    if (best === undefined) return
    counted.compared++
    const { bid, bidSize, ask, askSize } = quote
    if (best[0] === bid && best[1] === bidSize && best[2] === ask && best[3] === askSize) return
    counted.differing++
    const said = `${bid} x ${bidSize} / ${ask} x ${askSize}`
    const built = `${best[0]} x ${best[1]} / ${best[2]} x ${best[3]}`
    this.#findings.add(`quote of ${quote.instrument} at id ${quote.last}: ${said}, and the book is ${built}`)
  }

  #countedOf(instrument: string): Counted {
    return madeIn(this.#counted, marketOf(instrument), () => ({
      ...{ books: new Set<string>(), changes: 0, snapshots: 0 },
      ...{ quotes: 0, compared: 0, differing: 0, crossed: 0 },
    }))
  }
}

/** A quote is logged in the step of its change, or in one of the next when another stage makes it. */
const KEPT_MAX = 4096
const WAITING_MAX = 4096
