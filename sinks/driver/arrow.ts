import {
  Bool,
  Dictionary,
  Field,
  Float64,
  Int8,
  Int32,
  Int64,
  List,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Table,
  TimestampMicrosecond,
  Utf8,
  vectorFromArray,
} from 'apache-arrow'
import type { Data, DataType } from 'apache-arrow'
import type { Batch, Buffers } from '../../graph/batch.ts'
import { schemaId, snake } from '../../graph/schema.ts'
import type { AnySchema, Column } from '../../graph/schema.ts'
import { Reused, splitStream, writeStream } from '../arrow-message.ts'

/**
 * The Arrow type of a column. A choice is a dictionary of its values, with the number of its column as the
 * dictionary's id; a time says that it is UTC.
 */
const arrowType = (column: Column, at: number): DataType => {
  switch (column.kind) {
    case 'text':
    case 'name':
      return new Utf8()
    case 'float':
      return new Float64()
    case 'count':
      return new Int64()
    case 'int':
      return new Int32()
    case 'micros':
      return new TimestampMicrosecond('UTC')
    case 'flag':
      return new Bool()
    case 'choice':
      return new Dictionary(new Utf8(), new Int8(), at)
    case 'floats':
      return new List(new Field('item', new Float64(), false))
  }
}

/** The Arrow form of a (`stored`) schema: snake_case names, comments and `kt-schema` as metadata. */
export const arrowSchema = (schema: AnySchema): Schema => {
  const fields = schema.columns.map((column, at) => {
    const about = new Map([['about', column.about]])
    return new Field(snake(column.name), arrowType(column, at), column.nullable, about)
  })
  return new Schema(fields, new Map([['kt-schema', schemaId(schema)]]))
}

const frames = new WeakMap<AnySchema, ReturnType<typeof splitStream>>()

/** All that is the same for the batches of a schema is made once, by the library. */
const frameOf = (schema: AnySchema): ReturnType<typeof splitStream> => {
  const known = frames.get(schema)
  if (known !== undefined) return known
  const example = RecordBatchStreamWriter.writeAll(tableOf(exampleOf(schema)))
  const frame = splitStream(example.toUint8Array(true))
  frames.set(schema, frame)
  return frame
}

/**
 * Makes batches of `stored(schema)` (see `joined`) into the bytes of Arrow IPC streams with one record batch
 * each. They are valid until the next one is made: it lies in the same memory.
 */
export const arrowEncoder = (): ((batch: Batch) => Uint8Array) => {
  const reused = new Reused()
  return (batch) => writeStream(frameOf(batch.schema), batch, reused)
}

/** A batch of one row, as the message of one without rows leaves out the numbers that are zero. */
const exampleOf = (schema: AnySchema): Batch => {
  const columns = schema.columns.map((column): Buffers => {
    const [offsets, values] = [new Int32Array(2), new Uint8Array(8)]
    return { column, missing: 0, present: new Uint8Array(0), offsets, values, floats: new Float64Array(1) }
  })
  return { schema, rows: 1, columns }
}

/** A batch of `stored(schema)` as an Arrow table of one record batch, over the same memory. */
const tableOf = (batch: Batch): Table => {
  const schema = arrowSchema(batch.schema)
  const children = batch.columns.map((buffers, at) =>
    arrowColumn(buffers, schema.fields[at]!.type, batch.rows),
  )
  const struct = makeData({ type: new Struct(schema.fields), length: batch.rows, nullCount: 0, children })
  return new Table(schema, new RecordBatch(schema, struct))
}

const arrowColumn = (buffers: Buffers, type: DataType, length: number): Data => {
  const { column, values, offsets, floats, missing } = buffers
  const shape = { length, nullCount: missing, nullBitmap: missing === 0 ? null : buffers.present }
  switch (column.kind) {
    case 'text':
    case 'name':
      return makeData({ type: type as Utf8, ...shape, valueOffsets: offsets, data: values })
    case 'float':
      return makeData({ type: type as Float64, ...shape, data: floats })
    case 'count':
      return makeData({ type: type as Int64, ...shape, data: longs(values) })
    case 'micros':
      return makeData({ type: type as TimestampMicrosecond, ...shape, data: longs(values) })
    case 'int':
      return makeData({
        type: type as Int32,
        ...shape,
        data: new Int32Array(values.buffer, values.byteOffset, length),
      })
    case 'flag':
      return makeData({ type: type as Bool, ...shape, data: values })
    case 'choice': {
      const dictionary = vectorFromArray([...column.values], new Utf8())
      const codes = new Int8Array(values.buffer, values.byteOffset, length)
      return makeData({ type: type as Dictionary<Utf8, Int8>, ...shape, data: codes, dictionary })
    }
    case 'floats': {
      const child = makeData({ type: new Float64(), length: floats.length, nullCount: 0, data: floats })
      return makeData({ type: type as List<Float64>, ...shape, valueOffsets: offsets, child })
    }
  }
}

const longs = (values: Uint8Array): BigInt64Array =>
  new BigInt64Array(values.buffer, values.byteOffset, values.length / 8)
