import { readBatch, rowOf } from '../graph/batch.ts'
import type { Placed } from '../graph/port.ts'
import { present } from '../graph/present.ts'
import { logged } from '../graph/schema.ts'
import type { AnyTopic } from '../graph/topic.ts'

/** A logged row, with `_order`. */
type Row = Readonly<Record<string, unknown>>

/**
 * The rows of records in the order in which they were made: step by step, and within a step by `_order`. The
 * records of a step come one behind the other, whatever their topics.
 */
export class StepRows {
  readonly #show: (step: number, topic: AnyTopic, row: Row) => void
  #shard = ''
  #step = -1
  #rows: { readonly topic: AnyTopic; readonly row: Row }[] = []

  constructor(show: (step: number, topic: AnyTopic, row: Row) => void) {
    this.#show = show
  }

  take(topic: AnyTopic, record: Placed): void {
    if (record.step !== this.#step || record.shard !== this.#shard) this.end()
    this.#shard = record.shard
    this.#step = record.step
    const batch = readBatch(logged(topic.schema), present(topic.schema, record).bytes)
    for (let i = 0; i < batch.rows; i++) this.#rows.push({ topic, row: rowOf(batch, i) })
  }

  /** The step is over. */
  end(): void {
    this.#rows.sort((a, b) => (a.row['_order'] as number) - (b.row['_order'] as number))
    for (const { topic, row } of this.#rows) this.#show(this.#step, topic, row)
    this.#rows = []
  }
}
