import { readBatch } from '../graph/batch.ts'
import type { Batch } from '../graph/batch.ts'
import type { Stage } from '../graph/plan.ts'
import type { Placed } from '../graph/port.ts'
import { present } from '../graph/present.ts'
import { logged } from '../graph/schema.ts'
import type { AnyTopic } from '../graph/topic.ts'
import { causeOf, emittedOf } from './order.ts'

/** A row to be consumed: its topic, where it lies in a batch, and of which row of the sources it comes. */
export interface Due {
  readonly topic: AnyTopic
  readonly batch: Batch
  readonly at: number
  readonly cause: number
}

/** All that is to be consumed of one step of the graph. */
export interface DueStep {
  readonly step: number
  /** The newest received time in it. */
  readonly time: number
  readonly records: readonly Placed[]
  readonly rows: readonly Due[]
}

interface Reading {
  readonly shard: string
  /** The producer wrote nothing of this step or an earlier one that has not been taken. */
  seen: number
  waiting: Placed[]
}

/**
 * Puts what several shards wrote into one order that depends on the rows alone: by the step of the sources
 * that they follow from, by the source's row in it, that row itself before what follows from it, stage by
 * stage, and then as they were made. A step is due when every producer is known to have come so far.
 */
export class Merge {
  readonly #readings: readonly Reading[]
  readonly #topics: ReadonlyMap<string, AnyTopic>
  /** kt's own topics: there only the sources' rows are for operators; others say how far a shard is. */
  readonly #system: ReadonlySet<string>
  readonly #levels: ReadonlyMap<string, number>

  /** `shards`: of the graph, in the order of its stages; the first reads the sources. */
  constructor({ reads, writes }: Stage, producers: readonly string[], shards: readonly string[]) {
    this.#readings = producers.map((shard) => ({ shard, seen: 0, waiting: [] }))
    this.#topics = new Map(reads.map((topic) => [topic.name, topic]))
    this.#system = new Set(writes.filter(({ from }) => from.length === 0).map(({ topic }) => topic.name))
    this.#levels = new Map(shards.map((shard, level) => [shard, level]))
  }

  /** The producers that are least far: no step is due until they have moved. */
  behind(): readonly number[] {
    const least = Math.min(...this.#readings.map((one) => one.seen))
    return this.#readings.flatMap((one, at) => (one.seen === least ? [at] : []))
  }

  /** How far the others are seen to be. */
  beyond(at: number): number {
    return Math.max(0, ...this.#readings.map((one, other) => (other === at ? 0 : one.seen)))
  }

  /** The next records of a producer. A read gives whole steps, so the last of them is complete too. */
  take(at: number, records: readonly Placed[]): void {
    const reading = this.#readings[at]!
    for (const record of records) {
      reading.waiting.push(record)
      // Another shard wrote the topic before this one, which went on where that ended.
      if (record.shard === reading.shard || !this.#system.has(record.topic)) reading.seen = record.step
    }
  }

  /** A producer is known to have come so far. False: it was known before. */
  reach(at: number, step: number): boolean {
    const reading = this.#readings[at]!
    if (step <= reading.seen) return false
    reading.seen = step
    return true
  }

  /** The next step that is due. */
  next(): DueStep | undefined {
    const upTo = Math.min(...this.#readings.map((one) => one.seen))
    const step = Math.min(...this.#readings.map((one) => one.waiting[0]?.step ?? Number.POSITIVE_INFINITY))
    if (step > upTo || step === Number.POSITIVE_INFINITY) return undefined
    const records = this.#readings.flatMap((one) => {
      const rest = one.waiting.findIndex((record) => record.step !== step)
      return one.waiting.splice(0, rest < 0 ? one.waiting.length : rest)
    })
    const time = records.reduce((newest, record) => Math.max(newest, record.time), 0)
    return { step, time, records, rows: this.#rowsOf(records) }
  }

  #rowsOf(records: readonly Placed[]): readonly Due[] {
    return records.flatMap((record) => this.#placed(this.#topics.get(record.topic)!, record)).sort(inOrder)
  }

  #placed(topic: AnyTopic, record: Placed): readonly Ordered[] {
    const { shard, partition } = record
    const level = this.#levels.get(shard) ?? this.#levels.size
    if (level > 0 && this.#system.has(topic.name)) return []
    const batch = readBatch(logged(topic.schema), present(topic.schema, record).bytes)
    const { values } = batch.columns.at(-1)!
    return Array.from(new Int32Array(values.buffer, values.byteOffset, batch.rows), (order, at): Ordered => {
      const [cause, emitted] = level === 0 ? [order, 0] : [causeOf(order), emittedOf(order)]
      return { topic, batch, at, partition, cause, level, emitted }
    })
  }
}

interface Ordered extends Due {
  readonly partition: number
  readonly level: number
  readonly emitted: number
}

/** Rows that are equal in all of this are of one partition, and a stable sort leaves them as they lie. */
const inOrder = (one: Ordered, other: Ordered): number =>
  one.cause - other.cause ||
  one.level - other.level ||
  one.emitted - other.emitted ||
  (one.topic.name < other.topic.name ? -1 : one.topic.name > other.topic.name ? 1 : 0) ||
  one.partition - other.partition
