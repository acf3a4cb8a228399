import { GraphError } from './error.ts'
import type { AnySchema, Column, Field, Kind } from './schema.ts'

/** How a column was stored before some version of its schema. */
export interface Former extends Pick<Field<unknown>, 'kind' | 'nullable' | 'values'> {
  /** The version that changed it. */
  readonly until: number
}

/** A column that its schema has had since a version: rows of older ones lack it, so it is `optional()`. */
export const since = <T>(version: number, of: Field<T>): Field<T> => Object.freeze({ ...of, since: version })

/**
 * A column that could hold less before a version: `widened(2, int('trades'), float('trades'))`. Values keep
 * their meaning: an `int` becomes a `count` or a `float`, a `count` a `float`, a `name` a `text`, a `choice`
 * one with more values behind its own, or a name or text; and any may become optional.
 */
export const widened = <T>(
  version: number,
  before: Pick<Field<unknown>, 'kind' | 'nullable' | 'values'> & { readonly was?: readonly Former[] },
  of: Field<T>,
): Field<T> => {
  const { kind, nullable, values, was = [] } = before
  return Object.freeze({ ...of, was: Object.freeze([...was, { until: version, kind, nullable, values }]) })
}

const WIDER: Readonly<Record<Kind, readonly Kind[]>> = {
  int: ['int', 'count', 'float'],
  count: ['count', 'float'],
  choice: ['choice', 'name', 'text'],
  name: ['name', 'text'],
  text: ['text'],
  float: ['float'],
  micros: ['micros'],
  flag: ['flag'],
  floats: ['floats'],
}

type Shape = Pick<Field<unknown>, 'kind' | 'nullable' | 'values'>

/** Does everything that the one holds fit into the other, and mean there what it meant? */
export const holdsAll = (wide: Shape, narrow: Shape): boolean =>
  WIDER[narrow.kind].includes(wide.kind) &&
  (wide.nullable || !narrow.nullable) &&
  (wide.kind !== 'choice' || narrow.values.every((value, code) => wide.values[code] === value))

/** Throws KT1024 when a schema does not say what became of it from each version to the next. */
export const checkVersions = ({ name, version, columns }: AnySchema): void => {
  const told = new Set<number>()
  for (const column of columns) {
    const first = column.since ?? 1
    if (first > 1) told.add(first)
    if (first > 1 && !column.nullable)
      throw wrong(name, `column "${column.name}" is new in version ${first}`, LACK)
    let before: Shape | undefined
    for (const former of column.was ?? []) {
      told.add(former.until)
      if (former.until <= first || (before !== undefined && !holdsAll(former, before)))
        throw wrong(name, `what column "${column.name}" was is not in order`, ORDERED)
      before = former
    }
    if (before !== undefined && !holdsAll(column, before))
      throw wrong(
        name,
        `column "${column.name}" was ${before.kind}, and ${column.kind} does not hold all of that`,
        WAYS,
      )
  }
  const top = Math.max(1, ...told)
  if (top > version)
    throw wrong(name, `a column of it says version ${top}, and it is version ${version}`, RAISE)
  for (let one = 2; one <= version; one++)
    if (!told.has(one)) throw wrong(name, `no column says what version ${one} changed`, TELL)
}

const LACK = 'Make it optional(): rows of older versions have no value for it.'
const ORDERED = 'Write the oldest first: widened(3, widened(2, int(...), count(...)), float(...)).'
const WAYS =
  'An int becomes a count or float, a count a float, a name a text, a choice gains values at its end.'
const RAISE = 'Raise the version of the schema to that.'
const TELL = 'Mark the column with since() or widened(), or leave the version as it was.'

const wrong = (name: string, why: string, fix: string): GraphError =>
  new GraphError('KT1024', `the versions of schema "${name}" do not follow from each other`, { why, fix })

const known = new WeakMap<AnySchema, (AnySchema | undefined)[]>()

/** A schema as it was in a version; undefined: it is newer than ours. */
export const schemaAt = (schema: AnySchema, version: number): AnySchema | undefined => {
  if (version === schema.version) return schema
  if (!(version >= 1 && version < schema.version)) return undefined
  const all = known.get(schema) ?? []
  known.set(schema, all)
  return (all[version] ??= Object.freeze({
    name: schema.name,
    version,
    about: schema.about,
    columns: Object.freeze(
      schema.columns
        .filter(({ since: first = 1 }) => first <= version)
        .map((column) => columnAt(column, version)),
    ),
  }))
}

const columnAt = (column: Column, version: number): Column => {
  const former = column.was?.find(({ until }) => until > version)
  if (former === undefined) return column
  const { kind, nullable, values } = former
  return Object.freeze({ ...column, kind, nullable, values })
}
