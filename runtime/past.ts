import type { Log, LogReader, Partition, Placed, ReadFrom } from '../graph/port.ts'
import { partitionKey } from './log.ts'
import { lastStepIn, offsetBehind } from './records.ts'

type End = Awaited<ReturnType<Log['ends']>>[number]

/** Rows that another run has logged, or a lake holds: they are read, and nothing is added. */
export interface Past extends Pick<Log, 'read' | 'ends' | 'close'> {
  /** Is the partition read here, and not in one's own log? */
  readonly has: (of: Partition) => boolean
}

/**
 * A past up to a certain point, which may move on: no record is read beyond it. The point lies between two
 * steps of whoever wrote the rows, over all partitions.
 */
export class Bounded implements Past {
  readonly has: Past['has']
  readonly #past: Past
  readonly #pauseMs: (ms: number) => Promise<void>
  #nexts: ReadonlyMap<string, number>

  /** `nexts`: the first offset that is beyond the point, by partition. */
  constructor(past: Past, nexts: ReadonlyMap<string, number>, pauseMs: (ms: number) => Promise<void>) {
    this.#past = past
    this.#nexts = nexts
    this.#pauseMs = pauseMs
    this.has = past.has
  }

  /** It goes as far as this from now on. */
  moveTo(nexts: ReadonlyMap<string, number>): void {
    this.#nexts = nexts
  }

  #next(topic: string, partition: number): number {
    return this.#nexts.get(partitionKey(topic, partition)) ?? 0
  }

  async ends(): Promise<readonly End[]> {
    return (await this.#past.ends()).map((end) => {
      const next = Math.max(end.first, Math.min(end.next, this.#next(end.topic, end.partition)))
      return { ...end, next }
    })
  }

  async read(from: readonly ReadFrom[]): Promise<LogReader> {
    const reader = await this.#past.read(from)
    const within = ({ topic, partition, offset }: ReadFrom): boolean => offset < this.#next(topic, partition)
    const reached = new Map(from.map((one) => [partitionKey(one.topic, one.partition), { ...one }]))
    let waiting: readonly Placed[] = []
    return {
      read: async (bytesMax, waitMs) => {
        if (!waiting.some(within)) {
          // What a slower writer has put up to the point may lie behind what a faster one has put beyond it.
          const more = waiting.length === 0 || [...reached.values()].some(within)
          const read = more ? await reader.read(bytesMax, waitMs) : []
          waiting = [...waiting, ...read]
          // A past that gets no more, as a lake, does not wait by itself.
          if (read.length === 0 && waitMs > 0) await this.#pauseMs(waitMs)
        }
        const found = waiting.filter(within)
        waiting = waiting.filter((one) => !within(one))
        for (const { topic, partition, offset } of found)
          reached.set(partitionKey(topic, partition), { topic, partition, offset: offset + 1 })
        return found
      },
      close: () => reader.close(),
    }
  }

  close(): Promise<void> {
    return this.#past.close()
  }
}

/**
 * A log of one's own that continues another's past: what the past has is read there, everything else is
 * read and written here.
 */
export const beside = (own: Log, past: Past): Log => ({
  write: (shard) => own.write(shard),
  ends: async () => [
    ...(await past.ends()).filter((end) => past.has(end)),
    ...(await own.ends()).filter((end) => !past.has(end)),
  ],
  read: async (from) => {
    const [theirs, ours] = [from.filter((one) => past.has(one)), from.filter((one) => !past.has(one))]
    if (ours.length === 0) return past.read(theirs)
    if (theirs.length === 0) return own.read(ours)
    const [before, after] = [await past.read(theirs), await own.read(ours)]
    return {
      read: async (bytesMax, waitMs) => {
        const found = await before.read(bytesMax, 0)
        return found.length > 0 ? found : after.read(bytesMax, waitMs)
      },
      close: async () => {
        await before.close()
        await after.close()
      },
    }
  },
  close: () => own.close(),
})

/** The last step that a past is complete up to, and by partition the first offset beyond it. */
export interface Point {
  readonly step: number
  readonly nexts: ReadonlyMap<string, number>
}

/**
 * The point that every writer of a past has come to. `writers`: the partitions that each writes, whether
 * they are read or not. A log may look at its partitions one after the other while it grows: what is durable
 * of the last step that was seen is found by looking again.
 */
export const pointOf = async (past: Past, writers: readonly (readonly Partition[])[]): Promise<Point> => {
  const seenEnds = await past.ends()
  let step = Infinity
  for (const partitions of writers) {
    let seen = -1
    for (const { topic, partition } of partitions) {
      const end = seenEnds.find((one) => one.topic === topic && one.partition === partition)
      if (end !== undefined) seen = Math.max(seen, await lastStepIn(past, end))
    }
    step = Math.min(step, seen)
  }
  const nexts = new Map<string, number>()
  for (const end of await past.ends())
    if (past.has(end)) nexts.set(partitionKey(end.topic, end.partition), await offsetBehind(past, end, step))
  return { step, nexts }
}
