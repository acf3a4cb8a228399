import { Columns } from '../../graph/columns.ts'
import { HostError } from '../../graph/error.ts'
import type { Log, LogReader, Partition, Placed, ReadFrom } from '../../graph/port.ts'
import { logged, schemaId, snake } from '../../graph/schema.ts'
import type { AnyTopic } from '../../graph/topic.ts'
import { tableName } from '../lake/schema.ts'
import type { LakeReader } from './duckdb.ts'
import type { LakeValue } from './duckdb-value.ts'

/** Topics as their tables in a lake hold them: each record again as it was logged, since its rows are. */
export interface LakeLogOptions {
  readonly reader: LakeReader
  readonly topics: readonly AnyTopic[]
  /** Which shard wrote a partition: files do not say. */
  readonly shardOf: (of: Partition) => string
}

type End = Awaited<ReturnType<Log['ends']>>[number]
type Row = Readonly<Record<string, LakeValue>>

/** Rows that are asked for at a time. */
const PAGE_ROWS = 50_000

/**
 * Read topics from a lake as from a log: whole steps, in the order of their steps. It begins where the tables
 * begin, whatever a log still has, and ends where they end when it is first asked. Rejects with KT3413 when a
 * record has not all of its rows.
 */
export const lakeLog = (options: LakeLogOptions): Pick<Log, 'read' | 'ends' | 'close'> => {
  const { reader, topics, shardOf } = options
  const load = async (): Promise<readonly End[]> => {
    const found: End[] = []
    for (const topic of topics) {
      const { rows } = await reader.query(
        `SELECT _part AS partition, min(_off) AS first, max(_off) + 1 AS next, count(*) AS rows
         FROM "${tableName(topic.schema)}" WHERE _topic = '${topic.name}' GROUP BY ALL ORDER BY ALL`,
      )
      for (const { partition, first, next, rows: many } of rows)
        found.push({
          topic: topic.name,
          partition: Number(partition),
          first: Number(first),
          next: Number(next),
          rows: Number(many),
          bytes: -1,
        })
    }
    return found
  }
  let known: Promise<readonly End[]> | undefined
  const ends = (): Promise<readonly End[]> => (known ??= load())
  return {
    ends,
    read: async (from) => {
      const all = await ends()
      const cursors = from.flatMap((one): Cursor[] => {
        const end = all.find(({ topic, partition }) => topic === one.topic && partition === one.partition)
        const topic = topics.find(({ name }) => name === one.topic)
        return end === undefined || topic === undefined
          ? []
          : [new Cursor(reader, topic, one, end, shardOf(one))]
      })
      return inSteps(cursors)
    },
    close: () => Promise.resolve(reader.close()),
  }
}

/** The records of several partitions, step by step, as whoever wrote them did. */
const inSteps = (cursors: readonly Cursor[]): LogReader => ({
  read: async (bytesMax) => {
    const found: Placed[] = []
    let bytes = 0
    while (bytes < bytesMax) {
      for (const cursor of cursors) await cursor.fill()
      const step = Math.min(...cursors.map(({ step }) => step))
      if (step === Infinity) break
      for (const cursor of cursors)
        for (const record of cursor.take(step)) {
          found.push(record)
          bytes += record.bytes.length
        }
    }
    return found
  },
  close: () => Promise.resolve(),
})

/** One partition of a topic, page by page. */
class Cursor {
  readonly #reader: LakeReader
  readonly #topic: AnyTopic
  readonly #partition: number
  readonly #shard: string
  readonly #select: string
  readonly #columns: Columns
  /** Offsets of a page, so many that it has about as many rows as wanted. */
  readonly #width: number
  readonly #end: number
  #at: number
  #records: Placed[] = []

  constructor(reader: LakeReader, topic: AnyTopic, from: ReadFrom, end: End, shard: string) {
    this.#reader = reader
    this.#topic = topic
    this.#partition = from.partition
    this.#shard = shard
    this.#columns = new Columns(logged(topic.schema))
    this.#at = Math.max(from.offset, end.first)
    this.#end = end.next
    this.#width = Math.max(1, Math.round((PAGE_ROWS * (end.next - end.first)) / Math.max(1, end.rows)))
    const asked = topic.schema.columns.map(({ name, kind }) => {
      const column = kind === 'micros' ? `epoch_us("${snake(name)}")` : `"${snake(name)}"`
      return `${column} AS "${name}"`
    })
    const own = ['_off', '_row', '_step', '_epoch', '_order']
    this.#select = `SELECT ${[...own, ...asked].join(', ')} FROM "${tableName(topic.schema)}"
      WHERE _topic = '${topic.name}' AND _part = ${from.partition}`
  }

  /** The step of its next record; infinite: there is none. */
  get step(): number {
    return this.#records[0]?.step ?? Infinity
  }

  /** Have the next records, and all of the last one's step, unless it has come to its end. */
  async fill(): Promise<void> {
    while (this.#at < this.#end && (this.#records.length === 0 || this.step === this.#records.at(-1)!.step)) {
      const to = Math.min(this.#end, this.#at + this.#width)
      const { rows } = await this.#reader.query(
        `${this.#select} AND _off >= ${this.#at} AND _off < ${to} ORDER BY _off, _row`,
      )
      this.#at = to
      for (const group of grouped(rows)) this.#records.push(this.#record(group))
    }
  }

  take(step: number): readonly Placed[] {
    const rest = this.#records.findIndex((record) => record.step !== step)
    return this.#records.splice(0, rest < 0 ? this.#records.length : rest)
  }

  #record(rows: readonly Row[]): Placed {
    const [first] = rows as [Row]
    const offset = Number(first['_off'])
    let time = 0
    for (const [at, row] of rows.entries()) {
      if (Number(row['_row']) !== at) throw torn(this.#topic.name, this.#partition, offset)
      time = Math.max(time, Number(row['received'] ?? row['time'] ?? 0))
      this.#columns.add(row, Number(row['_order']))
    }
    const batch = this.#columns.take()
    return {
      topic: this.#topic.name,
      partition: this.#partition,
      schema: schemaId(this.#topic.schema),
      ...batch,
      offset,
      shard: this.#shard,
      epoch: Number(first['_epoch']),
      step: Number(first['_step']),
      time,
    }
  }
}

/** Rows of one record each. */
const grouped = (rows: readonly Row[]): readonly (readonly Row[])[] => [
  ...Map.groupBy(rows, (row) => Number(row['_off'])).values(),
]

const torn = (topic: string, partition: number, offset: number): HostError =>
  new HostError('KT3413', `a record of topic "${topic}" is not whole in the lake`, {
    where: `${topic}/${partition} at ${offset}`,
    why: 'Its rows are not numbered one by one: some are missing, or are there twice.',
    fix: 'Run kt lake verify, and rebuild from the log while it has these rows.',
    retry: 'never',
  })
