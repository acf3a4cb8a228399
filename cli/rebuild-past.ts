import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { KtError } from '../graph/error.ts'
import type { Plan } from '../graph/plan.ts'
import type { Log, Partition, ReadFrom } from '../graph/port.ts'
import type { Rebuild } from '../graph/rebuild.ts'
import type { AnyTopic } from '../graph/topic.ts'
import { partitionKey } from '../runtime/log.ts'
import { Bounded, pointOf } from '../runtime/past.ts'
import type { Past, Point } from '../runtime/past.ts'
import { shardOf } from '../runtime/producer.ts'
import { lastStepIn, offsetBehind, recordsOf } from '../runtime/records.ts'
import { writtenBy } from '../runtime/recovery.ts'
import { writersOf } from '../runtime/remake.ts'
import { lakeLog } from '../sinks/driver/lake-log.ts'
import { tableName } from '../sinks/lake/schema.ts'
import type { Range } from './compare.ts'
import { openLake, tablesIn } from './lake.ts'
import { pulledLake } from './lake-pull.ts'
import { lookAtLog } from './look.ts'
import { foldersOf, loadRun } from './settings.ts'

/** Where a rebuild reads: the log of a run, or a lake. */
export interface PastPlace {
  readonly kind: 'log' | 'lake'
  /** The data folder of the run; of a lake by itself its folder or `s3://bucket/prefix`. */
  readonly where: string
}

/** A past that is open, with the point that it goes up to. */
export interface OpenPast {
  readonly past: Bounded
  /** What the run itself made of the same rows, to compare with. */
  readonly made: Pick<Log, 'read' | 'ends'>
  /** The last step up to which it has made all of a topic; undefined: it never made the topic. */
  readonly madeTo: (topic: AnyTopic) => Promise<number | undefined>
  /** Where it is complete up to now. */
  readonly point: () => Promise<Point>
  /** As far as this step, or as far as it is complete. */
  readonly upTo: (step: number) => Promise<Point>
  /** Tells whoever drops old rows what is still needed; undefined: nothing any more. */
  readonly hold: (reader: string, positions: readonly ReadFrom[] | undefined) => Promise<void>
}

/** `lake:NAME`: a data folder, `data/NAME`, a lake's own folder, or `s3://bucket/prefix`. Throws KT6412. */
export const lakePlace = (text: string): PastPlace => {
  if (text.startsWith('s3://')) return { kind: 'lake', where: text }
  const folders = [text, join('data', text)].map((one) => resolve(one))
  const run = folders.find((one) => loadRun(one) !== undefined)
  if (run !== undefined) return { kind: 'lake', where: run }
  const lake = folders.find((one) => tablesIn(one).length > 0)
  if (lake !== undefined) return { kind: 'lake', where: lake }
  throw new KtError('KT6412', `there is no lake at "${text}"`, {
    where: '--source',
    fix: 'Name a data folder of a run, such as data/basis, a folder with tables, or s3://bucket/prefix.',
  })
}

/** Is the partition one that a rebuild reads from the past? */
const isPast =
  ({ from, partitions }: Rebuild): Past['has'] =>
  ({ topic, partition }) =>
    from.some(({ name }) => name === topic) || (SYSTEM.test(topic) && partition < partitions)

const SYSTEM = /^kt\.(?!input\.)/

/** Open the past of a rebuild. Nothing of it is read before the point is set by `moveTo`. */
export const openPast = async (place: PastPlace, rebuild: Rebuild, live: Plan): Promise<OpenPast> =>
  place.kind === 'log' ? openLogPast(place.where, rebuild, live) : openLakePast(place.where, rebuild)

const bounded = (past: Past): Bounded => new Bounded(past, new Map(), async (ms) => void (await pause(ms)))

/** All partitions up to a step. */
const cutAt = async (past: Past, step: number): Promise<Point> => {
  const nexts = new Map<string, number>()
  for (const end of await past.ends())
    if (past.has(end))
      nexts.set(
        partitionKey(end.topic, end.partition),
        step === Infinity ? end.next : await offsetBehind(past, end, step),
      )
  return { step, nexts }
}

/** All of a topic up to a step. */
export const rangesUpTo = async (
  log: OpenPast['made'],
  { name }: AnyTopic,
  step: number,
): Promise<readonly Range[]> => {
  const own = (await log.ends()).filter(({ topic }) => topic === name)
  const ranges: Range[] = []
  for (const end of own) {
    const next = step === Infinity ? end.next : await offsetBehind(log, end, step)
    ranges.push({ partition: end.partition, first: end.first, next })
  }
  return ranges.toSorted((a, b) => a.partition - b.partition)
}

const openLogPast = async (root: string, rebuild: Rebuild, live: Plan): Promise<OpenPast> => {
  const log = await lookAtLog(root, live)
  const past: Past = {
    read: (from) => log.read(from),
    ends: () => log.ends(),
    close: () => log.close(),
    has: isPast(rebuild),
  }
  return {
    past: bounded(past),
    made: log,
    madeTo: async (topic) => {
      const ends = await log.ends()
      if (ends.every((end) => end.topic !== topic.name)) return undefined
      const writer = live.stages.find(({ writes }) => writes.some((one) => one.topic.name === topic.name))
      // What the sources' own stage makes of a step is durable with it; others come behind.
      if (writer === undefined || writer === live.stages[0]) return Infinity
      let step = -1
      for (const end of ends)
        if (writtenBy(writer, [end]).length > 0) step = Math.max(step, await lastStepIn(log, end))
      return step
    },
    point: () => pointOf(past, writersOf(rebuild)),
    upTo: (step) => cutAt(past, step),
    hold: (reader, positions) => log.hold(reader, positions),
  }
}

const openLakePast = async (where: string, rebuild: Rebuild): Promise<OpenPast> => {
  const run = where.startsWith('s3://') ? undefined : loadRun(where)
  const folder = await pulledLake(run === undefined ? where : foldersOf(where).lake)
  const { plan, from, makes } = rebuild
  const system = plan.topics.filter(({ name }) => SYSTEM.test(name))
  const there = new Set(tablesIn(folder))
  const absent = from.find(({ schema }) => !there.has(tableName(schema)))
  if (absent !== undefined) throw notStored(absent.name, folder)
  const stored = makes.filter(({ schema }) => there.has(tableName(schema)))
  const topics = [...from, ...system, ...stored]
  const reader = await openLake(
    folder,
    topics.map(({ schema }) => schema),
  )
  const shard = ({ topic, partition }: Partition): string => {
    const stage = plan.stages.find(({ writes, partition: own }) =>
      writes.some((write) => write.topic.name === topic && (write.from.length > 0 || own === partition)),
    )
    return stage === undefined ? '' : shardOf(stage)
  }
  const log = lakeLog({ reader, topics, shardOf: shard })
  const past: Past = { ...log, has: isPast(rebuild) }
  return {
    past: bounded(past),
    made: log,
    madeTo: async ({ name }) => {
      if ((await log.ends()).every(({ topic }) => topic !== name)) return undefined
      return loadedStep(run === undefined ? undefined : where, log, ({ topic }) => topic === name)
    },
    point: async () => cutAt(past, await loadedStep(run === undefined ? undefined : where, past, past.has)),
    upTo: (step) => cutAt(past, step),
    hold: () => Promise.resolve(),
  }
}

/**
 * The last step that all tables of a run's lake hold: what its log has beyond one of them is of a later
 * one. Without a log the lake is as long as it is.
 */
const loadedStep = async (
  root: string | undefined,
  lake: Pick<Log, 'ends'>,
  which: Past['has'],
): Promise<number> => {
  if (root === undefined || (loadRun(root)?.kafka === undefined && !existsSync(foldersOf(root).log)))
    return Infinity
  const log = await lookAtLog(root)
  try {
    const held = await lake.ends()
    let step = Infinity
    for (const end of (await log.ends()).filter(which)) {
      const next = held.find((one) => one.topic === end.topic && one.partition === end.partition)?.next
      const missing = await firstRecord(log, { ...end, offset: Math.max(end.first, next ?? 0) }, end.next)
      if (missing !== undefined) step = Math.min(step, missing - 1)
    }
    return step
  } finally {
    await log.close()
  }
}

const firstRecord = async (log: Log, from: ReadFrom, next: number): Promise<number | undefined> => {
  for await (const { step } of recordsOf(log, from, next)) return step
  return undefined
}

const notStored = (topic: string, where: string): KtError =>
  new KtError('KT6413', `the lake has no rows of topic "${topic}"`, {
    where,
    why: 'What is made again is made of all rows that went into it, and these were not stored.',
    fix: `Rebuild from the log with kt replay --from-topic ${topic}, or store the topic with .to(lake(...)).`,
  })
