import { VenueError } from '../graph/error.ts'
import { fillCells, sharedCells } from '../graph/row.ts'
import type { Cells } from '../graph/row.ts'
import { count, name, schema } from '../graph/schema.ts'
import type { AnySchema, Event } from '../graph/schema.ts'
import type { EmitRow } from '../graph/source.ts'
import { border } from './mapping/border.ts'
import type { Border, Fill, Raw } from './mapping/border.ts'
import type { Compiled } from './mapping/compile.ts'
import type { Tally } from './mapping/function.ts'
import type { Spelling } from './mapping/spelling.ts'
import { countParsed, SEEN_MIN, Templates } from './mapping/templates.ts'
import type { Learned, TierCounts } from './mapping/templates.ts'
import { ValueError } from './mapping/value.ts'
import type { MappingPart } from './mappings.ts'
import { breach, parseMessage } from './message.ts'
import type { Named } from './names.ts'
import type { LastSaid } from './patch.ts'
import { createScanned } from './scanned.ts'

/** Turns messages of one channel into rows. */
export interface Reader {
  /**
   * Map a message: all of its rows are emitted, or VenueError is thrown and none is. A row is valid until
   * `emit` returns.
   */
  readonly read: (bytes: Uint8Array, about: MessageAbout, emit: EmitRow, from?: number, to?: number) => void
  /** Learn the shape of such messages, and scan one until its code is compiled. Nothing is emitted. */
  readonly rehearse: (bytes: Uint8Array) => void
}

/** Most of what a scanner gains by being compiled, it has gained after so many messages (bench/README.md). */
const REHEARSALS = 200

/** What is known of a message besides its bytes. */
export interface MessageAbout {
  /** The symbol it answers for; every row of it must be of this symbol. Undefined: it is for all of them. */
  readonly symbol: string | undefined
  /** The same, as it stands in messages. */
  readonly spelling: Spelling
  /** What it is called here, once that is known; it changes in place. */
  named: Named | undefined
  readonly received: number
  /** Levels a side that a book was asked for, where it was asked for. */
  readonly limit: number
  /** What the topic said last on this connection, where messages say only what changed. */
  readonly last: LastSaid | undefined
  /** Ids that came without a row; the next row covers them. */
  readonly skipped: Skipped | undefined
}

export interface Skipped {
  first: number
  last: number
}

/** Counts of what a reader did besides mapping. */
export interface ReaderCounts extends Tally {
  /** Rows of symbols that are listed and were not asked for. */
  unwanted: number
  /** Changes that came before what they change. */
  early: number
}

interface Skip extends Event<'skip'> {
  readonly symbol: string
  readonly first: number
  readonly last: number
}

/** Ids that a message uses up without a row. */
const skip = schema<Skip>('skip', 'ids that are used up without a row', {
  symbol: name('name at the venue'),
  first: count('first id'),
  last: count('last id'),
})

export interface ReaderOf {
  readonly venue: string
  readonly channel: string
  readonly schemas: readonly AnySchema[]
  readonly part: MappingPart
  readonly hash: string
  /** Do messages say only what changed? */
  readonly patch: boolean
  readonly named: (symbol: string) => Named | undefined
  /** The same, of bytes that name a symbol. */
  readonly namedAt: (bytes: Uint8Array, from: number, to: number) => Named | undefined
  readonly counts: ReaderCounts
  readonly tiers: TierCounts
  readonly learned: Learned
}

/** The schemas that a channel's mapping may make, with the ids it may skip. */
export const partSchemas = (schemas: readonly AnySchema[]): readonly AnySchema[] => [...schemas, skip]

/**
 * A reader of three tiers: templates scan the bytes of messages they have learned; all others are parsed and
 * go through the compiled mapping, which also says what is wrong with a message.
 */
export const createReader = (of: ReaderOf): Reader => {
  const schemas = partSchemas(of.schemas)
  const borders = new Map<string, Border>(schemas.map((one) => [one.name, border(one)]))
  const targets = new Map<string, Cells>(schemas.map((one) => [one.name, sharedCells(one)]))
  const templates = new Templates(of.part.tree, [...targets.values()], of.tiers, of.learned, of.patch)
  const scanned = createScanned(of, templates)
  const rows: { readonly schema: string; readonly row: object }[] = []
  const parse = (bytes: Uint8Array, about: MessageAbout): void => {
    rows.length = 0
    try {
      const made = evaluated(of.part.run, parseMessage(bytes), about)
      let seen = 0
      for (const [schema, raw] of Object.entries(made)) {
        for (const one of (Array.isArray(raw) ? raw : [raw]) as readonly unknown[]) {
          seen += 1
          take(of, borders, about, schema, one as Raw, rows)
        }
      }
      if (seen === 0 && about.symbol !== undefined) throw breach('KT2108', 'a message made no row')
    } catch (error) {
      countParsed(of.tiers, 'it breaks the contract')
      throw placed(error, of, about)
    }
  }
  const read: Reader['read'] = (buffer, about, emit, from = 0, to = buffer.length) => {
    if (scanned(buffer, about, emit, from, to)) return
    const bytes = buffer.subarray(from, to)
    parse(bytes, about)
    templates.learn(bytes)
    for (const { schema, row } of rows) {
      const cells = targets.get(schema) as Cells
      fillCells(cells, row as Readonly<Record<string, unknown>>)
      emit(schema, cells.row)
    }
  }
  const rehearse: Reader['rehearse'] = (bytes) => {
    for (let seen = 0; seen < SEEN_MIN; seen++) templates.look(bytes)
    for (let time = 0; time < REHEARSALS; time++) templates.scan(bytes, RECEIVED)
  }
  return Object.freeze({ read, rehearse })
}

/** As large as times are, which the compiler is to see. */
const RECEIVED = 1_785_000_000_000_000

const evaluated = (
  map: Compiled,
  message: unknown,
  about: MessageAbout,
): Readonly<Record<string, unknown>> => {
  try {
    return (map(message, about as unknown as Readonly<Record<string, unknown>>) ?? {}) as Readonly<
      Record<string, unknown>
    >
  } catch (cause) {
    if (cause instanceof RangeError) throw breach('KT2102', 'a value is nested too deep', cause)
    if (!(cause instanceof ValueError)) throw cause
    throw breach('KT2102', `${cause.message}: ${shown(cause.value)}`, cause)
  }
}

/** The beginning of a value, which may be nested deeper than JSON can be written. */
const shown = (value: unknown): string => {
  try {
    return String(JSON.stringify(value)).slice(0, 60)
  } catch (error) {
    if (error instanceof RangeError) return 'a deep value'
    throw error
  }
}

type Rows = { readonly schema: string; readonly row: object }[]

const take = (
  of: ReaderOf,
  borders: ReadonlyMap<string, Border>,
  about: MessageAbout,
  schema: string,
  raw: Raw,
  rows: Rows,
): void => {
  const symbol = raw['symbol']
  if (typeof symbol !== 'string') throw breach('KT2103', `"${schema}.symbol" is missing`)
  if (about.symbol !== undefined && symbol !== about.symbol) {
    throw breach('KT2109', `a message of "${about.symbol}" speaks of "${symbol}"`)
  }
  const known = of.named(symbol)
  if (known === undefined && about.symbol !== undefined) {
    throw breach('KT2107', `symbol "${symbol}" is not listed`)
  }
  if (known === undefined || !known.wanted) {
    of.counts.unwanted += 1
    return
  }
  const shape = of.schemas.find(({ name }) => name === schema)
  const whole = about.last === undefined || shape === undefined ? raw : about.last.raw(shape, raw)
  if (whole === 'early') of.counts.early += 1
  if (whole === 'early' || whole === 'nothing') return
  const fill: Fill = { venue: of.venue, instrument: known.instrument, received: about.received }
  const row = (borders.get(schema) as Border)(whole, fill)
  about.last?.keep(schema, whole)
  if (schema === 'skip') covered(about, row as Skip)
  else rows.push({ schema, row: about.skipped === undefined ? row : joined(about.skipped, row) })
}

const covered = (about: MessageAbout, row: Skip): void => {
  const { skipped } = about
  if (skipped === undefined) return
  if (row.first !== skipped.last + 1) skipped.first = row.first
  skipped.last = row.last
}

/** A row that follows skipped ids covers them, so that they are no hole. */
const joined = (skipped: Skipped, row: object): object => {
  const { first } = row as { readonly first: number | null }
  if (first === null || first !== skipped.last + 1 || skipped.last < 0) return row
  const wider = { ...row, first: skipped.first }
  skipped.last = -1
  return wider
}

/** Say which source, channel and mapping an error is of. */
const placed = (error: unknown, of: ReaderOf, about: MessageAbout): unknown => {
  if (!(error instanceof VenueError)) return error
  // Who reads the facts may then doubt this instrument alone.
  const instrument = about.symbol === undefined ? undefined : of.named(about.symbol)?.instrument
  const symbol =
    about.symbol === undefined ? {} : { symbol: about.symbol, instrument: instrument ?? about.symbol }
  return new VenueError(error.code, error.message, {
    where: `${of.channel}${about.symbol === undefined ? '' : ` of ${about.symbol}`}`,
    ...(error.fix === undefined ? {} : { fix: error.fix }),
    facts: { ...error.facts, ...symbol, channel: of.channel, mapping: of.hash },
    cause: error.cause ?? error,
  })
}
