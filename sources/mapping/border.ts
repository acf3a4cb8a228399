import { VenueError } from '../../graph/error.ts'
import type { Code } from '../../graph/error.ts'
import type { AnySchema, Column } from '../../graph/schema.ts'

/** A row as a mapping makes it. */
export type Raw = Readonly<Record<string, unknown>>

/** What the reader fills in. */
export interface Fill {
  readonly venue: string
  readonly instrument: string
  readonly received: number
}

export type Border = (raw: Raw, fill: Fill) => object

/**
 * Where a mapping's values become a row of a schema, in the order of its columns. A list may be missing or
 * single, a nullable column may be missing; anything else that does not fit is the venue's breach, and names
 * the field.
 */
export const border = (schema: AnySchema): Border => {
  const columns = schema.columns.map((column) => [column.name, taken(schema, column)] as const)
  const pairs = schema.columns
    .map(({ name }) => [name, name.replace(/Prices$/, 'Sizes')] as const)
    .filter(([prices, sizes]) => prices !== sizes && schema.columns.some((column) => column.name === sizes))
  return (raw, fill) => {
    const row: Record<string, unknown> = {}
    for (const [name, take] of columns) row[name] = take(raw[name], fill)
    for (const [prices, sizes] of pairs) level(schema, row, prices, sizes)
    return row
  }
}

type Take = (value: unknown, fill: Fill) => unknown

const taken = (schema: AnySchema, column: Column): Take => {
  const { name, nullable } = column
  if (name === 'venue' || name === 'instrument' || name === 'received') return (_, fill) => fill[name]
  if (column.kind === 'floats') return (value) => floats(schema, column, value)
  const fits = FITS[column.kind]
  return (value) => {
    if (fits(value, column)) return value
    if (value !== undefined && value !== null) return breach(schema, column, value)
    return nullable ? null : breach(schema, column, value)
  }
}

type Fits = (value: unknown, column: Column) => boolean

const FITS: Readonly<Record<Exclude<Column['kind'], 'floats'>, Fits>> = {
  text: (value) => typeof value === 'string',
  name: (value) => typeof value === 'string',
  choice: (value, column) => column.values.includes(value as string),
  flag: (value) => typeof value === 'boolean',
  float: (value) => Number.isFinite(value),
  count: (value) => Number.isSafeInteger(value),
  micros: (value) => Number.isSafeInteger(value),
  int: (value) => Number.isInteger(value) && Math.abs(value as number) < 2 ** 31,
}

const floats = (schema: AnySchema, column: Column, value: unknown): readonly number[] => {
  if (value === undefined) return []
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  for (const one of list) if (!Number.isFinite(one)) breach(schema, column, one)
  // A copy, because the mapping's own lists carry its marks.
  return list.slice() as readonly number[]
}

const level = (
  schema: AnySchema,
  row: Readonly<Record<string, unknown>>,
  prices: string,
  sizes: string,
): void => {
  const [priced, sized] = [row[prices] as readonly number[], row[sizes] as readonly number[]]
  if (priced.length === sized.length) return
  const what = `"${schema.name}" has ${priced.length} ${prices} and ${sized.length} ${sizes}`
  throw new VenueError('KT2106', what, { fix: FIX, facts: { field: prices } })
}

const FIX = 'Compare the message in the dead letters with the page of the venue, and mend the mapping.'

const breach = (schema: AnySchema, column: Column, value: unknown): never => {
  const field = `${schema.name}.${column.name}`
  const [code, what] = described(column, value)
  throw new VenueError(code, `"${field}" ${what}`, { fix: FIX, facts: { field, value: short(value) } })
}

const described = (column: Column, value: unknown): readonly [Code, string] => {
  if (value === undefined || value === null) return ['KT2103', 'is missing']
  if (column.kind === 'choice') {
    return ['KT2104', `is ${short(value)}, which is none of ${column.values.join(', ')}`]
  }
  if (typeof value !== 'number') return ['KT2104', `is ${short(value)}, which is not a ${column.kind}`]
  if (!Number.isFinite(value)) return ['KT2104', `is ${value}, which is not a finite number`]
  if (Number.isInteger(value)) return ['KT2105', `is ${value}, which is too large to be exact`]
  return ['KT2104', `is ${value}, which is not a whole number`]
}

const short = (value: unknown): string => {
  const text =
    typeof value === 'string'
      ? JSON.stringify(value)
      : Array.isArray(value)
        ? 'a list'
        : typeof value === 'object'
          ? 'an object'
          : String(value)
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`
}
