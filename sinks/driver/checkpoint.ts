import {
  Bool,
  Field,
  Int32,
  Int64,
  List,
  Map_,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Table,
  Utf8,
  vectorFromArray,
} from 'apache-arrow'
import type { DataType } from 'apache-arrow'
import type { Action } from '../lake/action.ts'

const field = (name: string, type: DataType): Field => new Field(name, type, true)
const text = (name: string): Field => field(name, new Utf8())
const long = (name: string): Field => field(name, new Int64())
const struct = (name: string, ...fields: Field[]): Field<Struct> => new Field(name, new Struct(fields), true)
const texts = (name: string): Field =>
  field(
    name,
    new Map_(
      new Field(
        'key_value',
        new Struct<{ key: Utf8; value: Utf8 }>([
          new Field('key', new Utf8(), false),
          new Field('value', new Utf8(), true),
        ]),
        false,
      ),
    ),
  )

/**
 * The columns of a checkpoint: one a kind of action, and each row has one of them.
 *
 * @see https://github.com/delta-io/delta/blob/master/PROTOCOL.md#checkpoint-schema
 */
const COLUMNS: readonly Field<Struct>[] = [
  struct('txn', text('appId'), long('version'), long('lastUpdated')),
  struct(
    'add',
    text('path'),
    texts('partitionValues'),
    long('size'),
    long('modificationTime'),
    field('dataChange', new Bool()),
    text('stats'),
    texts('tags'),
  ),
  struct(
    'remove',
    text('path'),
    long('deletionTimestamp'),
    field('dataChange', new Bool()),
    field('extendedFileMetadata', new Bool()),
    texts('partitionValues'),
    long('size'),
  ),
  struct(
    'metaData',
    text('id'),
    text('name'),
    text('description'),
    struct('format', text('provider'), texts('options')),
    text('schemaString'),
    field('partitionColumns', new List(text('element'))),
    texts('configuration'),
    long('createdTime'),
  ),
  struct('protocol', field('minReaderVersion', new Int32()), field('minWriterVersion', new Int32())),
]

type Row = Readonly<Record<string, unknown>>

/**
 * A value as Arrow's builders take it: whole numbers as bigint where the column is long, objects as maps
 * where it is a map.
 */
const built = (value: unknown, { type }: Field): unknown => {
  if (value === undefined || value === null) return null
  if (type instanceof Int64) return BigInt(value as number)
  if (type instanceof Map_) return new Map(Object.entries(value as Row))
  if (type instanceof Struct)
    return Object.fromEntries(
      type.children.map((child: Field) => [child.name, built((value as Row)[child.name], child)]),
    )
  return value
}

/** Actions as an Arrow IPC stream in the layout of a checkpoint. */
export const checkpointTable = (actions: readonly Action[]): Uint8Array => {
  const columns = COLUMNS.map((column) => {
    const values = actions.map((action) => built((action as Row)[column.name], column))
    return [column.name, vectorFromArray(values, column.type)] as const
  })
  const table = new Table(new Schema([...COLUMNS]), Object.fromEntries(columns))
  return RecordBatchStreamWriter.writeAll(table).toUint8Array(true)
}

/** The reverse of `built`. */
const plain = (value: unknown): unknown => {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'object' || value === null) return value
  const inner = (value as { toJSON?: () => unknown }).toJSON?.() ?? value
  if (Array.isArray(inner)) return inner.map(plain)
  return Object.fromEntries(Object.entries(inner).map(([name, one]) => [name, plain(one)]))
}

/** The actions in a checkpoint, whoever wrote it; those that we do not know are left out. */
export const actionsOf = (table: Table): readonly Action[] => {
  const known = new Set(COLUMNS.map((column) => column.name))
  const actions: Action[] = []
  for (const row of table) {
    for (const [name, value] of Object.entries(row!.toJSON())) {
      if (value !== null && known.has(name)) actions.push({ [name]: plain(value) } as Action)
    }
  }
  return actions
}
