import { GraphError } from './error.ts'
import { holdsAll, schemaAt } from './schema-versions.ts'
import { schemaId } from './schema.ts'
import type { AnySchema, Field } from './schema.ts'

/** A schema as a plan keeps it, to be compared with that of a later graph. */
export interface DescribedSchema {
  readonly name: string
  readonly version: number
  readonly columns: readonly DescribedColumn[]
}

type DescribedColumn = Pick<Field<unknown>, 'kind' | 'nullable' | 'values'> & { readonly name: string }

export const describeSchema = ({ name, version, columns }: AnySchema): DescribedSchema => ({
  name,
  version,
  columns: columns.map(({ name: column, kind, nullable, values }) => ({
    name: column,
    kind,
    nullable,
    values,
  })),
})

/** What becomes of one column when a topic goes from one version of its event to another. */
export interface Evolved {
  readonly column: string
  readonly what: 'added' | 'widened'
  /** `int -> float`; of a column that is added what it is. */
  readonly how: string
}

/**
 * What a topic's event has gained since a run: nothing when it is the same version. Rows of both versions
 * are read beside each other. Throws KT1025 when the schema of now does not hold all that the run wrote, or
 * does not say so: what is in the log and in the tables could not be read by it.
 */
export const evolution = (topic: string, before: DescribedSchema, now: AnySchema): readonly Evolved[] => {
  const refuse = (why: string, fix: string): GraphError =>
    new GraphError('KT1025', `topic "${topic}" holds rows that "${schemaId(now)}" cannot read`, {
      why,
      fix: `${fix} Or give the event a topic and a table of its own, filled by kt replay --from-topic.`,
    })
  if (before.name !== now.name)
    throw refuse(`They are of the event "${before.name}".`, `Write "${before.name}" to it.`)
  const old = schemaAt(now, before.version)
  if (old === undefined)
    throw refuse(`They are of version ${before.version}.`, 'Run the graph that wrote them.')
  for (const column of before.columns) {
    const same = now.columns.find(({ name }) => name === column.name)
    if (same === undefined)
      throw refuse(
        `Column "${column.name}" is gone.`,
        'Leave it, optional(), and stop filling it: a renamed column is a new one beside it.',
      )
    if (!holdsAll(same, column))
      throw refuse(
        `Column "${column.name}" was ${text(column)}, and is ${text(same)}.`,
        'A column may hold more (int -> count -> float, name -> text, more choices, optional), not less.',
      )
  }
  const told = describeSchema(old).columns
  const wrong = told.find((column, at) => !equal(column, before.columns[at]))
  if (wrong !== undefined || told.length !== before.columns.length)
    throw refuse(untold(before, old, wrong), TELL)
  return now.columns.flatMap((column): readonly Evolved[] => {
    if ((column.since ?? 1) > before.version)
      return [{ column: column.name, what: 'added', how: text(column) }]
    const was = before.columns.find(({ name }) => name === column.name)!
    if (equal(column, was)) return []
    return [{ column: column.name, what: 'widened', how: `${text(was)} -> ${text(column)}` }]
  })
}

const TELL = 'Raise the version of the schema, and mark the column with since() or widened().'

const untold = (before: DescribedSchema, old: AnySchema, wrong: DescribedColumn | undefined): string => {
  const version = `version ${before.version}`
  const was = wrong && before.columns.find(({ name }) => name === wrong.name)
  if (wrong === undefined) return `${version} had other columns than "${schemaId(old)}" says.`
  if (was === undefined)
    return `Column "${wrong.name}" was not there in ${version}, and does not say since when it is.`
  if (!equal(was, wrong)) return `Column "${wrong.name}" was ${text(was)} in ${version}, and does not say so.`
  return `Column "${wrong.name}" stood elsewhere in ${version}.`
}

const equal = (one: DescribedColumn, other: DescribedColumn | undefined): boolean =>
  other !== undefined && one.name === other.name && text(one) === text(other)

const text = ({ kind, nullable, values }: Omit<DescribedColumn, 'name'>): string => {
  const of = values.length === 0 ? '' : ` of ${values.join(', ')}`
  return `${nullable ? 'optional ' : ''}${kind}${of}`
}
