import avsc from 'avsc'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import type { Batch } from '../../graph/batch.ts'
import { Columns } from '../../graph/columns.ts'
import { Layout } from '../../graph/layout.ts'
import { sharedCells } from '../../graph/row.ts'
import type { Cells } from '../../graph/row.ts'
import { logged } from '../../graph/schema.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { bookDelta, trade } from '../../market/index.ts'
import { avroReading } from '../../runtime/format/avro-reading.ts'
import { avroSchema } from '../../runtime/format/avro-schema.ts'
import { avroWriting } from '../../runtime/format/avro-writing.ts'
import { Bytes } from '../../runtime/format/bytes.ts'
import { readJson } from '../../runtime/format/json-reading.ts'
import { jsonWriting } from '../../runtime/format/json-writing.ts'
import { binanceFrames } from '../frames.ts'
import { ktPipeline } from '../kt.ts'
import { measure, resultOf } from '../measure.ts'
import type { Way } from '../measure.ts'
import type { Result } from './result.ts'

/** Batches of a log as a busy symbol fills them. */
const batchesOf = (schema: AnySchema, channel: 'trade' | 'book', most: number): readonly Batch[] => {
  const topic = channel === 'trade' ? 'trade' : 'book-delta'
  const batches: Batch[] = []
  const kt = ktPipeline('binance.spot', channel, (records) => {
    for (const record of records)
      if (record.topic === topic) batches.push(readBatch(logged(schema), record.bytes.slice()))
  })
  const frames = binanceFrames('spot').frames.filter(
    (one) => one.channel === channel || one.channel === 'seed',
  )
  for (const frame of frames.slice(0, most)) kt.take(frame)
  kt.end()
  return batches
}

/** Each event by itself, as a record has it. */
const written = (
  batches: readonly Batch[],
  write: (to: Bytes, batch: Batch, row: number) => void,
): readonly Uint8Array[] => {
  const to = new Bytes()
  return batches.flatMap((batch) =>
    Array.from({ length: batch.rows }, (_, row) => {
      write(to, batch, row)
      return to.cut().slice()
    }),
  )
}

const writing = (
  name: string,
  batches: readonly Batch[],
  write: (to: Bytes, batch: Batch, row: number) => void,
): Way => {
  const to = new Bytes()
  const run = (): void => {
    to.clear()
    for (const batch of batches)
      for (let row = 0; row < batch.rows; row++) {
        write(to, batch, row)
        to.cut()
      }
  }
  return { name, run }
}

/** Into a batch of its own for each, as a reader of the log gets it. */
const reading = (
  name: string,
  schema: AnySchema,
  events: readonly Uint8Array[],
  read: (bytes: Uint8Array, cells: Cells) => void,
): Way => {
  const cells = sharedCells(logged(schema))
  const columns = new Columns(logged(schema))
  const layout = new Layout()
  const run = (): void => {
    layout.clear()
    for (const bytes of events) {
      read(bytes, cells)
      columns.add(cells.row, 0, cells)
      columns.take(layout)
    }
  }
  return { name, run }
}

const encoder = new TextEncoder()

/**
 * Topics in JSON and Avro: events out of the columns of the log, and back into batches, beside the same events
 * as objects that are ready for `JSON.stringify` and avsc, and the objects that `JSON.parse` and avsc make.
 */
export const format = async (quick: boolean): Promise<readonly Result[]> => {
  const results: Result[] = []
  for (const [schema, channel, most] of [
    [trade, 'trade', 19_000],
    [bookDelta, 'book', 8_000],
  ] as const) {
    const batches = batchesOf(schema, channel, quick ? most / 10 : most)
    const rows = batches.flatMap((batch) => rowsOf(batch))
    const type = avsc.Type.forSchema(avroSchema(logged(schema)) as unknown as avsc.Schema)
    const [json, avro] = [jsonWriting(logged(schema)), avroWriting(logged(schema), 1)]
    const texts = written(batches, json).map((bytes) => Buffer.from(bytes))
    const binary = written(batches, avro).map((bytes) => Buffer.from(bytes))
    const measured = await measure(
      [
        writing('JSON, written', batches, json),
        {
          name: 'JSON.stringify and encode',
          run: () => rows.forEach((row) => encoder.encode(JSON.stringify(row))),
        },
        writing('Avro, written', batches, avro),
        { name: 'avsc, toBuffer', run: () => rows.forEach((row) => type.toBuffer(row)) },
        reading('JSON, read', schema, texts, readJson),
        { name: 'JSON.parse', run: () => texts.forEach((text) => void JSON.parse(text.toString('utf8'))) },
        reading('Avro, read', schema, binary, avroReading(logged(schema), avroSchema(logged(schema)))),
        { name: 'avsc, fromBuffer', run: () => binary.forEach((one) => type.fromBuffer(one.subarray(5))) },
      ],
      { rounds: quick ? 5 : 9, ops: rows.length },
    )
    const size = (of: readonly Uint8Array[]): string =>
      `${Math.round(of.reduce((sum, { length }) => sum + length, 0) / of.length)} bytes`
    for (let at = 0; at < measured.length; at += 2) {
      const [ours, theirs] = [measured[at]!, measured[at + 1]!]
      const what = `${schema.name}: ${ours.name}, ${size(ours.name.startsWith('JSON') ? texts : binary)}`
      results.push(resultOf({ goal: 'edge', what, unit: 'CPU ns/row', least: 0 }, ours, theirs))
    }
  }
  return results
}
