import { GraphError } from './error.ts'
import type { AnyKey, Key } from './key.ts'
import type { AnySchema, Schema } from './schema.ts'

/**
 * How a topic's records are written. `arrow`: a batch of columns a record, which only kt reads, and the
 * quickest. `json` and `avro`: an event a record, for other programs; docs/formats.md has both.
 */
export type Format = (typeof FORMATS)[number]

const FORMATS = ['arrow', 'json', 'avro'] as const

/**
 * A partitioned, ordered, replayable log of one schema by one key. Only a topic moves events between shards,
 * so only `through(topic)` changes the key of a stream.
 */
export interface Topic<E, K extends string> {
  readonly name: string
  readonly schema: Schema<E>
  readonly key: Key<E, K, string>
  readonly partitions: number
  /** How long a row may wait for company before its batch is written. */
  readonly lingerMs: number
  readonly format: Format
}

/** A topic whose event type does not matter here. */
export interface AnyTopic {
  readonly name: string
  readonly schema: AnySchema
  readonly key: AnyKey
  readonly partitions: number
  readonly lingerMs: number
  readonly format: Format
}

export interface TopicOptions<E, K extends string, Up extends string> {
  readonly schema: Schema<E>
  readonly key: Key<NoInfer<E>, K, Up>
  readonly partitions?: number
  readonly lingerMs?: number
  /** `json` or `avro`, so that other programs read its events. Default: `arrow`. */
  readonly format?: Format
}

const TOPIC_NAME = /^[a-z][a-zA-Z0-9._-]{0,199}$/

export const topic = <E, K extends string, Up extends string>(
  name: string,
  options: TopicOptions<E, K, Up>,
): Topic<E, K> => {
  const { schema, key, partitions = 1, lingerMs = 5, format = 'arrow' } = options
  if (!TOPIC_NAME.test(name) || name.startsWith('kt.')) {
    throw new GraphError('KT1002', `"${name}" cannot name a topic`, {
      fix: 'Use a small letter, then letters, digits, dots, dashes; "kt." begins the names of kt itself.',
    })
  }
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > 10_000) {
    throw new GraphError('KT1003', `topic "${name}" has ${partitions} partitions`, {
      fix: 'Use a whole number from 1 to 10000.',
    })
  }
  if (!(lingerMs >= 0 && lingerMs <= 60_000)) {
    throw new GraphError('KT1004', `topic "${name}" lingers ${lingerMs} ms`, { fix: 'Use 0 to 60000.' })
  }
  if (!FORMATS.includes(format)) {
    throw new GraphError('KT1027', `topic "${name}" has the format "${String(format)}"`, {
      fix: `Use ${FORMATS.join(', ')}.`,
    })
  }
  if (format === 'avro') checkAvroNames(schema)
  return Object.freeze({ name, schema, key, partitions, lingerMs, format })
}

const AVRO_NAME = /^[A-Za-z_]\w*$/

const checkAvroNames = ({ name, columns }: AnySchema): void => {
  const wrong = [name, ...columns.map((column) => column.name)].find((one) => !AVRO_NAME.test(one))
  if (wrong === undefined) return
  throw new GraphError('KT1028', `"${wrong}" of the event "${name}" cannot be a name in Avro`, {
    fix: 'Use letters, digits and underscores, or the format json.',
  })
}

/** The partition of a key's value: FNV-1a over its UTF-16 units, the same on every machine. */
export const partitionOf = (value: string, partitions: number): number => {
  if (partitions === 1) return 0
  let hash = 0x811c9dc5
  for (let i = 0; i < value.length; i++) hash = Math.imul(hash ^ value.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % partitions
}
