import { writeFileSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'
import { DataType, tableFromIPC } from 'apache-arrow'
import type { Vector } from 'apache-arrow'
import { readParquet } from 'parquet-wasm/node'
import { cellOf } from '../../graph/batch.ts'
import type { Batch, Buffers } from '../../graph/batch.ts'
import { snake } from '../../graph/schema.ts'
import type { AnySchema, Column, Kind } from '../../graph/schema.ts'
import { joined } from '../../sinks/arrow.ts'
import { randomOf } from '../random.ts'
import { recordsOf } from './lake-world.ts'

/** Values by column, as a reader of a file should find them: 64-bit integers as bigints. */
export type Values = Readonly<Record<string, readonly unknown[]>>

const KINDS: readonly Kind[] = ['text', 'name', 'float', 'count', 'int', 'micros', 'flag', 'choice', 'floats']

const columnOf = (name: string, kind: Kind, nullable: boolean): Column => ({
  name,
  kind,
  nullable,
  about: `a ${kind}`,
  values: kind === 'choice' ? ['buy', 'sell', 'both', 'neither', 'ünknown'] : [],
})

/** Every kind of column, and each that may be missing. */
export const everyKind: AnySchema = {
  name: 'everyKind',
  version: 1,
  about: 'every kind of column',
  columns: KINDS.flatMap((kind) => [
    columnOf(kind, kind, false),
    ...(kind === 'floats' ? [] : [columnOf(`${kind}OrNone`, kind, true)]),
  ]),
}

type Below = (n: number) => number

const TEXTS = [
  '',
  'a',
  'b',
  'BTC-USDT',
  'ETH-USDT',
  'жук',
  '🦆',
  '\u0000',
  'a\u0000b',
  'x'.repeat(70),
  'ÿ',
  'z',
]
const FLOATS = [0, -0, NaN, Infinity, -Infinity, 5e-324, 1.7976931348623157e308, 0.1, -61_234.56, 1e-9]
const WHOLES = [0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 51, -(2 ** 51), 2 ** 53 - 1, 1 - 2 ** 53]
const INTS = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 255, 256, 65_536]

/** What a column looks like over its rows: constant, few values, a growing number, or anything. */
const value = (column: Column, below: Below, shape: number, row: number): unknown => {
  if (column.nullable && below(shape === 0 ? 50 : 3) === 0) return null
  const of = <T>(values: readonly T[]): T => values[shape === 0 ? 1 : below(values.length)]!
  const digits = below(1_000_000)
  switch (column.kind) {
    case 'text':
    case 'name':
      return shape < 2 ? of(TEXTS) : shape === 2 ? String(9_000_000 + row) : `${digits}-${of(TEXTS)}`
    case 'float':
      return shape < 2 ? of(FLOATS) : shape === 2 ? 60_000 + below(50) / 100 : digits / 997
    case 'count':
    case 'micros':
      return shape < 2 ? of(WHOLES) : 1_767_311_970_000_000 + row * (shape === 2 ? 1000 : 777) + (digits % 5)
    case 'int':
      return shape < 2 ? of(INTS) : shape === 2 ? row % 7 : digits - 500_000
    case 'flag':
      return shape === 0 ? true : below(2) === 0
    case 'choice':
      return of(column.values)
    case 'floats':
      return Array.from({ length: shape === 0 ? 0 : below(shape === 1 ? 3 : 30) }, () => of(FLOATS) + digits)
  }
}

/** Rows of a schema that look alike by column; the same for the same seed. */
export const randomRows = (schema: AnySchema, count: number, seed: number): readonly object[] => {
  const below = randomOf(seed)
  const shapes = schema.columns.map(() => below(4))
  return Array.from({ length: count }, (_, row) =>
    Object.fromEntries(
      schema.columns.map((column, i) => [column.name, value(column, below, shapes[i]!, row)]),
    ),
  )
}

/** Rows as the log's records of a few rows each, joined as the lake does. */
export const batchOf = (schema: AnySchema, rows: readonly object[], perRecord = 97): Batch => {
  const batches = Array.from({ length: Math.ceil(rows.length / perRecord) }, (_, i) =>
    rows.slice(i * perRecord, (i + 1) * perRecord),
  )
  return joined(schema, recordsOf(schema, 'topic', 3, batches))
}

const wide = ({ kind }: Column): boolean => kind === 'count' || kind === 'micros'

/** What a batch holds. */
export const valuesOf = (batch: Batch): Values =>
  Object.fromEntries(
    batch.columns.map((buffers) => {
      const cell = (row: number): unknown => {
        const found = cellOf(buffers, row)
        return found === null || !wide(buffers.column) ? found : wideAt(buffers, row)
      }
      return [snake(buffers.column.name), Array.from({ length: batch.rows }, (_, row) => cell(row))]
    }),
  )

const wideAt = ({ values }: Buffers, row: number): bigint =>
  new DataView(values.buffer, values.byteOffset).getBigInt64(8 * row, true)

/** A file as arrow-rs reads it. */
export const readByArrow = (bytes: Uint8Array): Values => {
  const table = tableFromIPC(readParquet(bytes).intoIPCStream())
  return Object.fromEntries(
    table.schema.fields.map(({ name }) => [
      name,
      cellsOf(table.getChild(name) as unknown as Vector<DataType>),
    ]),
  )
}

const cellsOf = (vector: Vector<DataType>): unknown[] => {
  if (DataType.isInt(vector.type) || DataType.isTimestamp(vector.type))
    return vector.data.flatMap((chunk) =>
      Array.from({ length: chunk.length }, (_, i) =>
        chunk.getValid(i) ? (chunk.values as ArrayLike<unknown>)[i] : null,
      ),
    )
  return Array.from(vector, (cell) =>
    DataType.isList(vector.type) ? [...(cell as Iterable<unknown>)] : cell,
  )
}

/** A file as DuckDB reads it, with the types that it sees. */
export const readByDuck = async (
  path: string,
  bytes: Uint8Array,
): Promise<{ readonly values: Values; readonly types: readonly string[] }> => {
  writeFileSync(path, bytes)
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  try {
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM '${path}'`)
    const [names, types] = described.getColumnsJS() as [string[], string[]]
    const picked = names.map((name, i) =>
      types[i] === 'TIMESTAMP WITH TIME ZONE' ? `epoch_us("${name}") AS "${name}"` : `"${name}"`,
    )
    const read = await connection.runAndReadAll(`SELECT ${picked.join(', ')} FROM '${path}'`)
    const columns = read.getColumnsJS()
    return {
      values: Object.fromEntries(names.map((name, i) => [name, columns[i] ?? []])),
      types: names.map((name, i) => `${name} ${types[i]}`),
    }
  } finally {
    connection.closeSync()
  }
}

const alike = (a: unknown, b: unknown): boolean =>
  Array.isArray(a) && Array.isArray(b)
    ? a.length === b.length && a.every((one, i) => Object.is(one, b[i]))
    : Object.is(a, b)

/** The first value that differs, in words; undefined if none does. */
export const difference = (found: Values, wanted: Values): string | undefined => {
  const names = [Object.keys(found).join(), Object.keys(wanted).join()]
  if (names[0] !== names[1]) return `columns ${names.join(' instead of ')}`
  for (const [name, values] of Object.entries(wanted)) {
    const others = found[name]!
    if (others.length !== values.length) return `${name}: ${others.length} rows of ${values.length}`
    const row = values.findIndex((one, i) => !alike(others[i], one))
    if (row >= 0) return `${name}[${row}]: ${String(others[row])} instead of ${String(values[row])}`
  }
  return undefined
}
