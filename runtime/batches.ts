import { Columns } from '../graph/columns.ts'
import { Layout } from '../graph/layout.ts'
import type { LogRecord } from '../graph/port.ts'
import { cellsOf } from '../graph/row.ts'
import { logged, schemaId } from '../graph/schema.ts'
import type { AnySchema } from '../graph/schema.ts'
import { partitionOf } from '../graph/topic.ts'
import type { AnyTopic } from '../graph/topic.ts'

const DAY = 86_400_000_000

interface Filling {
  readonly topic: AnyTopic
  readonly partition: number
  readonly columns: Columns
  /** Where the time stands in cells of its schema that says to which day a row belongs. */
  readonly timed: number
  day: number
}

/**
 * The rows of the step being made, by topic partition. A batch ends at a row bound and at a UTC date of
 * `received`, so that no batch spans two table partitions or lake folders.
 */
export class Batches {
  readonly #rowsMax: number
  readonly #fixed: ReadonlyMap<string, number>
  readonly #filling = new Map<string, Filling[]>()
  /** The batches of one step: the log has copied them by the time that the next one begins. */
  readonly #layout = new Layout()
  /** The topic of the last row: mostly that of the next one. */
  #topic: AnyTopic | undefined
  #partitions: readonly Filling[] = []
  #records: LogRecord[] = []
  /** Rows since the last step, over all topics: the next row's order. */
  rows = 0

  /** `fixed`: topics whose rows go to one partition, whatever their key. */
  constructor(topics: readonly AnyTopic[], rowsMax: number, fixed: ReadonlyMap<string, number> = new Map()) {
    this.#rowsMax = rowsMax
    this.#fixed = fixed
    for (const topic of topics) {
      const partitions = Array.from({ length: topic.partitions }, (_, partition) => ({
        topic,
        partition,
        columns: new Columns(logged(topic.schema)),
        timed: timedOf(topic.schema),
        day: 0,
      }))
      this.#filling.set(topic.name, partitions)
    }
  }

  /** `order`: the row's place in the step. */
  add(topic: AnyTopic, row: object, order = this.rows): void {
    if (topic !== this.#topic) {
      this.#topic = topic
      this.#partitions = this.#filling.get(topic.name)!
    }
    const partitions = this.#partitions
    const filling =
      partitions[
        partitions.length === 1
          ? 0
          : (this.#fixed.get(topic.name) ?? partitionOf(topic.key.of(row as never), partitions.length))
      ]!
    const { columns, timed } = filling
    const cells = cellsOf(row)
    const day = Math.floor((cells === undefined ? timeOf(row) : cells.numbers[timed]!) / DAY)
    if (columns.rows > 0 && (day !== filling.day || columns.rows >= this.#rowsMax)) this.#cut(filling)
    filling.day = day
    columns.add(row, order, cells)
    this.rows++
  }

  /**
   * All batches of the step, in the order of the topics; the next step begins. Their bytes are valid until a
   * row is added to it.
   */
  take(): readonly LogRecord[] {
    for (const partitions of this.#filling.values()) {
      for (const filling of partitions) if (filling.columns.rows > 0) this.#cut(filling)
    }
    const records = this.#records
    this.#records = []
    this.rows = 0
    return records
  }

  #cut({ topic, partition, columns }: Filling): void {
    if (this.#records.length === 0) this.#layout.clear()
    const { rows, bytes } = columns.take(this.#layout)
    this.#records.push({ topic: topic.name, partition, schema: schemaId(topic.schema), rows, bytes })
  }
}

const timeOf = (row: object): number => {
  const { received, time } = row as { readonly received?: number; readonly time?: number }
  return received ?? time ?? 0
}

const timedOf = ({ columns }: AnySchema): number => {
  const received = columns.findIndex(({ name }) => name === 'received')
  return received < 0 ? columns.findIndex(({ name }) => name === 'time') : received
}
