import { readBatch } from './batch.ts'
import { HostError } from './error.ts'
import type { LogRecord } from './port.ts'
import { logged, schemaId } from './schema.ts'
import type { AnySchema } from './schema.ts'
import { schemaAt } from './schema-versions.ts'
import { widenBatch } from './widen.ts'

/**
 * A record as the present version of its event would have been written: what an older one lacks is missing,
 * and what it held in a narrower column is in the wider one. A record of the present version is handed back
 * as it is. Throws KT6001 for a version that is newer than ours, and for another event.
 */
export const present = <R extends LogRecord>(schema: AnySchema, record: R): R => {
  if (record.schema === schemaId(schema)) return record
  const [, name, version] = /^(.+)\/(\d+)$/.exec(record.schema) ?? []
  const old = name === schema.name ? schemaAt(schema, Number(version)) : undefined
  if (old === undefined) throw unknown(schema, record)
  const bytes = widenBatch(logged(schema), readBatch(logged(old), record.bytes))
  return { ...record, schema: schemaId(schema), bytes }
}

const unknown = (schema: AnySchema, record: LogRecord): HostError =>
  new HostError(
    'KT6001',
    `a record of "${record.topic}" is "${record.schema}", and its graph has "${schemaId(schema)}"`,
    {
      where: `${record.topic}/${record.partition}`,
      why: 'It was written by a newer graph, or by one with another event.',
      fix: 'Run the graph that wrote it, or give the topic of this one another name.',
      retry: 'never',
    },
  )
