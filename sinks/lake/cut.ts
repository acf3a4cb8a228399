import { readBatch, wholeAt } from '../../graph/batch.ts'
import type { Batch } from '../../graph/batch.ts'
import type { Placed } from '../../graph/port.ts'
import { present } from '../../graph/present.ts'
import { logged, schemaId } from '../../graph/schema.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { joined, picked } from '../arrow.ts'
import { bounds } from './stats.ts'
import { timeColumn } from './schema.ts'

const DAY = 86_400_000_000

/**
 * When a file is full. Rows and bytes are those of the log; a record larger than a bound is a file by itself.
 */
export interface Bounds {
  readonly rowsMax: number
  readonly bytesMax: number
  /** Also cut where the received time enters another window of this length; 0: time does not cut. */
  readonly windowMs: number
}

/**
 * Whole records of one topic partition, in order, that go into one file (one a date, if a record crosses
 * midnight).
 */
export interface Cut {
  readonly topic: string
  readonly partition: number
  readonly first: number
  readonly last: number
  /** Behind the records before it: offsets may have holes, so that its first one need not be there. */
  readonly from: number
  readonly rows: number
  readonly bytes: number
  /** The window of its records, when time cuts; by it commits of several partitions are put in order. */
  readonly window: number
  /** The newest received time in it, microseconds. */
  readonly time: number
  readonly records: readonly Placed[]
}

interface Span {
  readonly low: number
  readonly high: number
}

/**
 * Gathers the records of one topic partition into cuts. Where it cuts depends on the records alone, never on
 * how the reader happened to hand them over, so the same log gives the same files.
 */
export class Gatherer {
  readonly #schema: AnySchema
  readonly #bounds: Bounds
  readonly #column: number
  #records: Placed[] = []
  #rows = 0
  #bytes = 0
  #time = -Infinity
  #day = NaN
  #window = NaN
  #from: number

  /** `from`: where the records begin. */
  constructor(schema: AnySchema, bounds: Bounds, from: number) {
    this.#from = from
    this.#schema = schema
    this.#bounds = bounds
    const name = timeColumn(schema)
    this.#column = schema.columns.findIndex((column) => column.name === name)
  }

  get empty(): boolean {
    return this.#records.length === 0
  }

  /**
   * Add the next record. What it completes is handed back: nothing, the records before it, or these and
   * itself.
   */
  add(logged: Placed): readonly Cut[] {
    const record = present(this.#schema, logged)
    const span = this.#spanOf(record)
    const done: Cut[] = []
    if (!this.empty && this.#endsBefore(record, span)) done.push(...this.take())
    this.#records.push(record)
    this.#rows += record.rows
    this.#bytes += record.bytes.length
    this.#time = Math.max(this.#time, span.high)
    this.#day = dayOf(span.high)
    this.#window = this.#windowOf(span)
    const full = this.#rows >= this.#bounds.rowsMax || this.#bytes >= this.#bounds.bytesMax
    if (full || dayOf(span.low) !== dayOf(span.high)) done.push(...this.take())
    return done
  }

  /** What was gathered so far, and begin again. */
  take(): readonly Cut[] {
    if (this.empty) return []
    const records = this.#records
    const { topic, partition, offset: first } = records[0]!
    const last = records.at(-1)!.offset
    const cut = {
      topic,
      partition,
      first,
      last,
      from: this.#from,
      rows: this.#rows,
      bytes: this.#bytes,
      window: this.#window,
      time: this.#time,
      records,
    }
    this.#from = last + 1
    this.#records = []
    this.#rows = 0
    this.#bytes = 0
    this.#time = -Infinity
    return [cut]
  }

  #endsBefore(record: Placed, span: Span): boolean {
    const { rowsMax, bytesMax } = this.#bounds
    if (this.#rows + record.rows > rowsMax || this.#bytes + record.bytes.length > bytesMax) return true
    return dayOf(span.low) !== this.#day || this.#windowOf(span) !== this.#window
  }

  #windowOf(span: Span): number {
    const { windowMs } = this.#bounds
    return windowMs === 0 ? 0 : Math.floor(span.high / (windowMs * 1000))
  }

  /** The record's first and last received time. `joined` is what refuses a record of another schema. */
  #spanOf(record: Placed): Span {
    if (this.#column < 0) return { low: record.time, high: record.time }
    const batch =
      record.schema === schemaId(this.#schema)
        ? readBatch(logged(this.#schema), record.bytes)
        : joined(this.#schema, [record])
    const found = bounds(batch.columns[this.#column]!, batch.rows)
    return found === undefined ? { low: record.time, high: record.time } : { low: found[0], high: found[1] }
  }
}

const dayOf = (micros: number): number => Math.floor(micros / DAY)

/** The rows of a cut, by date. Nearly always one date: the log cuts its records at midnight too. */
export const byDate = (
  schema: AnySchema,
  cut: Cut,
): readonly { readonly day: number; readonly batch: Batch }[] => {
  const batch = joined(schema, cut.records)
  const name = timeColumn(schema)
  const times = batch.columns.find(({ column }) => column.name === name)
  if (times === undefined) return [{ day: dayOf(cut.time) * DAY, batch }]
  const found = bounds(times, batch.rows)
  if (found === undefined) return []
  if (dayOf(found[0]) === dayOf(found[1])) return [{ day: dayOf(found[0]) * DAY, batch }]
  const days = new Map<number, number[]>()
  for (let row = 0; row < batch.rows; row++) {
    const day = dayOf(wholeAt(times.values, row)) * DAY
    const rows = days.get(day)
    if (rows === undefined) days.set(day, [row])
    else rows.push(row)
  }
  return [...days].sort(([a], [b]) => a - b).map(([day, rows]) => ({ day, batch: picked(batch, rows) }))
}
