import type { Log, Partition, Placed, ReadFrom } from '../graph/port.ts'

/** What a log has of one topic partition: offsets from `first` on, before `next`. */
export interface End extends Partition {
  readonly first: number
  readonly next: number
}

type Readable = Pick<Log, 'read'>

const BYTES = 8_000_000

/** All records of a topic partition from an offset to an end that was seen, in order. */
export async function* recordsOf(log: Readable, from: ReadFrom, next: number): AsyncGenerator<Placed> {
  if (from.offset >= next) return
  const reader = await log.read([from])
  try {
    for (;;) {
      const records = await reader.read(BYTES, 0)
      if (records.length === 0) return
      for (const record of records) {
        if (record.offset >= next) return
        yield record
        if (record.offset === next - 1) return
      }
    }
  } finally {
    await reader.close()
  }
}

/** The newest records of a partition, and more of them each time: offsets may have holes. */
async function* newest(
  log: Readable,
  { topic, partition, first, next }: End,
): AsyncGenerator<readonly Placed[]> {
  for (let many = 1; first < next; many *= 8) {
    const offset = Math.max(first, next - many)
    const found: Placed[] = []
    for await (const record of recordsOf(log, { topic, partition, offset }, next)) found.push(record)
    if (found.length > 0) yield found
    if (offset === first) return
  }
}

const lastIn = async (log: Readable, end: End, shard?: string): Promise<Placed | undefined> => {
  for await (const records of newest(log, end)) {
    const last = records.findLast((record) => shard === undefined || record.shard === shard)
    if (last !== undefined) return last
  }
  return undefined
}

/** The step of the newest record of a partition, of a certain shard where it is named; -1: there is none. */
export const lastStepIn = async (log: Readable, end: End, shard?: string): Promise<number> =>
  (await lastIn(log, end, shard))?.step ?? -1

/** The time of the newest record of a partition; -Infinity: there is none. */
export const lastTimeIn = async (log: Readable, end: End): Promise<number> =>
  (await lastIn(log, end))?.time ?? -Infinity

/**
 * The offset behind the last record of a partition that is of no later step than that: nothing need lie
 * there, and who reads up to it must be able to come there. Of a certain shard, where it is named, the first
 * one of a later step.
 */
export const offsetBehind = async (
  log: Readable,
  end: End,
  step: number,
  shard?: string,
): Promise<number> => {
  for await (const records of newest(log, end)) {
    const own = records.filter((record) => shard === undefined || record.shard === shard)
    const last = own.findLastIndex((record) => record.step <= step)
    if (last < 0) continue
    return shard === undefined ? own[last]!.offset + 1 : (own[last + 1]?.offset ?? end.next)
  }
  return end.first
}
