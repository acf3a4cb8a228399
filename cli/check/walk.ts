import type { Plan } from '../../graph/plan.ts'
import type { Log, Placed } from '../../graph/port.ts'
import { lastTimeIn, recordsOf } from '../../runtime/records.ts'
import type { End } from '../../runtime/records.ts'
import { scanned } from '../../runtime/scan.ts'
import { StepRows } from '../../runtime/step-rows.ts'
import { madeIn } from './check.ts'
import type { Check } from './check.ts'

const BYTES = 8_000_000

type Readable = Pick<Log, 'read' | 'ends'>

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
  const rows = new StepRows((_, { name, schema }, row) => {
    const place = `${schema.name} ${row['instrument'] as string}`
    if (madeIn(carriers, place, () => name) !== name) return
    for (const check of seers.get(schema.name)!) check.take(schema.name, row)
  })
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
        rows.take(byName.get(record.topic)!, record)
      })
      if (seen === 0) break
    }
    rows.end()
  } finally {
    await reader.close()
  }
}

/** What a log in Kafka may need to hand out what it has. */
const WAIT_MS = 2000

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
  for (const end of ends) time = Math.max(time, await lastTimeIn(log, end))
  return time
}

const firstFrom = async (
  log: Readable,
  { topic, partition, first, next }: End,
): Promise<Placed | undefined> => {
  for await (const record of recordsOf(log, { topic, partition, offset: first }, next)) return record
  return undefined
}
