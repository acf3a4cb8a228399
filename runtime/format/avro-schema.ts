import { schemaId } from '../../graph/schema.ts'
import type { AnySchema, Column } from '../../graph/schema.ts'

/** A type of Avro as its JSON form has it. */
export type AvroType = string | { readonly [name: string]: unknown } | readonly AvroType[]

/** A record of Avro, whose fields are the columns of a schema. */
export interface AvroRecord {
  readonly type: 'record'
  readonly name: string
  readonly namespace: string
  readonly doc: string
  readonly fields: readonly {
    readonly name: string
    readonly type: AvroType
    readonly doc: string
    readonly default?: null
  }[]
}

/**
 * The Avro schema of an event as an `avro` topic holds it. A choice is a string: its values need not be names
 * of Avro, and what kt calls wider is then wider by Avro's own rules of resolution, too.
 *
 * @see https://avro.apache.org/docs/1.12.0/specification/
 */
export const avroSchema = (schema: AnySchema): AvroRecord => ({
  type: 'record',
  name: schema.name,
  namespace: 'kt',
  doc: `${schemaId(schema)}: ${schema.about}`,
  fields: schema.columns.map((column) => ({
    name: column.name,
    type: column.nullable ? ['null', typeOf(column)] : typeOf(column),
    doc: docOf(column),
    ...(column.nullable ? { default: null } : {}),
  })),
})

const docOf = ({ about, values }: Column): string =>
  values.length === 0 ? about : `${about}: ${values.join(', ')}`

const typeOf = ({ kind }: Column): AvroType => {
  switch (kind) {
    case 'text':
    case 'name':
    case 'choice':
      return 'string'
    case 'float':
      return 'double'
    case 'count':
      return 'long'
    case 'int':
      return 'int'
    case 'micros':
      return { type: 'long', logicalType: 'timestamp-micros' }
    case 'flag':
      return 'boolean'
    case 'floats':
      return { type: 'array', items: 'double' }
  }
}
