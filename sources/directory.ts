import { VenueError } from '../graph/error.ts'
import type { AnySchema } from '../graph/schema.ts'
import type { SourceHost, Universe } from '../graph/source.ts'
import type { Intake } from './intake.ts'
import { border } from './mapping/border.ts'
import type { Raw } from './mapping/border.ts'
import type { Compiled } from './mapping/compile.ts'
import { listing, next, ranking } from './listing.ts'
import type { Listing, Ranking } from './listing.ts'
import { parseMessage } from './message.ts'
import type { Rest } from './rest.ts'
import type { MarketRules } from './venue.ts'

/** Pages of a list; no venue has so many. */
const PAGES_MAX = 50

/** Reads a venue's list of what is traded, live by REST, in replay from the answers that were recorded. */
export class Directory {
  readonly #market: MarketRules
  readonly #host: SourceHost
  readonly #list: Compiled
  readonly #rank: Compiled | undefined

  constructor(market: MarketRules, host: SourceHost, intake: Intake) {
    this.#market = market
    this.#host = host
    this.#list = intake.mappings.part('listing', [listing, next], intake.counts)?.run ?? (() => ({}))
    this.#rank = intake.mappings.part('ranking', [ranking], intake.counts)?.run
  }

  /** All listings. Undefined when the source was closed before, or the list cannot be read. */
  async fetch(rest: Rest): Promise<readonly Listing[] | undefined> {
    const all: Listing[] = []
    let cursor = ''
    for (let page = 0; page < PAGES_MAX; page++) {
      const answer = await rest.until(this.#market.listing.path(cursor), this.#market.listing.weight)
      if (answer === undefined) return undefined
      const read = this.read(answer.body)
      if (read === undefined) return undefined
      all.push(...read.listings)
      if (read.cursor === '' || read.cursor === cursor) break
      cursor = read.cursor
    }
    return all
  }

  /** One page of the list. A line that cannot be read is left out, and said so. */
  read(bytes: Uint8Array): { readonly listings: readonly Listing[]; readonly cursor: string } | undefined {
    const made = this.#evaluated(this.#list, bytes)
    if (made === undefined) return undefined
    const listings = this.#rows<Listing>(listing, made['listing'])
    const [page] = this.#rows<{ readonly cursor: string | null }>(next, made['next'] ?? { cursor: null })
    return { listings, cursor: page?.cursor ?? '' }
  }

  /** Turnover by symbol; empty where the universe does not need it, or the venue does not say. */
  async turnover(rest: Rest, universe: Universe, needed: boolean): Promise<ReadonlyMap<string, number>> {
    const { path, weight } = this.#market.listing.ranking
    const answer = needed ? await rest.until(path, weight) : undefined
    const made =
      answer === undefined || this.#rank === undefined ? undefined : this.#evaluated(this.#rank, answer.body)
    if (made === undefined) {
      if (needed) {
        this.#host.note('info', 'the most active are not known', {
          source: this.#market.name,
          universe,
          fix: 'The order of the list is used instead.',
        })
      }
      return new Map()
    }
    return new Map(this.#rows<Ranking>(ranking, made['ranking']).map((row) => [row.symbol, row.turnover]))
  }

  #evaluated(map: Compiled, bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
    try {
      const made = map(parseMessage(bytes, Infinity), {})
      return (made ?? {}) as Readonly<Record<string, unknown>>
    } catch (error) {
      this.#note('list cannot be read', { why: error instanceof Error ? error.message : String(error) })
      return undefined
    }
  }

  #rows<T>(of: AnySchema, made: unknown): readonly T[] {
    const fit = border(of)
    const rows: T[] = []
    for (const raw of (Array.isArray(made) ? made : made === undefined ? [] : [made]) as readonly Raw[]) {
      try {
        rows.push(fit(raw, { venue: '', instrument: '', received: 0 }) as T)
      } catch (error) {
        if (!(error instanceof VenueError)) throw error
        this.#note('listing was left out', { symbol: raw['symbol'], why: error.message })
      }
    }
    return rows
  }

  #note(what: string, facts: Readonly<Record<string, unknown>>): void {
    this.#host.note('warn', what, { source: this.#market.name, ...facts })
  }
}
