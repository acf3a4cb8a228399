import { GraphError } from './error.ts'
import type { AnyKey, Key } from './key.ts'
import type { AnySchema, Schema } from './schema.ts'

/**
 * A partitioned, ordered, replayable log of one schema by one key. Only a topic moves events between shards,
 * so only
 * `through(topic)` changes the key of a stream.
 */
export interface Topic<E, K extends string> {
  readonly name: string
  readonly schema: Schema<E>
  readonly key: Key<E, K, string>
  readonly partitions: number
  /** How long a row may wait for company before its batch is written. */
  readonly lingerMs: number
}

/** A topic whose event type does not matter here. */
export interface AnyTopic {
  readonly name: string
  readonly schema: AnySchema
  readonly key: AnyKey
  readonly partitions: number
  readonly lingerMs: number
}

export interface TopicOptions<E, K extends string, Up extends string> {
  readonly schema: Schema<E>
  readonly key: Key<NoInfer<E>, K, Up>
  readonly partitions?: number
  readonly lingerMs?: number
}

const TOPIC_NAME = /^[a-z][a-zA-Z0-9._-]{0,199}$/

export const topic = <E, K extends string, Up extends string>(
  name: string,
  options: TopicOptions<E, K, Up>,
): Topic<E, K> => {
  const { schema, key, partitions = 1, lingerMs = 5 } = options
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
  return Object.freeze({ name, schema, key, partitions, lingerMs })
}

/** The partition of a key's value: FNV-1a over its UTF-16 units, the same on every machine. */
export const partitionOf = (value: string, partitions: number): number => {
  if (partitions === 1) return 0
  let hash = 0x811c9dc5
  for (let i = 0; i < value.length; i++) hash = Math.imul(hash ^ value.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % partitions
}
