import { VenueError } from '../graph/error.ts'
import type { Code } from '../graph/error.ts'
import { count, name, schema } from '../graph/schema.ts'
import type { AnySchema, Event } from '../graph/schema.ts'
import type { EmitRow, Mapping } from '../graph/source.ts'
import { border } from './mapping/border.ts'
import type { Border, Fill, Raw } from './mapping/border.ts'
import { check, FILLED } from './mapping/check.ts'
import { compile } from './mapping/compile.ts'
import type { Compiled } from './mapping/compile.ts'
import type { Tally } from './mapping/function.ts'
import { partsOf } from './mapping/tree.ts'
import { ValueError } from './mapping/value.ts'

/** Turns messages of one channel into rows. */
export interface Reader {
  /** Map a message: all of its rows are emitted, or VenueError is thrown and none is. */
  readonly read: (bytes: Uint8Array, about: MessageAbout, emit: EmitRow) => void
}

/** What is known of a message besides its bytes. */
export interface MessageAbout {
  /** The symbol it answers for; every row of it must be of this symbol. Undefined: it is for all of them. */
  readonly symbol: string | undefined
  readonly received: number
  /** Levels a side that a book was asked for, where it was asked for. */
  readonly limit: number
  /** What the topic said last on this connection, where messages say only what changed. */
  readonly last: Map<string, Raw> | undefined
  /** Ids that came without a row; the next row covers them. */
  readonly skipped: Skipped | undefined
}

export interface Skipped {
  first: number
  last: number
}

/** What a symbol is called here, and whether it is read at all. */
export interface Named {
  readonly instrument: string
  readonly wanted: boolean
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

/** Messages beyond this are no messages. */
const BYTES_MAX = 8 << 20

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Decode a message. */
export const parseMessage = (bytes: Uint8Array, bytesMax = BYTES_MAX): unknown => {
  if (bytes.length > bytesMax) {
    throw breach('KT2101', `a message of ${bytes.length} bytes is larger than any should be`)
  }
  let text = ''
  try {
    text = utf8.decode(bytes)
  } catch (cause) {
    throw breach('KT2101', 'a message is not UTF-8', cause)
  }
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw breach('KT2101', `a message of ${bytes.length} bytes is not JSON`, cause)
  }
}

const breach = (code: Code, message: string, cause?: unknown): VenueError =>
  new VenueError(code, message, {
    fix: 'Look at it in the dead letters; if the venue changed its format, mend the mapping and replay.',
    ...(cause === undefined ? {} : { cause }),
  })

/** The parts of a market's mappings, compiled when they are first asked for. */
export class Mappings {
  /** Of the texts of all files, for dead letters. */
  readonly hash: string
  readonly #files: readonly Mapping[]

  constructor(files: readonly Mapping[]) {
    this.#files = files
    this.hash = hashOf(files.map((file) => file.text).join('\n'))
  }

  /** Check a part against the schemas of its rows, and compile it. Throws GraphError when it does not fit. */
  part(part: string, schemas: readonly AnySchema[], tally: Tally): Compiled | undefined {
    for (const { file, tree } of this.#files) {
      const found = partsOf(file, tree).get(part)
      if (found === undefined) continue
      check(file, part, found, schemas)
      return compile(file, part, found, tally).run
    }
    return undefined
  }
}

/** 53 bits are enough to tell two versions of a file apart. */
const hashOf = (text: string): string => {
  let [high, low] = [0xdeadbeef, 0x41c6ce57]
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    high = Math.imul(high ^ unit, 2_654_435_761)
    low = Math.imul(low ^ unit, 1_597_334_677)
  }
  return ((high >>> 0) * 2 ** 20 + ((low >>> 0) & 0xfffff)).toString(16).padStart(13, '0')
}

interface ReaderOf {
  readonly venue: string
  readonly channel: string
  readonly schemas: readonly AnySchema[]
  /** The mapping, from `Mappings.part`. */
  readonly map: Compiled
  readonly hash: string
  readonly named: (symbol: string) => Named | undefined
  readonly counts: ReaderCounts
}

/** The schemas that a channel's mapping may make, with the ids it may skip. */
export const partSchemas = (schemas: readonly AnySchema[]): readonly AnySchema[] => [...schemas, skip]

export const createReader = (of: ReaderOf): Reader => {
  const borders = new Map<string, Border>(partSchemas(of.schemas).map((one) => [one.name, border(one)]))
  const rows: { readonly schema: string; readonly row: object }[] = []
  const read: Reader['read'] = (bytes, about, emit) => {
    rows.length = 0
    try {
      const made = evaluated(of.map, parseMessage(bytes), about)
      let seen = 0
      for (const [schema, raw] of Object.entries(made)) {
        for (const one of (Array.isArray(raw) ? raw : [raw]) as readonly unknown[]) {
          seen += 1
          take(of, borders, about, schema, one as Raw, rows)
        }
      }
      if (seen === 0 && about.symbol !== undefined) throw breach('KT2108', 'a message made no row')
    } catch (error) {
      throw placed(error, of, about)
    }
    for (const { schema, row } of rows) emit(schema, row)
  }
  return Object.freeze({ read })
}

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
    if (!(cause instanceof ValueError)) throw cause
    throw breach('KT2102', `${cause.message}: ${JSON.stringify(cause.value)?.slice(0, 60)}`, cause)
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
  const whole = about.last === undefined ? raw : patched(of, about.last, schema, raw)
  if (whole === undefined) return
  const fill: Fill = { venue: of.venue, instrument: known.instrument, received: about.received }
  const row = (borders.get(schema) as Border)(whole, fill)
  about.last?.set(schema, whole)
  if (schema === 'skip') covered(about, row as Skip)
  else rows.push({ schema, row: about.skipped === undefined ? row : joined(about.skipped, row) })
}

/**
 * Fill in what a change left out. Nothing when it changes nothing of this schema, or when there is nothing to
 * change.
 */
const patched = (of: ReaderOf, last: ReadonlyMap<string, Raw>, schema: string, raw: Raw): Raw | undefined => {
  const news = Object.keys(raw).some((field) => field !== 'symbol' && field !== 'time')
  const before = last.get(schema)
  if (!news) return undefined
  const whole = before === undefined ? raw : { ...before, ...raw }
  const shape = of.schemas.find((one) => one.name === schema)
  const lacks = shape?.columns.some(
    (column) =>
      !column.nullable &&
      column.kind !== 'floats' &&
      !FILLED.has(column.name) &&
      whole[column.name] === undefined,
  )
  if (lacks === true) {
    of.counts.early += 1
    return undefined
  }
  return whole
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
