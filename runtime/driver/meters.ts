import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Seconds, from a quick disk to a stuck one. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export type Meters = ReturnType<typeof meters>

/** Every number that kt shows to Prometheus: its name, its labels and its help, once. */
export const meters = () => {
  const registry = new Registry()
  const made = makers(registry)
  return Object.freeze({ registry, ...ofLog(made), ...ofFlow(made) })
}

const makers = (registry: Registry) => {
  const registers = [registry]
  return {
    counter: <L extends string>(name: string, help: string, ...labelNames: readonly L[]): Counter<L> =>
      new Counter({ name, help, labelNames, registers }),
    gauge: <L extends string>(name: string, help: string, ...labelNames: readonly L[]): Gauge<L> =>
      new Gauge({ name, help, labelNames, registers }),
    seconds: <L extends string>(name: string, help: string, ...labelNames: readonly L[]): Histogram<L> =>
      new Histogram({ name, help, labelNames, registers, buckets: SECONDS }),
  }
}

type Makers = ReturnType<typeof makers>

const ofLog = ({ counter, gauge, seconds }: Makers) => ({
  stepSeconds: seconds('kt_step_durable_seconds', 'from handing a step over until it was durable', 'shard'),
  logRows: counter('kt_log_rows_total', 'rows made durable', 'shard'),
  logBytes: counter('kt_log_bytes_total', 'bytes of batches made durable', 'shard'),
  backlogBytes: gauge('kt_log_backlog_bytes', 'bytes that wait for the log', 'shard'),
  backlogRatio: gauge('kt_log_backlog_ratio', 'what waits for the log, of what may wait', 'shard'),
  logRefusals: counter('kt_log_refused_total', 'steps that the log refused', 'shard', 'code'),
  retainedBytes: counter('kt_log_dropped_bytes_total', 'bytes of the log that retention removed'),
  held: gauge('kt_log_held', '1 while a reader keeps more of the log than its limits say'),
  checkpointStep: gauge('kt_checkpoint_step', 'step of the newest checkpoint', 'shard'),
  checkpointSeconds: seconds('kt_checkpoint_seconds', 'how long a checkpoint took to write', 'shard'),
  checkpointRefusals: counter(
    'kt_checkpoint_refused_total',
    'checkpoints that could not be written',
    'shard',
  ),
})

const ofFlow = ({ counter, gauge, seconds }: Makers) => ({
  deadLetters: counter(
    'kt_dead_letters_total',
    'frames that could not be mapped',
    'source',
    'channel',
    'code',
  ),
  dropped: counter('kt_frames_dropped_total', 'frames dropped under pressure', 'source', 'channel'),
  gaps: counter(
    'kt_gaps_opened_total',
    'holes written to the gap ledger',
    'venue',
    'channel',
    'proof',
    'cause',
  ),
  healed: counter('kt_gaps_healed_total', 'holes that were repaired', 'venue', 'channel', 'proof', 'cause'),
  sinkRows: counter('kt_sink_rows_total', 'rows committed to a sink', 'sink'),
  sinkSeconds: seconds('kt_sink_commit_seconds', 'how long a commit to a sink took', 'sink'),
  sinkLag: gauge('kt_sink_lag_seconds', 'since the newest committed row was received, at its commit', 'sink'),
  sinkRefusals: counter('kt_sink_refused_total', 'commits that a sink refused', 'sink', 'code'),
  books: gauge('kt_books', 'order books by state of trust', 'shard', 'trust'),
  connectionsUp: gauge('kt_connections_up', 'connections that are open', 'source'),
  connections: counter(
    'kt_connection_changes_total',
    'connections that came, went or were refused',
    'source',
    'state',
  ),
  recoveries: counter('kt_shard_recoveries_total', 'times a shard was recovered', 'shard'),
  deaths: counter('kt_shard_deaths_total', 'times a shard died', 'shard'),
  frames: counter('kt_frames_total', 'frames read', 'shard'),
  rows: counter('kt_rows_total', 'rows written, by schema', 'shard', 'schema'),
  scanned: counter('kt_scanned_frames_total', 'frames scanned off their bytes', 'source', 'channel'),
  parsed: counter('kt_parsed_frames_total', 'frames parsed whole', 'source', 'channel', 'reason'),
})
