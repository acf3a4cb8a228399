import { servePart } from '../../deploy/driver/part.ts'
import type { Parent, Served } from '../../deploy/driver/part.ts'
import type { Stage } from '../../graph/plan.ts'
import type { Clock } from '../../graph/port.ts'
import type { ConnectionStatus, OpenSource } from '../../graph/source.ts'
import { serveMetrics } from '../../deploy/driver/metrics.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { joinHotCode } from '../../runtime/driver/engine.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { systemReport } from '../../runtime/driver/report.ts'
import { Meter } from '../../runtime/meter.ts'
import { Renewal } from '../../runtime/renewal.ts'
import type { Report } from '../../runtime/report.ts'
import { shardOf } from '../../runtime/producer.ts'
import { Shard } from '../../runtime/shard.ts'
import type { ShardReport } from '../../runtime/status.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { startFollowers } from '../followers.ts'
import { loadGraph, planOf } from '../graph-file.ts'
import { writeLetters } from '../letters.ts'
import { openLog } from '../log.ts'
import { foldersOf } from '../settings.ts'
import { openReplay } from '../replay.ts'
import { holds } from './holds.ts'
import { shardReport } from './reporting.ts'
import type { Replaying } from '../replay.ts'
import { openLive, parseSource } from '../source.ts'
import type { Endpoints } from '../source.ts'

/** One shard of a graph as a process. */
export interface ShardSettings {
  readonly root: string
  readonly file: string
  /** As `--source` says it. */
  readonly source: string
  readonly endpoints: Endpoints
  readonly speed: number | undefined
  readonly lingerMs: number | undefined
  readonly rowsMax: number
  readonly rebuild: boolean
  /** Stop after this many messages. */
  readonly eventsMax: number | undefined
}

const TICK_MS = 250
const CHECKPOINT_EVERY_MS = 10_000
/** Of the recording's time, which passes quickly. */
const REPLAY_CHECKPOINT_EVERY_MS = 120_000
const PENDING_MAX_BYTES = 64 << 20

joinHotCode()
await servePart<ShardSettings>(async (settings, parent) => {
  const folders = foldersOf(settings.root)
  const plan = planOf(await loadGraph(settings.file))
  const source = parseSource(settings.source)
  const log = await openLog(settings.root, plan)
  const system = systemReport()
  const metrics = await serveMetrics(system.metrics, system.contentType)
  const { note } = system.report
  let refused: string | undefined
  const deadLetters = await writeLetters(settings.root, ({ code, message, fix }) => {
    refused = `${message} [${code}]`
    note('error', message, { code, fix, dropped: deadLetters.dropped })
  })
  const keep = holds(log, ({ code, message, fix }) => note('warn', message, { code, fix }))
  const meter = new Meter()
  const stage = plan.stages[0]!
  const name = shardOf(stage)
  const replaying = source.kind === 'replay' ? await openReplay(stage, source.paths) : undefined
  const clock = replaying === undefined ? systemClock() : new VirtualClock(replaying.begin)
  let live: readonly OpenSource[] = []
  const renewal = new Renewal(clock, (instrument, why) => live.forEach((one) => one.renew(instrument, why)))
  const both = {
    clock,
    log,
    objects: fileStore(folders.objects),
    rowsMax: settings.rowsMax,
    checkpointEveryMs: replaying === undefined ? CHECKPOINT_EVERY_MS : REPLAY_CHECKPOINT_EVERY_MS,
    rebuild: settings.rebuild,
  }
  const shard = new Shard({
    ...both,
    plan: stage,
    shard: name,
    deadLetters,
    report: holding('shard', shardReport(name, meter, system.report, renewal), keep),
    lingerMs: settings.lingerMs,
    tickMs: TICK_MS,
    pendingMaxBytes: replaying === undefined ? PENDING_MAX_BYTES : Number.POSITIVE_INFINITY,
  })
  const { inputs, first } = await shard.recover()
  const followers = await startFollowers(plan, (one, behind) => {
    const report = shardReport(one, meter, system.report, renewal)
    return { ...both, report: holding(one, behindReport(one, behind, report, system.report), keep) }
  })
  const failure = Promise.race([shard.failure, followers.failure])
  let connections: () => readonly ConnectionStatus[] = () => []
  const tell = (): void => {
    const status = meter.status()
    parent.status({ ...status, connections: connections(), time: clock.now(), refused })
    system.report.shardCounted({ shard: name, frames: status.frames, rows: status.rows })
    for (const one of live) one.reads().forEach(system.report.channelRead)
    system.report.bookStates({ shard: name, books: status.trust })
  }
  const timer = setInterval(tell, 1000)
  const end = async (): Promise<void> => {
    clearInterval(timer)
    await shard.stop()
    await followers.stop()
    await deadLetters.close()
    tell()
    metrics.close()
    await log.close()
  }
  failure.catch((error: unknown) => parent.failed(error))
  if (replaying !== undefined)
    return replay(settings, replaying, { clock: clock as VirtualClock, shard, note }, inputs, parent, end)
  live = run(settings, shard, clock, first, meter, note)
  connections = () => live.flatMap((one) => one.status())
  watch(settings, meter, parent)
  return {
    facts: { metrics: metrics.url },
    stop: async () => {
      for (const one of live) one.close()
      await end()
    },
  }
})

/**
 * The log keeps what a restart would read: from the checkpoint before the newest on, so that a torn newest
 * one does no harm.
 */
function holding(reader: string, report: ShardReport, keep: ReturnType<typeof holds>): ShardReport {
  type From = Parameters<ShardReport['checkpoint']>[0]['from']
  let before: From | undefined
  const hold = (from: From): void =>
    keep(
      reader,
      from.map(({ topic, partition, next }) => ({ topic, partition, offset: next })),
    )
  return {
    ...report,
    checkpoint: (written) => {
      hold(before ?? written.from)
      before = written.from
      report.checkpoint(written)
    },
    follows: (about) => {
      hold(about.from)
      before = about.from
      report.follows(about)
    },
  }
}

/** Of a stage that reads topics: copies of rows are not counted again, and the board shows the sources. */
function behindReport(shard: string, { operators }: Stage, told: ShardReport, report: Report): ShardReport {
  const made = new Set(operators.flatMap(({ operator }) => operator.outputs.map((schema) => schema.name)))
  return {
    ...told,
    row: (schema, row) => void (made.has(schema) && told.row(schema, row)),
    recovered: report.shardRecovered,
    checkpoint: ({ step, bytes, us }) => report.checkpoint({ shard, step, bytes, ms: us / 1000 }),
  }
}

/** Begin to tick, say that the shard (re)started, open the sources. */
function run(
  settings: ShardSettings,
  shard: Shard,
  clock: Clock,
  first: boolean,
  meter: Meter,
  note: Report['note'],
): readonly OpenSource[] {
  const now = clock.now()
  const why = first ? 'first start' : 'restart'
  shard.system('control', {
    kind: 'start',
    source: '',
    channel: '',
    instrument: '',
    connection: 0,
    epoch: 0,
    why,
    time: now,
    received: now,
  })
  shard.start()
  const hops = (): void => {
    clock.after(1000, () => {
      for (const hop of meter.hops(clock.now())) shard.system('latency', { ...hop, received: hop.time })
      hops()
    })
  }
  hops()
  return openLive(shard.plan, parseSource(settings.source), settings.endpoints, clock, {
    frame: (frame) => shard.frame(frame),
    system: (schema, row) => shard.system(schema, row),
    note,
  })
}

/** End when as many messages have come as were asked for. */
function watch({ eventsMax }: ShardSettings, meter: Meter, parent: Parent): void {
  if (eventsMax === undefined) return
  const timer = setInterval(() => {
    if (meter.status().frames < eventsMax) return
    clearInterval(timer)
    parent.done()
  }, 50)
}

/** Read a recording through the shard: its time is the recording's, its speed whatever was asked for. */
function replay(
  settings: ShardSettings,
  replaying: Replaying,
  on: { readonly clock: VirtualClock; readonly shard: Shard; readonly note: Report['note'] },
  inputs: number,
  parent: Parent,
  end: () => Promise<void>,
): Served {
  const { shard } = on
  const { absent } = replaying
  shard.skip(inputs)
  const stopping = { asked: false }
  const { speed, eventsMax } = settings
  const done = replaying.run({ ...on, speed, eventsMax, stopped: () => stopping.asked })
  void done.then(() => parent.done())
  return {
    facts: { absent },
    stop: async () => {
      stopping.asked = true
      await done
      await end()
    },
  }
}
