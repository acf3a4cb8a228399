import type { Data, DataType, RecordBatch, Schema, Vector } from 'apache-arrow'
import type { Batch, Buffers } from '../../graph/batch.ts'
import { snake } from '../../graph/schema.ts'
import type { AnySchema, Column } from '../../graph/schema.ts'
import { loadPeer } from './install.ts'

type Arrow = typeof import('apache-arrow')

type Row = Readonly<Record<string, unknown>>

/** The ways of apache-arrow to make an IPC stream of one batch. */
interface ArrowWriter {
  /** Typed arrays as its makeData takes them; made outside of the clock. */
  readonly ready: (batch: Batch) => readonly ((schema: Schema) => Data)[]
  /** Arrays that are ready, through makeData and the stream writer. */
  readonly write: (arrays: readonly ((schema: Schema) => Data)[]) => Uint8Array
  /** Rows one by one through its builders, and the stream writer. */
  readonly build: (rows: readonly object[]) => Uint8Array
  /** Two streams hold the same rows, or it throws. */
  readonly expectSame: (ours: Uint8Array, theirs: Uint8Array) => void
}

export const arrowWriter = async (of: AnySchema): Promise<ArrowWriter> => {
  const arrow = (await loadPeer('apache-arrow')) as Arrow
  const { Field, makeBuilder, makeData, RecordBatch, RecordBatchStreamWriter, Schema, Struct, tableFromIPC } =
    arrow
  const types = of.columns.map((column, at) => typeOf(arrow, column, at))
  const schema = new Schema(
    of.columns.map(({ name, nullable }, at) => new Field(snake(name), types[at]!, nullable)),
  )
  const stream = (children: Data[], length: number): Uint8Array => {
    const struct = makeData({ type: new Struct(schema.fields), length, nullCount: 0, children })
    const batch: RecordBatch = new RecordBatch(schema, struct)
    return RecordBatchStreamWriter.writeAll([batch]).toUint8Array(true)
  }
  const write: ArrowWriter['write'] = (arrays) => {
    const children = arrays.map((array) => array(schema))
    return stream(children, children[0]!.length)
  }
  const build: ArrowWriter['build'] = (rows) => {
    const builders = types.map((type) => makeBuilder({ type, nullValues: [null] }))
    for (const row of rows as readonly Row[]) {
      for (let at = 0; at < builders.length; at++) {
        const { name, kind } = of.columns[at]!
        const value = row[name]
        const wide = kind === 'count' || kind === 'micros'
        builders[at]!.append(wide && value !== null ? BigInt(value as number) : value)
      }
    }
    return stream(
      builders.map((builder) => builder.finish().flush()),
      rows.length,
    )
  }
  const text = (bytes: Uint8Array): readonly string[] => {
    const table = tableFromIPC(bytes)
    return of.columns.map(({ name, kind }, at) => {
      const column = table.getChildAt(at)!
      const values = kind === 'micros' ? column.data.flatMap(({ values: raw }) => [...raw]) : [...column]
      return `${name} ${JSON.stringify(values, (_, value: unknown) => plain(value))}`
    })
  }
  const expectSame: ArrowWriter['expectSame'] = (ours, theirs) => {
    const [here, there] = [text(ours), text(theirs)]
    const differs = here.findIndex((column, at) => column !== there[at])
    if (differs < 0 && here.length === there.length) return
    throw new Error(
      `Arrow columns differ: ${here[differs]?.slice(0, 300)} here, ${there[differs]?.slice(0, 300)} there`,
    )
  }
  const ready: ArrowWriter['ready'] = (batch) =>
    batch.columns.map((buffers, at) => () => dataOf(arrow, buffers, types[at]!, batch.rows))
  return { ready, write, build, expectSame }
}

/** A time is a number of microseconds here and a BigInt there. */
const plain = (value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)

const typeOf = (arrow: Arrow, column: Column, at: number): DataType => {
  switch (column.kind) {
    case 'text':
    case 'name':
      return new arrow.Utf8()
    case 'float':
      return new arrow.Float64()
    case 'count':
    // Its builder of microseconds takes milliseconds, and loses some.
    case 'micros':
      return new arrow.Int64()
    case 'int':
      return new arrow.Int32()
    case 'flag':
      return new arrow.Bool()
    case 'choice':
      return new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8(), at)
    case 'floats':
      return new arrow.List(new arrow.Field('item', new arrow.Float64(), false))
  }
}

const dictionaries = new Map<Column, Vector>()

/** Made once: its values never change. */
const dictionaryOf = (arrow: Arrow, column: Column): Vector => {
  const known = dictionaries.get(column)
  if (known !== undefined) return known
  const made = arrow.vectorFromArray([...column.values], new arrow.Utf8())
  dictionaries.set(column, made)
  return made
}

const dataOf = (arrow: Arrow, buffers: Buffers, type: DataType, length: number): Data => {
  const { column, values, offsets, floats, missing, present } = buffers
  const shape = { length, nullCount: missing, nullBitmap: missing === 0 ? null : present }
  const at = values.byteOffset
  switch (column.kind) {
    case 'text':
    case 'name':
      return arrow.makeData({ type: type as never, ...shape, valueOffsets: offsets, data: values } as never)
    case 'float':
      return arrow.makeData({ type: type as never, ...shape, data: floats } as never)
    case 'count':
    case 'micros': {
      const data = new BigInt64Array(values.buffer, at, length)
      return arrow.makeData({ type: type as never, ...shape, data } as never)
    }
    case 'int':
      return arrow.makeData({
        type: type as never,
        ...shape,
        data: new Int32Array(values.buffer, at, length),
      } as never)
    case 'choice': {
      const dictionary = dictionaryOf(arrow, column)
      const data = new Int8Array(values.buffer, at, length)
      return arrow.makeData({ type: type as never, ...shape, data, dictionary } as never)
    }
    default:
      return arrow.makeData({ type: type as never, ...shape, data: values } as never)
  }
}
