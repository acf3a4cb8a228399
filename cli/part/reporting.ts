import { KtError } from '../../graph/error.ts'
import type { Meter } from '../../runtime/meter.ts'
import type { Report } from '../../runtime/report.ts'
import type { Renewal } from '../../runtime/renewal.ts'
import type { ShardReport } from '../../runtime/status.ts'
import type { Gap } from '../../market/system.ts'

/**
 * What a shard tells, told on: to the meter of the terminal, to the metrics and the log, and to the renewal
 * of books.
 */
export const shardReport = (shard: string, meter: Meter, report: Report, renewal: Renewal): ShardReport => ({
  frame: meter.report.frame,
  row: (schema, row) => {
    meter.report.row(schema, row)
    renewal.see(schema, row)
    if (schema !== 'gap') return
    const gap = row as Gap
    if (gap.event === 'opened') report.gapOpened(gap)
    else report.gapHealed(gap)
  },
  durable: (step) => {
    meter.report.durable(step)
    report.stepDurable({ shard, rows: step.rows, bytes: step.bytes, ms: step.us / 1000 })
  },
  deadLetter: (frame, error) => {
    meter.report.deadLetter(frame, error)
    const { source, channel, symbol } = frame
    report.frameDeadLettered({ source, channel, symbol, code: error.code, error: error.message })
  },
  dropped: (frame) => {
    meter.report.dropped(frame)
    report.framesDropped({ source: frame.source, channel: frame.channel, frames: 1 })
  },
  backlog: (bytes, bytesMax) => {
    meter.report.backlog(bytes, bytesMax)
    report.logBacklog({ shard, bytes, bytesMax })
  },
  checkpoint: (written) => {
    meter.report.checkpoint(written)
    report.checkpoint({ shard, step: written.step, bytes: written.bytes, ms: written.us / 1000 })
  },
  checkpointFailed: (error) => report.checkpointRefused({ shard, error }),
  brokenCheckpoint: (path) => report.note('warn', 'broken checkpoint passed over', { path }),
  recovered: (from) => {
    meter.report.recovered(from)
    report.shardRecovered(from)
  },
  follows: ({ cut }) => {
    const what = 'a stage begins behind rows that are gone'
    for (const { topic, partition, next: first } of cut)
      report.note('warn', what, { shard, topic, partition, first })
  },
  died: (error) => {
    if (error instanceof KtError) report.logRefused({ shard, error })
    report.shardDied({ shard, error })
  },
})
