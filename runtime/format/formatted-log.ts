import { readBatch, fillFrom } from '../../graph/batch.ts'
import { Layout } from '../../graph/layout.ts'
import type { Log, LogReader, LogRecord, LogWriter, Placed, Step } from '../../graph/port.ts'
import { sharedCells } from '../../graph/row.ts'
import { logged } from '../../graph/schema.ts'
import type { AnyTopic } from '../../graph/topic.ts'
import { avroWriting } from './avro-writing.ts'
import { Bytes } from './bytes.ts'
import { Decoding } from './decoding.ts'
import { jsonWriting } from './json-writing.ts'
import { registeredOf, subjectOf, unnamed } from './registry.ts'
import type { Registry } from './registry.ts'
import { soundly } from './sound.ts'
import type { Unreadable } from './sound.ts'

export interface Formats {
  /** Of which the log may be asked; what it has of others is handed out as it is. */
  readonly topics: readonly AnyTopic[]
  /** Undefined: `avro` topics cannot be written or read, and schemas of `json` ones are not registered. */
  readonly registry: Registry | undefined
  /** Stands before the names of topics in the registry's subjects. */
  readonly prefix: string
  /** Gets each record that cannot be read, and reading goes on behind it; undefined: it ends there. */
  readonly unreadable?: Unreadable | undefined
}

/**
 * A log whose topics have formats: whoever writes and reads it knows batches only. A topic of another format
 * than `arrow` holds one event a record, so each row has an offset of its own and is row 0 of its record.
 * An append says of a batch where its last event lies. Schemas are registered before a shard has its writer.
 */
export const formatted = (log: Log, formats: Formats): Log => {
  const decoding = new Decoding(formats.topics, formats.registry)
  const sound = soundly(formats.topics, formats.unreadable)
  const kept = formats.unreadable?.kept ?? (() => Promise.resolve())
  return {
    write: async (shard) => {
      const encoders = await encodersOf(formats)
      const writer = await log.write(shard)
      return encoders.size === 0 ? writer : writing(writer, encoders)
    },
    read: async (from) => reading(await log.read(from), decoding, { sound, kept }),
    ends: () => log.ends(),
    close: () => log.close(),
  }
}

/** Puts the events of a batch behind the other records of a step. */
type Encode = (batch: LogRecord, to: Bytes, records: LogRecord[]) => void

/** How each topic of another format is written. */
const encodersOf = async ({ topics, registry, prefix }: Formats): Promise<ReadonlyMap<string, Encode>> => {
  const encoders = new Map<string, Encode>()
  for (const topic of topics) {
    const schema = registeredOf(topic)
    if (schema === undefined) continue
    const id = await registry?.register(subjectOf(prefix, topic.name), schema)
    if (topic.format === 'json') encoders.set(topic.name, encoding(topic, jsonWriting(logged(topic.schema))))
    else if (id === undefined) throw unnamed(topic.name)
    else encoders.set(topic.name, encoding(topic, avroWriting(logged(topic.schema), id)))
  }
  return encoders
}

const encoding = ({ schema, key, format }: AnyTopic, write: ReturnType<typeof jsonWriting>): Encode => {
  // Not those of the schema itself: sources fill them, and a step may be written between two of their rows.
  const cells = sharedCells(logged(schema))
  return (record, to, records) => {
    const batch = readBatch(logged(schema), record.bytes)
    const { topic, partition } = record
    const named = `${record.schema}+${format}`
    for (let row = 0; row < batch.rows; row++) {
      write(to, batch, row)
      fillFrom(cells, batch, row)
      records.push({
        topic,
        partition,
        schema: named,
        rows: 1,
        bytes: to.cut(),
        key: key.of(cells.row as never),
      })
    }
  }
}

const writing = (writer: LogWriter, encoders: ReadonlyMap<string, Encode>): LogWriter => {
  const to = new Bytes()
  const append = async (step: Step): Promise<readonly number[]> => {
    to.clear()
    const records: LogRecord[] = []
    const lasts = step.records.map((record) => {
      const encode = encoders.get(record.topic)
      if (encode === undefined) records.push(record)
      else encode(record, to, records)
      return records.length - 1
    })
    const offsets = await writer.append({ ...step, records })
    return lasts.map((at) => offsets[at]!)
  }
  return {
    epoch: writer.epoch,
    last: writer.last,
    append,
    pendingBytes: () => writer.pendingBytes(),
    close: () => writer.close(),
  }
}

type Sound = ReturnType<typeof soundly>
type Keeping = Pick<Unreadable, 'kept'> & { readonly sound: Sound }

const reading = (reader: LogReader, decoding: Decoding, keeping: Keeping): LogReader => {
  /** Read, and not handed out: a registry that does not answer loses nothing. */
  let waiting: readonly Placed[] = []
  const { scan } = reader
  return {
    read: async (bytesMax, waitMs) => {
      if (waiting.length === 0) waiting = await reader.read(bytesMax, waitMs)
      const found = await decodedSteps(waiting, decoding, keeping.sound)
      waiting = waiting.slice(found.length)
      await keeping.kept()
      return found
    },
    ...(scan === undefined ? {} : { scan: scanning(scan.bind(reader), decoding, keeping) }),
    close: () => reader.close(),
  }
}

/** All of them, or the whole steps before the first one that cannot be read. Throws when there is none. */
const decodedSteps = async (
  records: readonly Placed[],
  decoding: Decoding,
  sound: Sound,
): Promise<readonly Placed[]> => {
  const layout = new Layout()
  const found: Placed[] = []
  try {
    for (const record of records) {
      if (!decoding.ready(record)) await decoding.prepare(record)
      found.push(sound(record, (one) => decoding.decode(one, layout)))
    }
    return found
  } catch (error) {
    const { shard, step } = records[found.length]!
    const whole = records.findIndex((one) => one.shard === shard && one.step === step)
    if (whole === 0) throw error
    return found.slice(0, whole)
  }
}

type Scan = NonNullable<LogReader['scan']>

/** What has to wait for the registry, and all behind it, is kept and shown afterwards. */
const scanning = (scan: Scan, decoding: Decoding, { sound, kept }: Keeping): Scan => {
  const layout = new Layout()
  return async (bytesMax, waitMs, see) => {
    const show = (record: Placed): void => {
      layout.clear()
      see(sound(record, (one) => decoding.decode(one, layout)))
    }
    const later: Placed[] = []
    const count = await scan(bytesMax, waitMs, (record) => {
      if (later.length === 0 && decoding.ready(record)) show(record)
      else later.push({ ...record, bytes: record.bytes.slice() })
    })
    for (const record of later) {
      if (!decoding.ready(record)) await decoding.prepare(record)
      show(record)
    }
    await kept()
    return count
  }
}
