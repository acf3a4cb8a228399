import { key } from '../graph/key.ts'
import type { AnyTopic } from '../graph/topic.ts'
import { control, gap, instrument, latency } from './system.ts'

const whole = key('shard', () => '')

/**
 * kt's own topics, which every graph has: sessions and ticks, the gap ledger, listings, and how long each
 * hop took.
 */
export const systemTopics: readonly AnyTopic[] = Object.freeze(
  [control, gap, instrument, latency].map((schema) =>
    Object.freeze({
      name: `kt.${schema.name}`,
      schema,
      key: whole,
      partitions: 1,
      lingerMs: 5,
      format: 'arrow' as const,
    }),
  ),
)
