import { readBatch, rowOf } from '../../graph/batch.ts'
import type { Plan } from '../../graph/plan.ts'
import type { Log, Placed } from '../../graph/port.ts'
import { present } from '../../graph/present.ts'
import { logged } from '../../graph/schema.ts'
import type { AnyTopic } from '../../graph/topic.ts'
import { recordsOf } from '../../runtime/records.ts'
import type { End } from '../../runtime/records.ts'
import { scanned } from '../../runtime/scan.ts'
import { madeIn } from './check.ts'
import type { Check } from './check.ts'

const BYTES = 8_000_000

type Readable = Pick<Log, 'read' | 'ends'>

interface Ordered {
  readonly order: number
  readonly topic: string
  readonly event: string
  readonly row: Readonly<Record<string, unknown>>
}

/**
 * Show the checks the rows of their events, in the order in which they were made: step by step, and within a
 * step by `_order`. Where several topics have an event of one instrument, those of the first are shown: the
 * others are made of it. `ranges`: which records of which partitions.
 */
export const walk = async (
  log: Readable,
  { topics }: Pick<Plan, 'topics'>,
  ranges: readonly End[],
  checks: readonly Check[],
): Promise<void> => {
  const wanted = new Set(checks.flatMap(({ events }) => events))
  const byName = new Map(topics.filter(({ schema }) => wanted.has(schema.name)).map((one) => [one.name, one]))
  const from = ranges.filter(({ topic, first, next }) => byName.has(topic) && next > first)
  if (from.length === 0) return
  const left = new Map(from.map(({ topic, partition, next }) => [`${topic}/${partition}`, next]))
  const seers = new Map(
    [...wanted].map((name) => [name, checks.filter(({ events }) => events.includes(name))]),
  )
  const carriers = new Map<string, string>()
  let [shard, step]: [string, number] = ['', -1]
  let rows: Ordered[] = []
  const show = (): void => {
    rows.sort((a, b) => a.order - b.order)
    for (const { topic, event, row } of rows) {
      const place = `${event} ${row['instrument'] as string}`
      if (madeIn(carriers, place, () => topic) !== topic) continue
      for (const check of seers.get(event)!) check.take(event, row)
    }
    rows = []
  }
  const reader = await log.read(
    from.map(({ topic, partition, first }) => ({ topic, partition, offset: first })),
  )
  try {
    while (left.size > 0) {
      const seen = await scanned(reader, BYTES, WAIT_MS, (record) => {
        const place = `${record.topic}/${record.partition}`
        const next = left.get(place)
        if (next === undefined) return
        if (record.offset + 1 >= next) left.delete(place)
        if (record.offset >= next) return
        if (record.shard !== shard || record.step !== step) show()
        shard = record.shard
        step = record.step
        rows.push(...rowsOf(byName.get(record.topic)!, record))
      })
      if (seen === 0) break
    }
    show()
  } finally {
    await reader.close()
  }
}

/** What a log in Kafka may need to hand out what it has. */
const WAIT_MS = 2000

const rowsOf = ({ name, schema }: AnyTopic, record: Placed): readonly Ordered[] => {
  const batch = readBatch(logged(schema), present(schema, record).bytes)
  return Array.from({ length: batch.rows }, (_, i) => {
    const row = rowOf(batch, i)
    return { order: row['_order'] as number, topic: name, event: schema.name, row }
  })
}

/** Of a partition the records that are no older than `time`, microseconds: their times never go back. */
export const since = async (log: Readable, end: End, time: number): Promise<End> => {
  let [first, next] = [end.first, end.next]
  while (first < next) {
    const middle = Math.floor((first + next) / 2)
    const record = await firstFrom(log, { ...end, first: middle })
    if (record === undefined || record.time >= time) next = middle
    else first = record.offset + 1
  }
  return { ...end, first }
}

/** The newest time of any record of these partitions, microseconds. */
export const newestTime = async (log: Readable, ends: readonly End[]): Promise<number> => {
  let time = -Infinity
  for (const end of ends)
    for (let back = 1; end.next > end.first; back *= 8) {
      const record = await firstFrom(log, { ...end, first: Math.max(end.first, end.next - back) })
      if (record !== undefined) time = Math.max(time, record.time)
      if (record !== undefined || end.next - back <= end.first) break
    }
  return time
}

const firstFrom = async (
  log: Readable,
  { topic, partition, first, next }: End,
): Promise<Placed | undefined> => {
  for await (const record of recordsOf(log, { topic, partition, offset: first }, next)) return record
  return undefined
}
