import type { Partition, Placed, ReadFrom } from '../../graph/port.ts'
import { partitionKey } from '../log.ts'
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
   * The partitions ended there, as seen when these steps waited. True: all of them have been read up to
   * there, so that nothing is to come of these steps.
   */
  passed(ends: readonly number[], newest: ReadonlyMap<string, number>): boolean {
    if (this.#lanes.some(({ reached }, i) => reached < ends[i]!)) return false
    for (const { steps } of this.#lanes)
      for (const [shard, step] of newest) steps.set(shard, Math.max(steps.get(shard) ?? 0, step))
    return true
  }

  /** The next whole steps, until there are about so many bytes. */
  take(bytesMax: number): readonly Placed[] {
    const taken: Placed[] = []
    let bytes = 0
    while (taken.length === 0 || bytes < bytesMax) {
      const prefix = this.#next()
      if (prefix === undefined) break
      for (const [lane, count] of prefix) {
        for (const { placed } of lane.waiting.splice(0, count)) {
          lane.steps.set(placed.shard, Math.max(lane.steps.get(placed.shard) ?? 0, placed.step))
          bytes += placed.bytes.length
          taken.push(placed)
        }
      }
    }
    this.bytes -= bytes
    return taken
  }

  /** How many records of each lane are the next whole step, or steps, when they lie across each other. */
  #next(): ReadonlyMap<Lane, number> | undefined {
    const heads = this.#lanes.filter(({ waiting }) => waiting.length > 0)
    heads.sort((a, b) => a.waiting[0]!.placed.time - b.waiting[0]!.placed.time)
    for (const { waiting } of heads) {
      const closed = this.#closed(waiting[0]!)
      if (closed !== undefined) return closed
    }
    return undefined
  }

  /** All that has to come together with this record. Undefined: not all of it is here. */
  #closed(first: Found): ReadonlyMap<Lane, number> | undefined {
    const open: Found[] = [first]
    const known = new Set<string>()
    const steps = new Map<string, number>()
    const counts = new Map<Lane, number>()
    for (let found = open.pop(); found !== undefined; found = open.pop()) {
      const { shard, step } = found.placed
      if (known.has(`${shard}\n${step}`)) continue
      known.add(`${shard}\n${step}`)
      steps.set(shard, Math.max(steps.get(shard) ?? 0, step))
      for (const [key, count] of found.counts) {
        const lane = this.#byKey.get(key)
        if (lane === undefined) continue
        const upTo = upToStep(lane, found, count)
        if (upTo === undefined) return undefined
        for (let i = counts.get(lane) ?? 0; i < upTo; i++) open.push(lane.waiting[i]!)
        counts.set(lane, Math.max(counts.get(lane) ?? 0, upTo))
      }
    }
    for (const lane of this.#lanes) if (!counts.has(lane) && !pastAll(lane, steps)) return undefined
    return new Map(
      this.#lanes.flatMap((lane) => (counts.has(lane) ? [[lane, counts.get(lane)!] as const] : [])),
    )
  }
}

/** No earlier step of these shards is still to come there: the steps of a shard are read in order. */
const pastAll = (lane: Lane, steps: ReadonlyMap<string, number>): boolean => {
  for (const [shard, step] of steps) {
    const first = lane.waiting.find(({ placed }) => placed.shard === shard)?.placed.step
    if (first === undefined ? (lane.steps.get(shard) ?? -1) < step : first < step) return false
  }
  return true
}

/** How many waiting records of a lane end with the last one of a step. Undefined: some may still come. */
const upToStep = ({ waiting, steps }: Lane, { placed }: Found, count: number): number | undefined => {
  const { shard, step } = placed
  let upTo = 0
  let seen = 0
  let past = (steps.get(shard) ?? -1) >= step
  for (const [i, one] of waiting.entries()) {
    if (one.placed.shard !== shard) continue
    if (one.placed.step > step) {
      past = true
      break
    }
    if (one.placed.step < step) continue
    upTo = i + 1
    if (++seen === count) break
  }
  return seen === count || past ? upTo : undefined
}
