import { schemaId } from '../../graph/schema.ts'
import type { AnySchema, Column } from '../../graph/schema.ts'

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }

/**
 * The JSON Schema of an event as a `json` topic holds it, in the draft that all registries know (07). What
 * came with a later version need not be there, as records of older ones lack it.
 */
export const jsonSchema = (schema: AnySchema): Json => ({
  $schema: 'http://json-schema.org/draft-07/schema#',
  $id: `kt:${schemaId(schema)}`,
  title: schema.name,
  description: schema.about,
  type: 'object',
  properties: Object.fromEntries(
    schema.columns.map((column) => [column.name, { ...typeOf(column), description: column.about }]),
  ),
  required: schema.columns.filter(({ since = 1 }) => since === 1).map((column) => column.name),
  additionalProperties: false,
})

const typeOf = (column: Column): { readonly [name: string]: Json } => {
  const or = (type: string): Json => (column.nullable ? [type, 'null'] : type)
  switch (column.kind) {
    case 'text':
    case 'name':
      return { type: or('string') }
    case 'float':
      return { type: or('number') }
    case 'count':
      return { type: or('integer'), minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }
    case 'int':
      return { type: or('integer'), minimum: -(2 ** 31), maximum: 2 ** 31 - 1 }
    case 'micros':
      return { type: or('integer'), 'x-unit': 'microseconds since 1970 UTC' }
    case 'flag':
      return { type: or('boolean') }
    case 'choice':
      return { enum: column.nullable ? [...column.values, null] : column.values }
    case 'floats':
      return { type: 'array', items: { type: 'number' } }
  }
}
