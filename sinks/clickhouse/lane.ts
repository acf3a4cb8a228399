import { readBatch } from '../../graph/batch.ts'
import type { Clock, ObjectStore, Placed } from '../../graph/port.ts'
import { present } from '../../graph/present.ts'
import { logged } from '../../graph/schema.ts'
import { bounds } from '../bounds.ts'
import { overtaken } from '../registration.ts'
import { Claims } from './claim.ts'
import type { Claim } from './claim.ts'
import { otherLog, settle } from './settle.ts'
import type { ClickhouseSink } from './sink.ts'
import { HIGH } from './tables.ts'
import type { Tables } from './tables.ts'

/** What one claim may hold, and how long its first row may wait for company. */
export interface Limits {
  readonly rowsMax: number
  readonly bytesMax: number
  readonly lingerMs: number
}

/** What a lane works with. */
export interface Around {
  readonly tables: Tables
  readonly objects: ObjectStore
  readonly clock: Clock
  readonly limits: Limits
}

interface Waiting {
  readonly record: Placed
  /** The day or month of the table that its rows go to, or the first and last of several. */
  readonly part: string
  /** The newest time in it, microseconds. */
  readonly newest: number
}

const DAY_US = 86_400_000_000

/**
 * One topic partition on its way into one table: what waits, what is claimed, and how far the table is
 * complete. It begins where the newest claim begins, and looks before it writes until it is past all that may
 * be there already.
 */
export class Lane {
  readonly sink: ClickhouseSink
  readonly topic: string
  readonly partition: number
  /** All records before this offset are complete in the table. */
  next = 0
  /** Rows inserted since the lane began, for status. */
  loaded = 0
  bytes = 0
  busy = false
  readonly #around: Around
  readonly #claims: Claims
  readonly #queue: Waiting[] = []
  #claim: Claim | undefined
  #doubtTo = -1
  #since = 0

  constructor(around: Around, sink: ClickhouseSink, uuid: string, topic: string, partition: number) {
    this.#around = around
    this.sink = sink
    this.topic = topic
    this.partition = partition
    this.#claims = new Claims(around.objects, `positions/clickhouse/${uuid}/${topic}/${partition}`)
  }

  /**
   * Find where to begin. `end` says what the log has of the partition; it is asked last, for another may be
   * loading. `registered`: where the sink was to begin when it first ran. Rejects with KT3002 where nothing
   * was ever loaded, and retention has passed that.
   */
  async begin(
    end: () => Promise<{ readonly first: number; readonly next: number }>,
    registered: number | undefined,
  ): Promise<void> {
    const claim = await this.#claims.newest()
    const high = await this.#high()
    const log = await end()
    // Without a TTL nothing leaves the table by itself: empty, it was truncated, and is loaded again.
    const truncated = high < 0 && this.sink.ttlDays === undefined
    const known = claim !== undefined && !truncated
    // Its last record comes last: the log need not have it any more.
    const done = known && claim.first < log.first && high >= claim.last
    this.next = done ? claim.last + 1 : known ? claim.first : log.first
    this.#claim = known && !done ? claim : undefined
    this.#doubtTo = Math.max(high, claim?.last ?? -1)
    const passed = registered !== undefined && registered < log.first
    if (this.#doubtTo < 0 && passed && !(await this.#everLoaded())) {
      const { topic, partition } = this
      throw overtaken(this.sink, this.sink.table, { topic, partition, wanted: registered, first: log.first })
    }
    if (this.#doubtTo >= log.next)
      throw otherLog(this.sink.table, `${this.topic}/${this.partition} at ${this.#doubtTo}`)
  }

  /** Into this table, or one before it that somebody moved away. */
  async #everLoaded(): Promise<boolean> {
    const claims = `/${this.topic}/${this.partition}/`
    return (await this.#around.objects.list('positions/clickhouse/')).some((path) => path.includes(claims))
  }

  async #high(): Promise<number> {
    const rows = await this.#around.tables.query(HIGH, { table: this.sink.table, topic: this.topic })
    const row = rows.find((one) => Number(one['_part']) === this.partition)
    return row === undefined ? -1 : Number(row['high'])
  }

  add(record: Placed): void {
    if (this.#queue.length === 0) this.#since = this.#around.clock.now()
    this.#queue.push(waiting(this.sink, present(this.sink.schema, record)))
    this.bytes += record.bytes.length
  }

  /** Microseconds until what waits should be inserted: 0 when it is due, undefined when nothing waits. */
  dueIn(): number | undefined {
    if (this.#queue.length === 0 || this.busy) return undefined
    const { whole, count } = this.#cut()
    if (count === 0) return undefined
    if (whole) return 0
    return Math.max(0, this.#since + this.#around.limits.lingerMs * 1000 - this.#around.clock.now())
  }

  /** How many records the next claim takes from the queue, and whether more would not fit into it. */
  #cut(): { readonly count: number; readonly whole: boolean } {
    if (this.#claim !== undefined) {
      const { last } = this.#claim
      const beyond = this.#queue.findIndex(({ record }) => record.offset >= last)
      if (beyond < 0) return { count: 0, whole: false }
      return { count: beyond + 1, whole: true }
    }
    const { rowsMax, bytesMax } = this.#around.limits
    let rows = 0
    let bytes = 0
    for (const [count, { record }] of this.#queue.entries()) {
      rows += record.rows
      bytes += record.bytes.length
      if (count > 0 && (rows > rowsMax || bytes > bytesMax)) return { count, whole: true }
    }
    return { count: this.#queue.length, whole: rows >= rowsMax || bytes >= bytesMax }
  }

  /**
   * Claim what is due, and bring it into the table. Rejects when the outcome is not known: then a new lane
   * begins.
   */
  async flush(): Promise<void> {
    const { count } = this.#cut()
    const batch = this.#queue.slice(0, count)
    if (this.#claim === undefined) {
      const wanted = { first: batch[0]!.record.offset, last: batch.at(-1)!.record.offset }
      const { claim, ours } = await this.#claims.take(wanted)
      if (!ours) this.#doubtTo = Math.max(this.#doubtTo, claim.last)
      this.#claim = claim
      if (claim.last !== wanted.last) return
    }
    const { tables, clock } = this.#around
    const oldest = this.sink.ttlDays === undefined ? -Infinity : clock.now() - this.sink.ttlDays * DAY_US
    this.loaded += await settle(tables, clock, {
      sink: this.sink,
      records: batch.map(({ record, part, newest }) => ({ ...record, part, expired: newest < oldest })),
      doubt: batch[0]!.record.offset <= this.#doubtTo,
    })
    this.#advance(count)
  }

  #advance(count: number): void {
    const done = this.#queue.splice(0, count)
    for (const { record } of done) this.bytes -= record.bytes.length
    this.next = done.at(-1)!.record.offset + 1
    this.#claim = undefined
    this.#since = this.#around.clock.now()
  }
}

const waiting = (sink: ClickhouseSink, record: Placed): Waiting => {
  const batch = readBatch(logged(sink.schema), record.bytes)
  const times = batch.columns.find(({ column }) => column.name === sink.clock)!
  const [oldest, newest] = bounds(times, batch.rows) ?? [record.time, record.time]
  const [first, last] = [partOf(sink, oldest), partOf(sink, newest)]
  return { record, newest, part: first === last ? first : `${first} ${last}` }
}

const partOf = (sink: ClickhouseSink, time: number): string =>
  new Date(Math.floor(time / 1000)).toISOString().slice(0, sink.partitionBy === 'month' ? 7 : 10)
