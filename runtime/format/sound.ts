import { Columns } from '../../graph/columns.ts'
import { HostError, KtError } from '../../graph/error.ts'
import type { Placed } from '../../graph/port.ts'
import { logged, schemaId } from '../../graph/schema.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { schemaAt } from '../../graph/schema-versions.ts'
import { isBatch } from '../../graph/sound.ts'
import type { AnyTopic } from '../../graph/topic.ts'
import { DAMAGED } from '../log.ts'
import { placeOf, unread } from './unread.ts'

/** Keeps the records of which nobody can make rows. */
export interface Unreadable {
  /** Such a record, as it lies in the log, and why (KT3001). */
  readonly found: (record: Placed, error: KtError) => void
  /** Resolves when all of them are kept. What lies behind them is not handed out before. */
  readonly kept: () => Promise<void>
}

/**
 * Hand a record on as `decode` makes it, or a batch without rows in its place when it cannot be read: so who
 * reads comes past it, and counts none of its rows. Without `unreadable` such a record is an error (KT3001).
 * A record of another event, or of a newer version of its own, is no such one: who reads it refuses it
 * (KT6001).
 */
export const soundly = (
  topics: readonly AnyTopic[],
  unreadable: Unreadable | undefined,
): (<R extends Placed>(record: R, decode: (record: R) => R) => R) => {
  const schemas = new Map(topics.map(({ name, schema }) => [name, schema]))
  return (record, decode) => {
    const schema = schemas.get(record.topic)
    try {
      if (record.schema === DAMAGED) throw spoilt(schema?.name ?? record.topic, record)
      const decoded = decode(record)
      // Who takes an error for the end reads the bytes anyway.
      if (unreadable !== undefined && schema !== undefined) check(schema, decoded)
      return decoded
    } catch (error) {
      if (unreadable === undefined || schema === undefined || !isUnread(error)) throw error
      unreadable.found(record, error)
      return { ...record, schema: schemaId(schema), ...nothingOf(schema) }
    }
  }
}

const spoilt = (schema: string, record: Placed): HostError =>
  unread(
    schema,
    'Its bytes do not have the checksum that they were written with.',
    placeOf(record),
    'Restore the file of the log, or have another replica lead. Without one a shard needs another --data.',
  )

const isUnread = (error: unknown): error is HostError => error instanceof HostError && error.code === 'KT3001'

const nothings = new WeakMap<AnySchema, ReturnType<Columns['take']>>()

/** A batch without rows. */
const nothingOf = (schema: AnySchema): ReturnType<Columns['take']> => {
  const known = nothings.get(schema) ?? new Columns(logged(schema)).take()
  nothings.set(schema, known)
  return known
}

/** KT3001 where a record is no batch of the version that it names. */
const check = (schema: AnySchema, record: Placed): void => {
  const as = versionOf(schema, record.schema)
  if (as === undefined || isBatch(logged(as), record.bytes, record.rows)) return
  throw unread(as.name, 'Its bytes contradict its number of rows, or the sizes in its head.', placeOf(record))
}

/** Undefined: another event, or a version that is newer than ours. */
const versionOf = (schema: AnySchema, id: string): AnySchema | undefined => {
  if (id === schemaId(schema)) return schema
  const [, name, version] = /^(.+)\/(\d+)$/.exec(id) ?? []
  return name === schema.name ? schemaAt(schema, Number(version)) : undefined
}
