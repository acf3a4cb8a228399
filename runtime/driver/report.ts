import { pino } from 'pino'
import type { Logger } from 'pino'
import { KtError } from '../../graph/error.ts'
import type { Report } from '../report.ts'
import { meters } from './meters.ts'
import type { Meters } from './meters.ts'

export interface ReportOptions {
  /** The least that gets a line. */
  readonly level?: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** A file for the lines instead of stderr. */
  readonly file?: string
}

/** A report that counts for Prometheus and writes lines of JSON. */
export interface SystemReport {
  readonly report: Report
  /** The numbers, as Prometheus reads them (text exposition format 0.0.4). */
  readonly metrics: () => Promise<string>
  readonly contentType: string
  readonly close: () => Promise<void>
}

export const systemReport = (options: ReportOptions = {}): SystemReport => {
  const { level = 'info', file } = options
  // Lines are few, and the last one before a death is the one that is wanted: so they are not buffered.
  const destination = pino.destination({ dest: file ?? 2, sync: true, mkdir: file !== undefined })
  // A full disk costs lines of the log, never the process that writes them.
  destination.on('error', () => {})
  const log = pino(
    { level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    destination,
  )
  const counted = meters()
  const report = Object.freeze({ ...ofLog(log, counted), ...ofFlow(log, counted), ...ofShards(log, counted) })
  return Object.freeze({
    report,
    metrics: () => counted.registry.metrics(),
    contentType: counted.registry.contentType,
    close: async () => {
      if (file !== undefined) destination.end()
    },
  })
}

type LogReport = Pick<
  Report,
  'stepDurable' | 'logBacklog' | 'logRefused' | 'logRetained' | 'checkpoint' | 'checkpointRefused'
>

const ofLog = (log: Logger, counted: Meters): LogReport => ({
  stepDurable: ({ shard, rows, bytes, ms }) => {
    counted.stepSeconds.observe({ shard }, ms / 1000)
    counted.logRows.inc({ shard }, rows)
    counted.logBytes.inc({ shard }, bytes)
  },
  logBacklog: ({ shard, bytes, bytesMax }) => {
    counted.backlogBytes.set({ shard }, bytes)
    counted.backlogRatio.set({ shard }, bytes / bytesMax)
  },
  logRefused: ({ shard, error }) => {
    counted.logRefusals.inc({ shard, code: error.code })
    log.error({ shard, ...factsOf(error) }, 'log refused')
  },
  logRetained: ({ bytes, heldBy }) => {
    counted.retainedBytes.inc(bytes)
    counted.held.set(heldBy === undefined ? 0 : 1)
    if (heldBy !== undefined) log.warn({ heldBy }, 'log held by a reader')
  },
  checkpoint: ({ shard, step, bytes, ms }) => {
    counted.checkpointStep.set({ shard }, step)
    counted.checkpointSeconds.observe({ shard }, ms / 1000)
    log.debug({ shard, step, bytes, ms }, 'checkpoint')
  },
  checkpointRefused: ({ shard, error }) => {
    counted.checkpointRefusals.inc({ shard })
    log.error({ shard, ...factsOf(error) }, 'checkpoint refused')
  },
})

type FlowReport = Pick<
  Report,
  'frameDeadLettered' | 'framesDropped' | 'gapOpened' | 'gapHealed' | 'sinkCommitted' | 'sinkRefused'
>

const ofFlow = (log: Logger, counted: Meters): FlowReport => ({
  frameDeadLettered: ({ source, channel, symbol, code, error }) => {
    counted.deadLetters.inc({ source, channel, code })
    log.warn({ source, channel, symbol, code, error }, 'dead letter')
  },
  framesDropped: ({ source, channel, frames }) => {
    counted.dropped.inc({ source, channel }, frames)
    log.warn({ source, channel, frames }, 'frames dropped')
  },
  gapOpened: ({ venue, channel, instrument, proof, cause }) => {
    counted.gaps.inc({ venue, channel, proof, cause })
    log.info({ venue, channel, instrument, proof, cause }, 'gap opened')
  },
  gapHealed: ({ venue, channel, instrument, proof, cause }) => {
    counted.healed.inc({ venue, channel, proof, cause })
    log.info({ venue, channel, instrument, proof, cause }, 'gap healed')
  },
  sinkCommitted: ({ sink, rows, ms, lagMs }) => {
    counted.sinkRows.inc({ sink }, rows)
    counted.sinkSeconds.observe({ sink }, ms / 1000)
    counted.sinkLag.set({ sink }, lagMs / 1000)
    log.debug({ sink, rows, ms, lagMs }, 'sink committed')
  },
  sinkRefused: ({ sink, error }) => {
    counted.sinkRefusals.inc({ sink, code: error.code })
    log.warn({ sink, ...factsOf(error) }, 'sink refused')
  },
})

type ShardsReport = Pick<
  Report,
  'bookStates' | 'connection' | 'shardRecovered' | 'shardCounted' | 'channelRead' | 'shardDied' | 'note'
>

const ofShards = (log: Logger, counted: Meters): ShardsReport => {
  const up = new Map<string, Set<number>>()
  const books = new Map<string, Set<string>>()
  const frames = totals((shard, more) => counted.frames.inc({ shard }, more))
  const rows = totals((shard, more, schema) => counted.rows.inc({ shard, schema }, more))
  const scanned = totals((source, more, channel) => counted.scanned.inc({ source, channel }, more))
  const parsed = totals((source, more, key) => {
    const [channel = '', reason = ''] = key.split('\n')
    counted.parsed.inc({ source, channel, reason }, more)
  })
  return {
    bookStates: ({ shard, books: now }) => {
      const known = books.get(shard) ?? new Set()
      books.set(shard, known)
      for (const trust of Object.keys(now)) known.add(trust)
      for (const trust of known) counted.books.set({ shard, trust }, now[trust] ?? 0)
    },
    connection: ({ source, connection, state, why }) => {
      const open = up.get(source) ?? new Set()
      up.set(source, open)
      if (state === 'up') open.add(connection)
      else open.delete(connection)
      counted.connectionsUp.set({ source }, open.size)
      counted.connections.inc({ source, state })
      log[state === 'up' ? 'info' : 'warn']({ source, connection, why }, `connection ${state}`)
    },
    shardRecovered: ({ shard, step, rows: replayed, checkpoint }) => {
      counted.recoveries.inc({ shard })
      log.info({ shard, step, rows: replayed, checkpoint }, 'shard recovered')
    },
    shardCounted: ({ shard, frames: read, rows: written }) => {
      frames(shard, read, '')
      for (const [schema, count] of Object.entries(written)) rows(shard, count, schema)
    },
    channelRead: ({ source, channel, scanned: now, parsed: whole }) => {
      scanned(source, now, channel)
      for (const [reason, count] of whole) parsed(source, count, `${channel}\n${reason}`)
    },
    shardDied: ({ shard, error }) => {
      counted.deaths.inc({ shard })
      log.error({ shard, ...factsOf(error) }, 'shard died')
    },
    note: (level, what, facts) => log[level](facts, what),
  }
}

/**
 * A counter is told totals: it grows by what is new. A total that is smaller belongs to a shard that began
 * again.
 */
const totals = (
  grow: (shard: string, more: number, schema: string) => void,
): ((shard: string, total: number, schema: string) => void) => {
  const before = new Map<string, number>()
  return (shard, total, schema) => {
    const key = `${shard}\n${schema}`
    const last = before.get(key) ?? 0
    before.set(key, total)
    grow(shard, total < last ? total : total - last, schema)
  }
}

/** An error as fields, so that lines are found by them. */
const factsOf = (error: unknown): Readonly<Record<string, unknown>> => {
  if (error instanceof KtError) {
    const { code, message, where, why, fix, facts } = error
    return { ...facts, code, error: message, where, why, fix }
  }
  return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}
