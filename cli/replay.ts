import { setTimeout as pause } from 'node:timers/promises'
import { VenueError } from '../graph/error.ts'
import type { Plan, Stage } from '../graph/plan.ts'
import type { Frame, SourceHost } from '../graph/source.ts'
import type { Shard } from '../runtime/shard.ts'
import type { VirtualClock } from '../runtime/virtual-clock.ts'
import { loadMapping } from '../sources/driver/jsonata.ts'
import { openRecording } from '../sources/driver/recording.ts'
import type { Recording, RecordingOptions } from '../sources/driver/recording.ts'
import { parseSource, wantsOf } from './source.ts'

/** What no file of a recording has, and what that means for the outputs of a graph. */
export interface Absent {
  readonly node: string
  readonly why: string
  /** The outputs that stay empty, or lack a part, because of it. */
  readonly below: readonly string[]
  readonly means: string
}

/** `binance.spot.trade: the recording has no such channel; trade, candle lack its rows`. */
export const absentText = ({ node, why, below, means }: Absent): string =>
  `${node}: ${why}; ${below.join(', ')} ${means}`

/** How a recording is read. */
export interface ReplayOptions {
  readonly clock: VirtualClock
  readonly shard: Shard
  /** Times real time; undefined is as fast as the log takes it. */
  readonly speed: number | undefined
  /** Stop after this many messages. */
  readonly eventsMax: number | undefined
  readonly stopped: () => boolean
  readonly note: SourceHost['note']
}

/** A recording opened for a stage. */
export interface Replaying {
  /** The received time of its first message, microseconds. */
  readonly begin: number
  readonly absent: readonly Absent[]
  /** Read to the end, or until told to stop. */
  readonly run: (options: ReplayOptions) => Promise<void>
}

/** Open files for the sources of a stage. */
export const openReplay = async (
  stage: Stage,
  paths: readonly string[],
  changes: Pick<RecordingOptions, 'drop' | 'extra'> = {},
): Promise<Replaying> => {
  const wants = wantsOf(stage)
  const recording = await openRecording({ paths, ...readOf(wants), ...changes })
  const begin = Math.min(...recording.has.map((one) => one.from))
  return {
    begin: Number.isFinite(begin) ? begin : 0,
    absent: absentIn(recording, stage),
    run: (options) => read(recording, stage, options),
  }
}

/** What is read of a recording: another channel of it costs nothing, and moves no clock. */
const readOf = (wants: ReturnType<typeof wantsOf>): Pick<RecordingOptions, 'sources' | 'channels'> => {
  const bySource = Map.groupBy(wants, ({ source }) => source)
  const channels = [...bySource].map(([{ name }, all]) => [name, all.flatMap((one) => one.channels)] as const)
  return { sources: [...bySource.keys()], channels: Object.fromEntries(channels) }
}

/** How long one round of real-time playing may be, milliseconds. */
const ROUND_MS = 20

const read = async (recording: Recording, stage: Stage, options: ReplayOptions): Promise<void> => {
  const { clock, shard, speed, eventsMax = Number.POSITIVE_INFINITY, stopped, note } = options
  let frames = 0
  let past = true
  const host: SourceHost = {
    clock,
    random: { below: () => 0 },
    net: { connect: () => ({ send: () => {}, close: () => {} }), get: () => new Promise(() => {}) },
    mapping: loadMapping,
    frame: (frame) => {
      frames++
      if (past) past = passed(shard, frame)
      else shard.frame(frame)
    },
    system: (schema, row) => shard.system(schema, row),
    note,
  }
  const opened = wantsOf(stage).map(({ source, channels, universe }) =>
    recording.open(source, host, { channels, universe, endpoint: undefined, owns: () => true }),
  )
  shard.start()
  const begun = performance.now()
  const first = clock.now()
  for (let moments = await recording.next(); moments !== undefined; moments = await recording.next()) {
    for (const { received, deliver } of moments) {
      if (speed !== undefined) await reach(begun + (received - first) / 1000 / speed, stopped)
      if (stopped() || frames >= eventsMax) break
      clock.advance(received)
      deliver()
    }
    await shard.settled()
    if (stopped() || frames >= eventsMax) break
  }
  for (const one of opened) one.close()
}

/**
 * Hand on a frame that the log may hold already, and say whether it does: then the shard does not read it.
 * Its reader must, because what it remembers (patched fields, how far a book goes) is in no checkpoint.
 */
const passed = (shard: Shard, frame: Frame<never>): boolean => {
  let taken = false
  const read: typeof frame.read = (emit) => {
    taken = true
    frame.read(emit)
  }
  // The bytes of a frame are made when they are asked for, and no copy of it has them.
  shard.frame({ ...frame, bytes: frame.bytes, read })
  if (taken) return false
  try {
    frame.read(() => {})
  } catch (error) {
    if (!(error instanceof VenueError)) throw error
    // It became a dead letter when it was first read.
  }
  return true
}

/** Wait until that time of `performance.now`, in rounds short enough that a stop is heard. */
const reach = async (untilMs: number, stopped: () => boolean): Promise<void> => {
  for (let left = untilMs - performance.now(); left > 1 && !stopped(); left = untilMs - performance.now())
    await pause(Math.min(left, ROUND_MS))
}

/** Channels that a recording lacks, with the nodes that depend on them. */
export const absentOf = async (plan: Plan, text: string): Promise<readonly Absent[]> => {
  const choice = parseSource(text)
  if (choice.kind !== 'replay') return []
  const recording = await openRecording({ paths: choice.paths, ...readOf(plan.stages.flatMap(wantsOf)) })
  return plan.stages.flatMap((stage) => absentIn(recording, stage, plan.stages))
}

const absentIn = (
  { absent, unseeded }: Recording,
  stage: Stage,
  stages: readonly Stage[] = [stage],
): readonly Absent[] => {
  const lacks = (source: string, channel: string): boolean =>
    absent.some((one) => one.source === source && one.channel === channel)
  const unbegun = (source: string, channel: string): boolean =>
    unseeded.some((one) => one.source === source && one.channel === channel)
  return stage.sources.flatMap(({ source, channel }): readonly Absent[] => {
    const node = `${source.name}.${channel}`
    if (lacks(source.name, channel)) {
      const why = 'the recording has no such channel'
      return [{ node, why, below: below(stages, node, []), means: 'lack its rows' }]
    }
    if (!unbegun(source.name, channel)) return []
    const why = 'the recording has no snapshot that its books begin with'
    const own = source.channels[channel]!.schemas.map((schema) => schema.name)
    return [{ node, why, below: below(stages, node, own), means: 'have no trust in it' }]
  })
}

/** The graph's topics that lie below a node, in stages behind its own too, without those of its own rows. */
const below = (stages: readonly Stage[], node: string, own: readonly string[]): readonly string[] => {
  const reached = new Set([node])
  const reaches = ({ from }: { readonly from: readonly string[] }) => from.some((one) => reached.has(one))
  return stages.flatMap(({ operators, writes }) => {
    for (const one of operators) if (reaches(one)) reached.add(one.name)
    return writes.filter(reaches).flatMap(({ topic: { name, schema } }) => {
      reached.add(name)
      return name.startsWith('kt.') || own.includes(schema.name) ? [] : [name]
    })
  })
}
