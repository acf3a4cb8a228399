import { KtError } from '../../graph/error.ts'
import { cellsOf, sharedCells } from '../../graph/row.ts'
import { choice, count, flag, float, floats, int, micros, name, optional, schema, text } from '../../graph/schema.ts'
import type { AnySchema, Event } from '../../graph/schema.ts'
import type { EmitRow, Mapping } from '../../graph/source.ts'
import { spelling } from '../../sources/mapping/spelling.ts'
import { tierCounts } from '../../sources/mapping/templates.ts'
import type { TierCounts } from '../../sources/mapping/templates.ts'
import { Mappings } from '../../sources/mappings.ts'
import type { MappingPart } from '../../sources/mappings.ts'
import { LastSaid } from '../../sources/patch.ts'
import { createReader, partSchemas } from '../../sources/reader.ts'
import type { MessageAbout, Reader, ReaderCounts } from '../../sources/reader.ts'
import type { Named } from '../../sources/names.ts'
import { ByteMap } from '../../graph/byte-map.ts'

/** What is read with both tiers: one part of a mapping, for one symbol or for all of them. */
export interface TiersOf {
  readonly mappings: readonly Mapping[]
  readonly part: string
  readonly schemas: readonly AnySchema[]
  readonly symbol: string | undefined
  readonly names: ReadonlyMap<string, Named>
  /** Messages say only what changed. */
  readonly patch?: boolean
}

/** Two readers of one part: one learns and scans, the other parses every message. */
export interface Tiers {
  /** Read a message with both, and throw when anything differs. Was it scanned? */
  readonly feed: (bytes: Uint8Array) => boolean
  readonly scanning: Side
  readonly parsing: Side
}

interface Side {
  readonly counts: ReaderCounts
  readonly tiers: TierCounts
  readonly about: MessageAbout
  readonly reader: Reader
  /** All that the last message came to: the names of schemas, and the values of columns. */
  readonly out: unknown[]
  readonly learned: (readonly [shape: string, refused: string | undefined])[]
}

const RECEIVED = 1_770_000_000_500_000

export const tiers = (of: TiersOf): Tiers => {
  const [scanning, parsing] = [side(of, true), side(of, false)]
  const feed = (bytes: Uint8Array): boolean => {
    const before = scanning.tiers.scanned
    // Bytes come as a part of a buffer that has something else before and behind them.
    const around = new Uint8Array(bytes.length + 64).fill(0x39)
    around.set(bytes, 32)
    // The cells are shared: what one side leaves in them, the other must not take for its own.
    spoil(of.schemas)
    take(scanning, around.subarray(32, 32 + bytes.length))
    spoil(of.schemas)
    take(parsing, bytes)
    compare(bytes, scanning, parsing)
    return scanning.tiers.scanned > before
  }
  return { feed, scanning, parsing }
}

const STALE = new TextEncoder().encode('stale')

const spoil = (schemas: readonly AnySchema[]): void => {
  for (const schema of schemas) {
    const { numbers, names, texts, lists } = sharedCells(schema)
    numbers.fill(-777.5)
    names.fill('stale')
    for (const text of texts) text.copy(STALE, 0, STALE.length)
    for (const list of lists) {
      list.length = 3
      list.values.fill(-777.5, 0, 64)
    }
  }
}

/** No message can be scanned by this. */
const NONE: MappingPart['tree'] = { type: 'string', value: '' }

const side = (of: TiersOf, scans: boolean): Side => {
  const counts: ReaderCounts = { long: 0, unwanted: 0, early: 0 }
  const read = tierCounts()
  const mappings = new Mappings(of.mappings)
  const part = mappings.part(of.part, partSchemas(of.schemas), counts)
  if (part === undefined) throw new Error(`no part ${of.part}`)
  const bytes = new ByteMap<Named>()
  for (const [symbol, named] of of.names) bytes.set(symbol, named)
  const learned: (readonly [string, string | undefined])[] = []
  const reader = createReader({
    venue: 'test', channel: 'test.channel', schemas: of.schemas, part: scans ? part : { ...part, tree: NONE }, hash: mappings.hash, patch: of.patch === true, counts, tiers: read,
    named: (symbol) => of.names.get(symbol),
    namedAt: (from, start, end) => bytes.get(from, start, end),
    learned: (shape, refused) => learned.push([shape, refused]),
  })
  const about: MessageAbout = {
    symbol: of.symbol, spelling: spelling(of.symbol ?? ''), named: undefined, received: RECEIVED, limit: 1000,
    last: of.patch === true ? new LastSaid() : undefined, skipped: { first: -1, last: -1 },
  }
  return { counts, tiers: read, about, reader, out: [], learned }
}

/** Messages as a socket has them: in one piece of memory, and behind each what could be taken for more of it. */
const PIECE = new Uint8Array(1 << 17)
const BEHIND = 0x39

const take = (side: Side, bytes: Uint8Array): void => {
  if (bytes.length + 64 > PIECE.length) return read(side, bytes, 0, bytes.length)
  const to = 16 + bytes.length
  PIECE.set(bytes, 16)
  PIECE.fill(BEHIND, to, to + 16)
  read(side, PIECE, 16, to)
  for (let at = to; at < to + 16; at++) if (PIECE[at] !== BEHIND) throw new Error('what follows a message was changed')
}

const read = (side: Side, bytes: Uint8Array, from: number, to: number): void => {
  const { out } = side
  out.length = 0
  const emit: EmitRow = (schema, row) => {
    const cells = cellsOf(row)
    if (cells === undefined) throw new Error('a row without cells')
    out.push(schema)
    cells.schema.columns.forEach(({ kind }, at) => {
      if (kind === 'name') out.push(cells.names[at])
      else if (kind === 'text') out.push(cells.texts[at]!.text)
      else if (kind === 'floats') {
        const { values, length } = cells.lists[at]!
        if (length > values.length) throw new Error('a list longer than its room')
        out.push(length)
        for (let i = 0; i < length; i++) out.push(values[i])
      } else out.push(cells.numbers[at])
    })
  }
  try {
    side.reader.read(bytes, side.about, emit, from, to)
  } catch (error) {
    if (!(error instanceof KtError)) throw error
    if (out.length > 0) throw new Error('rows of a message that is refused')
    out.push(error.code, error.message)
  }
}

const compare = (bytes: Uint8Array, scanning: Side, parsing: Side): void => {
  const { skipped } = scanning.about
  const other = parsing.about.skipped
  const same =
    equal(scanning.out, parsing.out) &&
    skipped?.first === other?.first && skipped?.last === other?.last &&
    scanning.counts.unwanted === parsing.counts.unwanted && scanning.counts.long === parsing.counts.long
  if (same) return
  const shown = (side: Side): string =>
    `${side.out.map((one) => (Object.is(one, -0) ? '-0' : String(one))).join(' ')} | ${JSON.stringify(side.about.skipped)} ` +
    `unwanted ${side.counts.unwanted} long ${side.counts.long}`
  throw new Error(
    `tiers differ for ${Buffer.from(bytes).toString('latin1').slice(0, 2000)}\nscanned: ${shown(scanning)}\nparsed:  ${shown(parsing)}`,
  )
}

const equal = (some: readonly unknown[], other: readonly unknown[]): boolean => {
  if (some.length !== other.length) return false
  for (let i = 0; i < some.length; i++) if (!Object.is(some[i], other[i])) return false
  return true
}

interface Any extends Event<'any'> {
  readonly instrument: string
  readonly [column: string]: unknown
}

const kinds = { choice, count, flag, float, floats, int, micros, name, text } as const

const columnOf = (kind: string): AnySchema['columns'][number] => {
  const [plain = '', ...values] = kind.replace('?', '').split(' ')
  const made = plain === 'choice' ? choice('x', ...values) : kinds[plain as Exclude<keyof typeof kinds, 'choice'>]('x')
  return { ...(kind.startsWith('?') ? optional(made as never) : made), name: '' } as AnySchema['columns'][number]
}

/** A schema "any" of columns by name and kind: `{ price: 'float', side: '?choice buy sell' }`. */
export const anySchema = (columns: Readonly<Record<string, string>>): AnySchema =>
  schema<Any>('any', 'any columns', {
    instrument: name('instrument'),
    ...Object.fromEntries(Object.entries(columns).map(([column, kind]) => [column, columnOf(kind)])),
  } as never)
