import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { topic } from '../../graph/topic.ts'
import { byPair, trade } from '../../market/index.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { formatted } from '../../runtime/format/formatted-log.ts'
import { MemoryLog, MemoryStore } from '../../runtime/memory-log.ts'
import type { Home } from './log-home.ts'
import { logConformance } from './log.conformance.ts'

const memoryHome = async (): Promise<Home> => {
  const store = new MemoryStore()
  const opened: MemoryLog[] = []
  return {
    open: async () => {
      const log = new MemoryLog(systemClock(), { store })
      opened.push(log)
      return log
    },
    crash: async (log) => opened.find((one) => one === log)?.crash(),
    remove: async () => undefined,
  }
}

/**
 * Small segments, so that every test sees many. A crash of the process is in segment-log.test.ts; here it
 * only lets go.
 */
const segmentHome = async (segmentBytes: number, within = tmpdir()): Promise<Home> => {
  const folder = await mkdtemp(join(within, 'kt-log-'))
  return {
    open: () => segmentLog(folder, { segmentBytes }),
    crash: (log) => log.close(),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** The same with formats above it: what is no event of a topic passes as it is. */
const formattedHome = async (): Promise<Home> => {
  const folder = await mkdtemp(join(tmpdir(), 'kt-log-'))
  const topics = [topic('other', { schema: trade, key: byPair, format: 'json' })]
  return {
    open: async () => {
      const log = await segmentLog(folder, { segmentBytes: 500_000 })
      const above = formatted(log, { topics, registry: undefined, prefix: '' })
      return { ...above, hold: (...held) => log.hold(...held), retain: (limits) => log.retain(limits) }
    },
    crash: (log) => log.close(),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

logConformance('memory log', memoryHome)
logConformance('log with formats', formattedHome)
logConformance('segment log, small segments', () => segmentHome(500_000))
// Hundreds of segments are hundreds of synced folders: in memory where there is such a place.
const quick = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
logConformance('segment log, a segment every group', () => segmentHome(1, quick))
