import {
  Bool,
  Dictionary,
  Field,
  Float64,
  Int8,
  Int32,
  Int64,
  List,
  RecordBatch,
  Schema,
  Struct,
  Table,
  TimestampMicrosecond,
  Uint64,
  Utf8,
  makeData,
  makeVector,
  tableFromIPC,
  tableToIPC,
  vectorFromArray,
} from 'apache-arrow'
import type { DataType } from 'apache-arrow'
import { afterAll, describe, expect, test } from 'vitest'
import { insertBytes, rowsOf, start } from './chdb-start.ts'

const started = await start()
afterAll(() => started?.end())

const dictionary = (index: Int8 | Int32) => new Dictionary(new Utf8(), index)
const micros = new TimestampMicrosecond('UTC')
const time = 1_760_000_000_123_456n
const side = "Enum8('buy' = 1, 'sell' = 2)"

/** Column type in ClickHouse, Arrow type, values in, values out as JSON. */
const accepted: readonly (readonly [string, DataType, readonly unknown[], readonly unknown[]])[] = [
  ["DateTime64(6, 'UTC')", micros, [], []],
  ['LowCardinality(String)', new Utf8(), ['a', 'π', 'a'], ['a', 'π', 'a']],
  ['LowCardinality(String)', dictionary(new Int8()), ['a', 'b', 'a'], ['a', 'b', 'a']],
  ['LowCardinality(String)', dictionary(new Int32()), ['a', 'b', 'a'], ['a', 'b', 'a']],
  [side, dictionary(new Int8()), ['buy', 'sell', 'buy'], ['buy', 'sell', 'buy']],
  [side, new Utf8(), ['sell', 'buy'], ['sell', 'buy']],
  [
    'Array(Float64)',
    new List(new Field('item', new Float64(), false)),
    [[1.5, -2], [], [3]],
    [[1.5, -2], [], [3]],
  ],
  ['UInt64', new Int64(), [1n, 9_007_199_254_740_993n], ['1', '9007199254740993']],
  ['UInt64', new Uint64(), [18_446_744_073_709_551_615n], ['18446744073709551615']],
  ['Bool', new Bool(), [true, false], [true, false]],
  ['Nullable(Float64)', new Float64(), [1.5, null], [1.5, null]],
  ['LowCardinality(Nullable(String))', dictionary(new Int8()), ['a', null], ['a', null]],
]

describe.skipIf(started === undefined)(
  'Arrow into embedded ClickHouse (skipped where chdb is not installed)',
  () => {
    if (started === undefined) return
    const client = started.client({ compression: { request: true } })
    const make = (type: string, more = '') =>
      client.command({
        query: `CREATE OR REPLACE TABLE a (v ${type}) ENGINE = MergeTree ORDER BY tuple() ${more}`,
      })
    const insert = (table: Table, more: object = {}) =>
      insertBytes(client, 'INSERT INTO a FORMAT ArrowStream', tableToIPC(table, 'stream'), more)
    const values = async () => (await rowsOf(client, 'SELECT v FROM a')).flat()
    const column = (list: readonly unknown[], type: DataType) =>
      new Table({ v: vectorFromArray([...list], type) })

    test.each(accepted.slice(1))('%s takes %s', async (type, arrow, given, stored) => {
      await make(type)
      const summary = await insert(column(given, arrow))
      expect(summary?.written_rows).toBe(String(given.length))
      expect((await rowsOf(client, 'SELECT v FROM a')).map((row) => (row as unknown[])[0])).toEqual(stored)
    })

    test('microseconds arrive whole', async () => {
      await make("DateTime64(6, 'UTC')")
      await insert(
        new Table({
          v: makeVector(makeData({ type: micros, length: 2, data: new BigInt64Array([time, 0n]) })),
        }),
      )
      expect(await values()).toEqual(['2025-10-09 08:53:20.123456', '1970-01-01 00:00:00.000000'])
    })

    test('a name that the enum does not have refuses the whole insert', async () => {
      await make(side)
      const given = column(['buy', 'hold'], dictionary(new Int8()))
      await expect(insert(given)).rejects.toMatchObject({ type: 'UNKNOWN_ELEMENT_OF_ENUM' })
      expect(await values()).toEqual([])
    })

    test('many record batches are one part, under one token', async () => {
      await make('UInt64', 'SETTINGS non_replicated_deduplication_window = 100')
      const schema = new Schema([new Field('v', new Uint64())])
      const batch = (first: number) => {
        const ids = makeData({
          type: new Uint64(),
          data: new BigUint64Array(1000).map((_, row) => BigInt(first + row)),
        })
        return new RecordBatch(
          schema,
          makeData({ type: new Struct(schema.fields), length: 1000, children: [ids] }),
        )
      }
      const table = new Table(
        schema,
        Array.from({ length: 50 }, (_, n) => batch(n * 1000)),
      )
      const clickhouse_settings = { insert_deduplication_token: 'sink/topic/0/0-49' }
      for (const _ of [1, 2]) await insert(table, { clickhouse_settings })
      expect(await rowsOf(client, 'SELECT count(), uniqExact(v), uniq(_part) FROM a')).toEqual([
        ['50000', '50000', '1'],
      ])
    })

    test('Arrow comes out as one stream that apache-arrow reads', async () => {
      const query = `SELECT number AS n, toString(number % 3) AS s FROM numbers(200000) FORMAT ArrowStream
      SETTINGS output_format_arrow_compression_method = 'none'`
      const { stream } = await client.exec({ query })
      const table = tableFromIPC(Buffer.concat(await stream.toArray()))
      expect([table.numRows, Number(table.getChild('n')?.get(199_999))]).toEqual([200_000, 199_999])
    })
  },
)
