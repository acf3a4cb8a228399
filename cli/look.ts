import type { Plan } from '../graph/plan.ts'
import { findTopics } from '../runtime/driver/kafka-settings.ts'
import type { Unreadable } from '../runtime/format/sound.ts'
import { accessOf } from './kafka.ts'
import { openLog } from './log.ts'
import type { RunLog } from './log.ts'
import { doing } from './outcome.ts'
import { loadRun } from './settings.ts'

const PATIENCE_MS = 1000

/**
 * `openLog` for a command that somebody waits for. A run must outlast brokers that are away, so its client
 * asks them for half a minute; here they answer at once, or are said not to (KT3031, KT3032).
 */
export const lookAtLog = async (root: string, graph?: Plan, unreadable?: Unreadable): Promise<RunLog> => {
  const kafka = loadRun(root)?.kafka
  if (kafka !== undefined) {
    const slow = setTimeout(() => doing(`waiting for Kafka at ${kafka.brokers}`), PATIENCE_MS)
    try {
      await findTopics(accessOf(kafka), [])
    } finally {
      clearTimeout(slow)
      doing('')
    }
  }
  return openLog(root, graph, unreadable)
}
