import { GraphError } from '../../graph/error.ts'
import { snake } from '../../graph/schema.ts'
import type { AnySchema, Column } from '../../graph/schema.ts'
import { stored } from '../arrow.ts'

/**
 * The column that files are parted by: the UTC date of `received`, or of `time` where an event has no
 * `received`.
 */
export const DATE = 'dt'

/** The column whose date decides, if the event has one; else the time of the step stands for all its rows. */
export const timeColumn = (schema: AnySchema): string | undefined =>
  ['received', 'time'].find((name) =>
    schema.columns.some((column) => column.name === name && column.kind === 'micros' && !column.nullable),
  )

/** The table of an event, a folder of the lake: `fundingInterval` is `funding_interval`. */
export const tableName = (schema: AnySchema): string => snake(schema.name)

type DeltaType =
  string | { readonly type: 'array'; readonly elementType: string; readonly containsNull: boolean }

interface DeltaField {
  readonly name: string
  readonly type: DeltaType
  readonly nullable: boolean
  readonly metadata: Readonly<Record<string, string>>
}

const deltaType = (column: Column): DeltaType => {
  switch (column.kind) {
    case 'text':
    case 'name':
    case 'choice':
      return 'string'
    case 'float':
      return 'double'
    case 'count':
      return 'long'
    case 'int':
      return 'integer'
    case 'micros':
      return 'timestamp'
    case 'flag':
      return 'boolean'
    case 'floats':
      return { type: 'array', elementType: 'double', containsNull: false }
  }
}

/** Our part of a Delta table's schema: a field a column, those that kt adds, and the date. */
const deltaFields = (schema: AnySchema): readonly DeltaField[] => [
  ...stored(schema).columns.map((column) => ({
    name: snake(column.name),
    type: deltaType(column),
    nullable: column.nullable,
    metadata: { comment: column.about },
  })),
  { name: DATE, type: 'date', nullable: false, metadata: { comment: 'UTC date by which files are parted' } },
]

/** The schema of a table, as Delta's `schemaString` has it. */
export const deltaSchema = (schema: AnySchema): string =>
  JSON.stringify({ type: 'struct', fields: deltaFields(schema) })

/**
 * The schema of a table that exists, with our new columns behind its own, and those that we have widened; the
 * same text when we bring nothing. What a table knows beyond us, from a newer kt, stays. Throws KT3403 when a
 * column changed its type otherwise, or a new one may not be missing in the files that exist.
 */
export const evolved = (schema: AnySchema, current: string): string => {
  const parsed = JSON.parse(current) as { readonly fields: readonly DeltaField[] }
  const ours = new Map(deltaFields(schema).map((field) => [field.name, field]))
  const kept = parsed.fields.map((old) => {
    const field = ours.get(old.name)
    ours.delete(old.name)
    if (field === undefined) return old
    const type = wider(old.type, field.type)
    if (type === undefined) throw changed(schema, field.name, 'has another type than the files that exist')
    const nullable = old.nullable || field.nullable
    return type === old.type && nullable === old.nullable ? old : { ...old, type, nullable }
  })
  const added = [...ours.values()]
  const solid = added.find((field) => !field.nullable)
  if (solid !== undefined) throw changed(schema, solid.name, 'is new, and older files have no value for it')
  const same = added.length === 0 && kept.every((field, at) => field === parsed.fields[at])
  return same ? current : JSON.stringify({ ...parsed, fields: [...kept, ...added] })
}

/** Does a schema of a table hold more in some column than another? Then files of that are narrower. */
export const widens = (after: string, before: string): boolean => {
  const types = new Map(fieldsOf(before).map(({ name, type }) => [name, JSON.stringify(type)]))
  return fieldsOf(after).some(({ name, type }) => types.has(name) && types.get(name) !== JSON.stringify(type))
}

const fieldsOf = (schemaString: string): readonly DeltaField[] =>
  (JSON.parse(schemaString) as { readonly fields: readonly DeltaField[] }).fields

/** Numbers, each of which holds all that stand before it. */
const NUMBERS: readonly DeltaType[] = ['integer', 'long', 'double']

/** Of two types the one that holds what both hold: readers take narrower files for it. */
const wider = (one: DeltaType, other: DeltaType): DeltaType | undefined => {
  if (JSON.stringify(one) === JSON.stringify(other)) return one
  const [a, b] = [NUMBERS.indexOf(one), NUMBERS.indexOf(other)]
  return a < 0 || b < 0 ? undefined : NUMBERS[Math.max(a, b)]
}

const changed = (schema: AnySchema, column: string, why: string): GraphError =>
  new GraphError('KT3403', `column "${column}" does not fit the lake's table "${tableName(schema)}"`, {
    why: `it ${why}`,
    fix: 'Make a new column optional(), give a changed one another name, or write to a new lake.',
  })

/**
 * How a Parquet column is packed. `delta`: differences of neighbours; `prefix`: what texts share;
 * `dictionary`: values that repeat.
 */
export type Packing = 'delta' | 'prefix' | 'dictionary' | 'plain'

/**
 * How a column of a file is packed. Times, ids and offsets grow, so their differences are small; names and
 * choices repeat, and prices do; what never repeats (ids as text) shares its beginning.
 */
export const packing = ({ name, kind }: Column): Packing => {
  if (name === '_row' || name === '_order') return 'delta'
  switch (kind) {
    case 'count':
    case 'micros':
      return 'delta'
    case 'text':
      return 'prefix'
    case 'flag':
      return 'plain'
    default:
      return 'dictionary'
  }
}

/**
 * An id for a table that is the same wherever the same graph writes it: 128 bits of FNV-1a of both names, as
 * a UUID of the kind that is its maker's own.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8
 */
export const tableId = (graph: string, table: string): string => {
  let hash = 0x6c62272e07bb014262b821756295c58dn
  for (const byte of new TextEncoder().encode(`${graph}/${table}`))
    hash = BigInt.asUintN(128, (hash ^ BigInt(byte)) * 0x1000000000000000000013bn)
  const hex = hash.toString(16).padStart(32, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}
