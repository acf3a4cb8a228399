import { KtError } from '../../graph/error.ts'
import { logged } from '../../graph/schema.ts'
import type { AnyTopic } from '../../graph/topic.ts'
import { avroSchema } from './avro-schema.ts'
import { jsonSchema } from './json-schema.ts'

/** A schema as a registry holds it. */
export interface RegisteredSchema {
  readonly type: 'AVRO' | 'JSON'
  readonly text: string
}

/** What a registry would do with a schema. */
export type Standing =
  | { readonly is: 'registered'; readonly id: number }
  | { readonly is: 'new' }
  | { readonly is: 'incompatible'; readonly why: string }

/**
 * Where writers leave their schemas, and readers find them by the ids that stand before events. Rejects with
 * KT3040 (no answer, or an error) and KT3041 (not let in).
 */
export interface Registry {
  /** The id of a schema of a subject, which is registered when it is not. Rejects with KT1029. */
  readonly register: (subject: string, schema: RegisteredSchema) => Promise<number>
  /** Registers nothing. */
  readonly standing: (subject: string, schema: RegisteredSchema) => Promise<Standing>
  /** The schema of an id. Rejects with KT3042 where there is none. */
  readonly find: (id: number) => Promise<RegisteredSchema>
}

/** What a topic's records are written by; undefined: the topic is of batches, which no registry knows. */
export const registeredOf = ({ schema, format }: AnyTopic): RegisteredSchema | undefined => {
  if (format === 'arrow') return undefined
  const columns = logged(schema)
  return format === 'avro'
    ? { type: 'AVRO', text: JSON.stringify(avroSchema(columns)) }
    : { type: 'JSON', text: JSON.stringify(jsonSchema(columns)) }
}

/** The name by which a registry knows what is in a topic. `prefix` stands before the names of all topics. */
export const subjectOf = (prefix: string, topic: string): string => `${prefix}${topic}-value`

/** KT6432: nobody gives out ids. */
export const unnamed = (topic: string): KtError =>
  new KtError('KT6432', `topic "${topic}" is avro, and no schema registry is named`, {
    why: 'An event of Avro is read by its schema, and has only the id of it.',
    fix: 'Set KT_SCHEMA_REGISTRY_URL, or give the topic the format json.',
  })
