import { readBatch } from '../../graph/batch.ts'
import type { Buffers } from '../../graph/batch.ts'
import { Columns } from '../../graph/columns.ts'
import { HostError, KtError } from '../../graph/error.ts'
import type { Placed } from '../../graph/port.ts'
import { logged, schemaId } from '../../graph/schema.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { schemaAt } from '../../graph/schema-versions.ts'
import type { AnyTopic } from '../../graph/topic.ts'
import { DAMAGED } from '../log.ts'
import { placeOf, unread } from './unread.ts'

/** Hears of a record of which nobody can make rows, as it lies in the log, and why (KT3001). */
export type Unreadable = (record: Placed, error: KtError) => void

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
      if (record.schema === DAMAGED) throw unread(schema?.name ?? record.topic, SPOILT, placeOf(record))
      const decoded = decode(record)
      // Who takes an error for the end reads the bytes anyway.
      if (unreadable !== undefined && schema !== undefined) check(schema, decoded)
      return decoded
    } catch (error) {
      if (unreadable === undefined || schema === undefined || !isUnread(error)) throw error
      unreadable(record, error)
      return { ...record, schema: schemaId(schema), ...nothingOf(schema) }
    }
  }
}

const SPOILT = 'Its bytes do not have the checksum that they were written with.'

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
  const [, name, version] = /^(.+)\/(\d+)$/.exec(record.schema) ?? []
  const as = name === schema.name ? schemaAt(schema, Number(version)) : undefined
  if (as === undefined) return
  const { rows, columns } = readBatch(logged(as), record.bytes)
  const wrong = rows === record.rows ? columns.find((one) => !fits(one, rows))?.column.name : 'rows'
  if (wrong !== undefined)
    throw unread(as.name, `Its ${wrong} contradict the sizes in its head.`, placeOf(record))
}

/** Texts and lists lie one behind the other, and a choice is one of its values. */
const fits = ({ column, offsets, values, floats }: Buffers, rows: number): boolean => {
  if (column.kind === 'choice') {
    for (let row = 0; row < rows; row++) if (values[row]! >= column.values.length) return false
    return true
  }
  if (offsets.length === 0) return true
  if (offsets[0] !== 0) return false
  for (let row = 0; row < rows; row++) if (offsets[row + 1]! < offsets[row]!) return false
  return offsets[rows] === (column.kind === 'floats' ? floats.length : values.length)
}
