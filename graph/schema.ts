import { GraphError } from './error.ts'
import { checkVersions } from './schema-versions.ts'
import type { Former } from './schema-versions.ts'

declare const kind: unique symbol

/** What makes an event nominal: two events with the same fields but other names are not mixed up. */
export interface Event<N extends string> {
  readonly [kind]?: N
}

/** The name of an event, from its type. */
export type NameOf<E> = E extends Event<infer N> ? N : never

/** The named fields of an event, without the mark that makes it nominal. */
export type FieldsOf<E> = { readonly [N in keyof E & string]-?: Field<E[N]> }

/** A list of doubles, as an array or a typed one. It is a view: who keeps it copies it. */
export type Floats = ArrayLike<number> & Iterable<number>

/**
 * How one column is stored. `micros` is integer microseconds since 1970 UTC; `count` is an integer that a
 * double holds exactly (up to 2^53); `name` is a text of few different values; `floats` is a list of
 * doubles.
 */
export type Kind = 'text' | 'name' | 'float' | 'count' | 'int' | 'micros' | 'flag' | 'choice' | 'floats'

/**
 * One column. `type` exists only for the type checker, and is invariant so that a choice cannot lose a
 * member.
 */
export interface Field<T> {
  readonly kind: Kind
  readonly nullable: boolean
  /** What it means, with its unit; becomes the column's comment in every engine. */
  readonly about: string
  readonly values: readonly string[]
  /** The version of its schema that brought it; left out: the first. See `since`. */
  readonly since?: number
  /** How it was stored before some versions, oldest first. See `widened`. */
  readonly was?: readonly Former[]
  readonly type?: (value: T) => T
}

const field = <T>(kind: Kind, about: string, values: readonly string[] = []): Field<T> =>
  Object.freeze({ kind, about, values, nullable: false })

export const text = (about: string): Field<string> => field('text', about)
export const name = (about: string): Field<string> => field('name', about)
export const float = (about: string): Field<number> => field('float', about)
export const count = (about: string): Field<number> => field('count', about)
export const int = (about: string): Field<number> => field('int', about)
export const micros = (about: string): Field<number> => field('micros', about)
export const flag = (about: string): Field<boolean> => field('flag', about)
export const floats = (about: string): Field<Floats> => field('floats', about)
export const choice = <const V extends readonly string[]>(about: string, ...values: V): Field<V[number]> =>
  field('choice', about, Object.freeze(values))

/** The same column, where a value may be missing. A list is never missing: it is empty. */
export const optional = <T>(of: Field<T>): Field<T | null> =>
  Object.freeze({ ...of, nullable: true }) as Field<T | null>

/** A column with its name, in the order in which the schema lists them. */
export interface Column extends Field<unknown> {
  readonly name: string
}

/** A schema whose event type does not matter here. */
export interface AnySchema {
  readonly name: string
  /** Raised by one when a column is added or widened; its columns say what every earlier version had. */
  readonly version: number
  readonly about: string
  readonly columns: readonly Column[]
}

/**
 * An event's name and columns. The TypeScript type, Arrow, ClickHouse, Parquet and JSON layouts all follow
 * from it.
 */
export interface Schema<E> extends AnySchema {
  readonly type?: (event: E) => E
}

/**
 * Lay out the event `E`. The fields are checked against `E` both ways: none missing, none extra, none of
 * another type. From version 2 on, columns say what changed: `since`, `widened`.
 */
export const schema = <E extends Event<string>>(
  name: NameOf<E>,
  about: string,
  fields: FieldsOf<E>,
  version = 1,
): Schema<E> => {
  const columns = Object.entries(fields).map(([column, its]) =>
    Object.freeze({ ...(its as Field<unknown>), name: column }),
  )
  for (const column of columns) {
    if (column.kind !== 'floats' || !column.nullable) continue
    throw new GraphError('KT1001', `column "${column.name}" of "${name}" is a list that may be missing`, {
      fix: 'Leave it out of optional(): an empty list says the same.',
    })
  }
  const made = Object.freeze({ name, version, about, columns: Object.freeze(columns) })
  checkVersions(made)
  return made
}

const ORDER: Column = Object.freeze({
  name: '_order',
  kind: 'int',
  nullable: false,
  about: 'place in its step, over all topics of the shard',
  values: [],
})
const logs = new WeakMap<AnySchema, AnySchema>()

/** The columns of a schema as the log stores them: the event's own, and the row's place in its step. */
export const logged = (of: AnySchema): AnySchema => {
  const known = logs.get(of)
  if (known !== undefined) return known
  const made = Object.freeze({
    name: of.name,
    version: of.version,
    about: of.about,
    columns: Object.freeze([...of.columns, ORDER]),
  })
  logs.set(of, made)
  return made
}

/** `fundingInterval` is the table `funding_interval`; `bidPrices` is the column `bid_prices`. */
export const snake = (camel: string): string =>
  camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** What a record's header says about its schema: `trade/1`. */
export const schemaId = (of: AnySchema): string => `${of.name}/${of.version}`
