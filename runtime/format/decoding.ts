import { Columns } from '../../graph/columns.ts'
import { KtError } from '../../graph/error.ts'
import { Layout } from '../../graph/layout.ts'
import type { LogRecord, Placed } from '../../graph/port.ts'
import { sharedCells } from '../../graph/row.ts'
import type { Cells } from '../../graph/row.ts'
import { logged, schemaId } from '../../graph/schema.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { schemaAt } from '../../graph/schema-versions.ts'
import type { AnyTopic } from '../../graph/topic.ts'
import { avroReading } from './avro-reading.ts'
import { HEAD_BYTES } from './avro-writing.ts'
import { readJson } from './json-reading.ts'
import type { Registry } from './registry.ts'
import { unnamed } from './registry.ts'
import { placeOf, unread } from './unread.ts'

type Read = (bytes: Uint8Array, cells: Cells) => void

/** What the schema of a record says: of which event it is, in which version, and in which form. */
const SCHEMA = /^(.+)\/(\d+)\+(json|avro)$/

/** What is read of the records of one topic whose schema is named alike. */
interface Lane {
  readonly topic: AnyTopic
  /** The version in which batches are handed out; undefined: nobody here knows the event. */
  readonly as: AnySchema | undefined
  readonly form: string
  readonly columns: Columns
}

/**
 * Makes batches of records that are one event each: what a topic of another format holds, and what is left of
 * the time before its format was changed. Other records are handed back as they are, and so is an event
 * of a newer version: who wants to read it refuses it.
 */
export class Decoding {
  readonly #topics: ReadonlyMap<string, AnyTopic>
  readonly #registry: Registry | undefined
  readonly #lanes = new Map<string, Map<string, Lane>>()
  /** By the id of the writer's schema, then by topic. */
  readonly #avro = new Map<number, Map<string, Read>>()

  constructor(topics: readonly AnyTopic[], registry: Registry | undefined) {
    this.#topics = new Map(topics.map((topic) => [topic.name, topic]))
    this.#registry = registry
  }

  /** Can the record be decoded now, or will it never be? If not, `prepare` first. */
  ready(record: Placed): boolean {
    const lane = this.#laneOf(record)
    if (lane?.form !== 'avro' || lane.as === undefined) return true
    const id = idIn(record)
    return id === undefined || this.#readOf(lane, id) !== undefined
  }

  /** Ask the registry for the schema of a record. */
  async prepare(record: Placed): Promise<void> {
    const { topic } = this.#laneOf(record)!
    if (this.#registry === undefined) throw unnamed(topic.name)
    const id = idOf(record)
    const { type, text } = await this.#registry.find(id)
    const known = this.#avro.get(id) ?? new Map<string, Read>()
    const strange: Read = () => {
      throw unread(topic.schema.name, `Schema ${id} is of type ${type}.`)
    }
    const read = type === 'AVRO' ? avroReading(logged(topic.schema), JSON.parse(text)) : strange
    this.#avro.set(id, known.set(topic.name, read))
  }

  /** The record as a batch, which lies in `layout`. Throws KT3001 for bytes that are no event of it. */
  decode<R extends Placed>(record: R, layout: Layout): R {
    const lane = this.#laneOf(record)
    if (lane?.as === undefined) return record
    const { as, columns, form } = lane
    const cells = sharedCells(columns.schema)
    try {
      if (form === 'json') readJson(record.bytes, cells)
      else this.#readOf(lane, idOf(record))!(record.bytes, cells)
    } catch (error) {
      if (!(error instanceof KtError && error.code === 'KT3001')) throw error
      throw unread(as.name, error.why ?? error.message, placeOf(record))
    }
    columns.add(cells.row, cells.numbers.at(-1), cells)
    return { ...record, schema: schemaId(as), ...columns.take(layout) }
  }

  #readOf({ topic }: Lane, id: number): Read | undefined {
    return this.#avro.get(id)?.get(topic.name)
  }

  #laneOf({ topic, schema }: LogRecord): Lane | undefined {
    if (!schema.includes('+')) return undefined
    const lanes = this.#lanes.get(topic) ?? new Map<string, Lane>()
    this.#lanes.set(topic, lanes)
    const known = lanes.get(schema)
    if (known !== undefined) return known
    const of = this.#topics.get(topic)
    const [, name, version, form = ''] = SCHEMA.exec(schema) ?? []
    if (of === undefined) return undefined
    const then = name === of.schema.name ? schemaAt(of.schema, Number(version)) : undefined
    // An event of Avro is resolved to the present version by the schema that it was written by.
    const as = then !== undefined && form === 'avro' ? of.schema : then
    const lane = { topic: of, as, form, columns: new Columns(logged(as ?? of.schema)) }
    lanes.set(schema, lane)
    return lane
  }
}

/** The id before an event of Avro. */
const idOf = (record: Placed): number => {
  const id = idIn(record)
  if (id !== undefined) return id
  throw unread(record.schema, 'It does not begin with a zero and the id of a schema.', placeOf(record))
}

const idIn = ({ bytes }: Placed): number | undefined =>
  bytes.length >= HEAD_BYTES && bytes[0] === 0
    ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(1)
    : undefined
