import { readBatch } from '../graph/batch.ts'
import { HostError } from '../graph/error.ts'
import type { Log, ObjectStore, Partition, Placed, ReadFrom } from '../graph/port.ts'
import { present } from '../graph/present.ts'
import { logged } from '../graph/schema.ts'
import type { AnyTopic } from '../graph/topic.ts'
import type { Plan, Stage } from '../graph/plan.ts'
import { loadCheckpoint } from '../runtime/checkpoint.ts'
import { partitionKey } from '../runtime/log.ts'
import { producersOf, shardOf } from '../runtime/producer.ts'
import { lastStepIn, offsetBehind, recordsOf } from '../runtime/records.ts'
import type { End } from '../runtime/records.ts'
import { timeColumn } from '../sinks/lake/schema.ts'
import { bounds } from '../sinks/bounds.ts'

/** Who reads topics, and the first offset of each that it has not read. */
export interface Reading {
  /** `clickhouse.trade`, `lake.trade`, or the shard of a stage: `candles/bars.10s/0`. */
  readonly reader: string
  readonly kind: 'clickhouse' | 'lake' | 'stage'
  readonly positions: readonly ReadFrom[]
}

/** How far a reader is behind the end of one topic partition. */
export interface Behind extends Partition {
  readonly first: number
  readonly end: number
  readonly position: number
  readonly records: number
  readonly rows: number
  /** The received time of the oldest row that it has not read, microseconds; undefined: it has read all. */
  readonly oldest: number | undefined
  /** Records that it has not read and that retention has removed. */
  readonly gone: number
  /** It is past the end: it has read another log than this one. */
  readonly beyond: boolean
}

/**
 * How far a stage that reads topics has come, for all to see: what it makes of step 7 is step 7 of its own,
 * and it repeats the ticks that it has read. So its newest record says what it has read, about 250 ms late
 * when little comes of what it reads; and its newest checkpoint does, which it writes when it ends.
 */
export const stageReading = async (
  log: Log,
  objects: ObjectStore,
  plan: Plan,
  stage: Stage,
  ends: readonly End[],
): Promise<Reading> => {
  const shard = shardOf(stage)
  const own = ends.filter(({ topic, partition }) =>
    stage.writes.some(
      (write) => write.topic.name === topic && (write.from.length > 0 || partition === stage.partition),
    ),
  )
  let step = -1
  for (const end of own) step = Math.max(step, await lastStepIn(log, end, shard))
  const saved = await savedIn(objects, shard)
  const positions: ReadFrom[] = []
  for (const { shard: producer, partitions } of producersOf(plan, stage))
    for (const { topic, partition } of partitions) {
      const end = endOf(ends, topic, partition)
      const known = saved.find((one) => one.topic === topic && one.partition === partition)?.next ?? 0
      const read = step < 0 ? end.first : await offsetBehind(log, end, step, producer)
      positions.push({ topic, partition, offset: Math.max(known, read) })
    }
  return { reader: shard, kind: 'stage', positions }
}

/** From where a restart would read on. Checkpoints that are all broken say nothing: the run names them. */
const savedIn = async (
  objects: ObjectStore,
  shard: string,
): Promise<readonly (Partition & { readonly next: number })[]> => {
  try {
    return (await loadCheckpoint(objects, shard)).checkpoint?.from ?? []
  } catch (error) {
    if (error instanceof HostError) return []
    throw error
  }
}

/** What the log has of a partition; one that nothing was written to is empty. */
export const endOf = (ends: readonly End[], topic: string, partition: number): End =>
  ends.find((end) => end.topic === topic && end.partition === partition) ?? {
    topic,
    partition,
    first: 0,
    next: 0,
  }

/** How far each of some readers is behind. What they have not read is read once, for all of them. */
export const behind = async (
  log: Log,
  topics: readonly AnyTopic[],
  ends: readonly End[],
  readings: readonly Reading[],
): Promise<readonly (readonly Behind[])[]> => {
  type Counted = { -readonly [N in keyof Behind]: Behind[N] }
  const counted = readings.map(({ positions }) =>
    positions.map(({ topic, partition, offset }): Counted => {
      const { first, next: end } = endOf(ends, topic, partition)
      const none = { records: 0, rows: 0, oldest: undefined }
      const gone = Math.max(0, first - offset)
      return { topic, partition, first, end, position: offset, ...none, gone, beyond: offset > end }
    }),
  )
  const named = new Map(topics.map((topic) => [topic.name, topic]))
  const groups = Map.groupBy(counted.flat(), (one) => partitionKey(one.topic, one.partition))
  for (const group of groups.values()) {
    const [{ topic, partition, first, end }] = group as [Counted]
    const offset = Math.max(first, Math.min(...group.map((one) => one.position)))
    for await (const record of recordsOf(log, { topic, partition, offset }, end)) {
      let oldest: number | undefined
      for (const one of group) {
        if (record.offset < one.position) continue
        one.records++
        one.rows += record.rows
        one.oldest ??= oldest ??= oldestIn(named.get(topic), record)
      }
    }
  }
  return counted
}

/** The oldest received time in a record; that of its step where its rows have none. */
const oldestIn = (topic: AnyTopic | undefined, record: Placed): number => {
  const name = topic === undefined ? undefined : timeColumn(topic.schema)
  if (topic === undefined || name === undefined) return record.time
  const batch = readBatch(logged(topic.schema), present(topic.schema, record).bytes)
  const times = batch.columns.find(({ column }) => column.name === name)
  return (times === undefined ? undefined : bounds(times, batch.rows))?.[0] ?? record.time
}
