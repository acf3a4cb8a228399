import { readBatch, wholeAt } from '../../graph/batch.ts'
import type { Batch, Buffers } from '../../graph/batch.ts'
import type { Placed } from '../../graph/port.ts'
import { present } from '../../graph/present.ts'
import { logged } from '../../graph/schema.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { joined, picked } from '../arrow.ts'
import { bounds } from '../bounds.ts'
import { timeColumn } from './schema.ts'

const DAY = 86_400_000_000

/**
 * When a file is full. Rows and bytes are those of the log; a record larger than a bound is a file by itself.
 */
export interface Bounds {
  readonly rowsMax: number
  readonly bytesMax: number
  /** Also cut where the received time enters a later window of this length; 0: it cuts at midnight alone. */
  readonly windowMs: number
}

/**
 * Whole records of one topic partition, in order, that go into one file, or one a date where rows of older
 * dates lie between.
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
  /** Its latest window, when time cuts; by it commits of several partitions are put in order. */
  readonly window: number
  /** The oldest and the newest received time in it, microseconds. */
  readonly oldest: number
  readonly time: number
  readonly records: readonly Placed[]
}

interface Span {
  readonly low: number
  readonly high: number
}

/**
 * Gathers the records of one topic partition into cuts. Where it cuts depends on the records alone, never on
 * how the reader happened to hand them over, so the same log gives the same files. Time cuts where a record
 * is of a later day or window than all before it: late ones, and days that come in turns over midnight, make
 * no fragments.
 */
export class Gatherer {
  readonly #schema: AnySchema
  readonly #bounds: Bounds
  #records: Placed[] = []
  #rows = 0
  #bytes = 0
  #oldest = Infinity
  #time = -Infinity
  #window = -Infinity
  #from: number

  /** `from`: the position of their partition that the records follow. */
  constructor(schema: AnySchema, bounds: Bounds, from: number) {
    this.#from = from
    this.#schema = schema
    this.#bounds = bounds
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
    const span = spanOf(this.#schema, record)
    const done: Cut[] = []
    if (!this.empty && this.#endsBefore(record, span)) done.push(...this.take())
    this.#records.push(record)
    this.#rows += record.rows
    this.#bytes += record.bytes.length
    this.#oldest = Math.min(this.#oldest, span.low)
    this.#time = Math.max(this.#time, span.high)
    this.#window = Math.max(this.#window, this.#windowOf(span))
    if (this.#rows >= this.#bounds.rowsMax || this.#bytes >= this.#bounds.bytesMax) done.push(...this.take())
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
      oldest: this.#oldest,
      time: this.#time,
      records,
    }
    this.#from = last + 1
    this.#records = []
    this.#rows = 0
    this.#bytes = 0
    this.#oldest = Infinity
    this.#time = this.#window = -Infinity
    return [cut]
  }

  #endsBefore(record: Placed, span: Span): boolean {
    const { rowsMax, bytesMax } = this.#bounds
    if (this.#rows + record.rows > rowsMax || this.#bytes + record.bytes.length > bytesMax) return true
    return dayOf(span.low) > dayOf(this.#time) || this.#windowOf(span) > this.#window
  }

  #windowOf(span: Span): number {
    const { windowMs } = this.#bounds
    return windowMs === 0 ? 0 : Math.floor(span.high / (windowMs * 1000))
  }
}

const dayOf = (micros: number): number => Math.floor(micros / DAY)

/** The times that decide of which date rows are; none: that of the step stands for all rows of a record. */
const timesOf = (schema: AnySchema, batch: Batch): Buffers | undefined => {
  const name = timeColumn(schema)
  return batch.columns.find(({ column }) => column.name === name)
}

const spanOf = (schema: AnySchema, { bytes, time }: Placed): Span => {
  const batch = readBatch(logged(schema), bytes)
  const times = timesOf(schema, batch)
  const [low, high] = (times === undefined ? undefined : bounds(times, batch.rows)) ?? [time, time]
  return { low, high }
}

/** The rows of a cut, by date. Nearly always it has one, and so have records: the log cuts at midnight. */
export const byDate = (
  schema: AnySchema,
  cut: Cut,
): readonly { readonly day: number; readonly batch: Batch }[] => {
  if (cut.rows === 0) return []
  const day = dayOf(cut.oldest)
  if (day === dayOf(cut.time)) return [{ day: day * DAY, batch: joined(schema, cut.records) }]
  const days = new Map<number, { readonly records: Placed[]; mixed: boolean }>()
  for (const record of cut.records) {
    const span = spanOf(schema, record)
    const mixed = dayOf(span.low) !== dayOf(span.high)
    for (const day of mixed ? daysIn(schema, record) : [dayOf(span.low)]) {
      const its = days.get(day) ?? { records: [], mixed: false }
      its.records.push(record)
      its.mixed ||= mixed
      days.set(day, its)
    }
  }
  return [...days]
    .sort(([a], [b]) => a - b)
    .map(([day, { records, mixed }]) => {
      const batch = joined(schema, records)
      return { day: day * DAY, batch: mixed ? picked(batch, rowsOfDay(schema, batch, day)) : batch }
    })
    .filter(({ batch }) => batch.rows > 0)
}

const daysIn = (schema: AnySchema, { bytes }: Placed): ReadonlySet<number> => {
  const batch = readBatch(logged(schema), bytes)
  const { values } = timesOf(schema, batch)!
  return new Set(Array.from({ length: batch.rows }, (_, row) => dayOf(wholeAt(values, row))))
}

const rowsOfDay = (schema: AnySchema, batch: Batch, day: number): readonly number[] => {
  const { values } = timesOf(schema, batch)!
  const rows: number[] = []
  for (let row = 0; row < batch.rows; row++) if (dayOf(wholeAt(values, row)) === day) rows.push(row)
  return rows
}
