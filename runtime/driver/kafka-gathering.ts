import type { Partition, Placed, ReadFrom } from '../../graph/port.ts'
import { DAMAGED, partitionKey } from '../log.ts'
import type { Found } from './kafka-record.ts'

interface Lane extends Partition {
  readonly key: string
  readonly waiting: Found[]
  /** The offset that is read next. */
  next: number
  /** Nothing before this offset is still to come. */
  reached: number
  /** Of each shard the newest step that is not to come any more in this partition. */
  readonly steps: Map<string, number>
}

/**
 * Puts whole steps together from the records of several partitions, each of which comes at its own pace. A
 * step is whole when every partition that it names, and that is read, has given its records of it, or cannot
 * any more: because it has given a later step, or because reading it began behind.
 */
export class Gathering {
  readonly #lanes: readonly Lane[]
  readonly #byKey: ReadonlyMap<string, Lane>
  bytes = 0

  constructor(from: readonly ReadFrom[]) {
    this.#lanes = from.map(({ topic, partition, offset }) => ({
      topic,
      partition,
      key: partitionKey(topic, partition),
      waiting: [],
      next: offset,
      reached: offset,
      steps: new Map<string, number>(),
    }))
    this.#byKey = new Map(this.#lanes.map((lane) => [lane.key, lane]))
  }

  add(found: Found): void {
    const { topic, partition, offset, bytes } = found.placed
    const lane = this.#byKey.get(partitionKey(topic, partition))
    // A record before the position that was asked for: an older fetch, on its way when it was changed.
    if (lane === undefined || offset < lane.next) return
    lane.waiting.push(found)
    lane.next = offset + 1
    // That it ends further on may have been said before.
    lane.reached = Math.max(lane.reached, offset + 1)
    this.bytes += bytes.length
  }

  /** A partition has been read up to here. */
  reached(where: Partition, offset: number): void {
    const lane = this.#byKey.get(partitionKey(where.topic, where.partition))
    if (lane !== undefined && offset > lane.reached) lane.reached = offset
  }

  /** What is to be read next. */
  wanted(): readonly ReadFrom[] {
    return this.#lanes.map(({ topic, partition, reached }) => ({ topic, partition, offset: reached }))
  }

  /** The newest step of each shard of which records wait for others. */
  waiting(): ReadonlyMap<string, number> {
    const newest = new Map<string, number>()
    for (const { waiting } of this.#lanes)
      for (const { placed } of waiting)
        newest.set(placed.shard, Math.max(newest.get(placed.shard) ?? 0, placed.step))
    return newest
  }

  /**
   * The partitions ended there, as seen when these steps waited: nothing is to come of them in one that
   * has been read up to there. True: all of them have been.
   */
  passed(ends: readonly number[], newest: ReadonlyMap<string, number>): boolean {
    let all = true
    for (const [i, { reached, steps }] of this.#lanes.entries()) {
      if (reached < ends[i]!) all = false
      else for (const [shard, step] of newest) steps.set(shard, Math.max(steps.get(shard) ?? 0, step))
    }
    return all
  }

  /** The next whole steps, until there are about so many bytes. */
  take(bytesMax: number): readonly Placed[] {
    const taken: Placed[] = []
    let bytes = 0
    while (taken.length === 0 || bytes < bytesMax) {
      const prefix = this.#next()
      if (prefix === undefined) break
      const parts = Array.from(prefix, ([lane, count]) =>
        lane.waiting.splice(0, count).map(({ placed }) => {
          lane.steps.set(placed.shard, Math.max(lane.steps.get(placed.shard) ?? 0, placed.step))
          bytes += placed.bytes.length
          return placed
        }),
      )
      taken.push(...inOrder(parts))
    }
    this.bytes -= bytes
    return taken
  }

  /** How many records of each lane are the next whole step, or steps, when they lie across each other. */
  #next(): ReadonlyMap<Lane, number> | undefined {
    // Of each shard its earliest step: a later one of it cannot come before.
    const heads = new Map<string, Found>()
    for (const { waiting } of this.#lanes) {
      const [head] = waiting
      if (head === undefined) continue
      const known = heads.get(head.placed.shard)
      if (known === undefined || head.placed.step < known.placed.step) heads.set(head.placed.shard, head)
    }
    for (const head of [...heads.values()].sort((a, b) => a.placed.time - b.placed.time)) {
      const closed = this.#closed(head)
      if (closed !== undefined) return closed
    }
    return undefined
  }

  /** All that has to come together with this record. Undefined: not all of it is here. */
  #closed(first: Found): ReadonlyMap<Lane, number> | undefined {
    const open: Found[] = [first]
    const known = new Set<string>()
    const counts = new Map<Lane, number>()
    for (let found = open.pop(); found !== undefined; found = open.pop()) {
      const { shard, step } = found.placed
      if (known.has(`${shard}\n${step}`)) continue
      known.add(`${shard}\n${step}`)
      for (const lane of this.#lanes) {
        const upTo = upToStep(lane, found)
        if (upTo === undefined) return undefined
        for (let i = counts.get(lane) ?? 0; i < upTo; i++) open.push(lane.waiting[i]!)
        counts.set(lane, Math.max(counts.get(lane) ?? 0, upTo))
      }
    }
    return counts
  }
}

/** The records of each partition as they lie there, and the steps of each shard in their order. */
const inOrder = (parts: readonly (readonly Placed[])[]): readonly Placed[] => {
  const left = parts.map((part) => [...part])
  const ordered: Placed[] = []
  const later = ({ shard, step }: Placed): boolean =>
    left.some((part) => (part.find((one) => one.shard === shard)?.step ?? step) < step)
  for (;;) {
    const some = left.filter((part) => part.length > 0)
    if (some.length <= 1) return [...ordered, ...(some[0] ?? [])]
    const next = some.find((part) => !later(part[0]!)) ?? some[0]!
    ordered.push(next.shift()!)
  }
}

/**
 * How many waiting records of a lane end with the last one of a step, or of an earlier one of its shard: the
 * steps of a shard are read in order. Undefined: some may still come.
 */
const upToStep = ({ key, waiting, steps }: Lane, { placed, counts }: Found): number | undefined => {
  const { shard, step } = placed
  // It stands for itself: of which steps it held records nobody knows.
  if (placed.schema === DAMAGED) return waiting.findIndex((one) => one.placed === placed) + 1
  const count = counts.get(key) ?? 0
  let upTo = 0
  let seen = 0
  for (const [i, one] of waiting.entries()) {
    if (one.placed.shard !== shard) continue
    if (one.placed.step > step) return upTo
    upTo = i + 1
    if (one.placed.step === step && ++seen === count) return upTo
  }
  return (steps.get(shard) ?? -1) >= step ? upTo : undefined
}
