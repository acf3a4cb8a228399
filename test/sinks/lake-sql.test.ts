import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ObjectStore } from '../../graph/port.ts'
import { trade } from '../../market/event.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { LakeReader, queryLake } from '../../sinks/driver/duckdb.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { lake } from '../../sinks/lake.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { EVENING, memoryLog, memoryObjects, recordsOf, tradeRecords, virtualClock } from './lake-world.ts'
import { folders, lakeAt, smallLake } from './lake-small.ts'

const { make: folder, remove } = folders()

let small: LakeReader
let smallRoot: string
beforeAll(async () => {
  smallRoot = folder()
  small = await smallLake(smallRoot)
}, 60_000)
afterAll(() => {
  small.close()
  remove()
})
const rows = async (sql: string) => (await small.query(sql)).rows

describe('the tables', () => {
  test('of an empty lake have their columns and no rows, and every view works', async () => {
    const reader = await LakeReader.open(lakeAt(folder()))
    const described = await reader.query('describe trade')
    expect(
      described.rows.map((row) => `${row['column_name']} ${row['column_type']}`).join(', '),
    ).toMatchInlineSnapshot(
      `"venue VARCHAR, instrument VARCHAR, time TIMESTAMP WITH TIME ZONE, received TIMESTAMP WITH TIME ZONE, first BIGINT, last BIGINT, id VARCHAR, side VARCHAR, price DOUBLE, size DOUBLE, _order INTEGER, _topic VARCHAR, _part INTEGER, _off BIGINT, _row INTEGER, _step BIGINT, _epoch INTEGER, dt DATE"`,
    )
    for (const view of [
      'listing',
      'trade_in_base',
      'bars(60)',
      'top_of_book',
      'basis_latest',
      'basis_history(60)',
      'funding_latest',
      'funding_carry',
      'gaps',
      'freshness',
      'loaded',
      'completeness',
    ]) {
      expect((await reader.query(`select count(*) as n from ${view}`)).rows, view).toEqual([{ n: 0 }])
    }
    reader.close()
  })

  test('have the same types when they have rows', async () => {
    const empty = await LakeReader.open(lakeAt(folder()))
    for (const table of ['trade', 'funding', 'basis', 'gap', 'instrument', 'quote', 'mark']) {
      const sql = `select column_name, column_type from (describe ${table})`
      expect(await rows(sql), table).toEqual((await empty.query(sql)).rows)
    }
    empty.close()
  })

  test('hold what is committed when the question is asked, and no file beside it', async () => {
    const root = folder()
    const objects: ObjectStore = fileStore(root)
    const records = tradeRecords(0, 20, 10)
    const loadTo = (end: number) =>
      runLake({
        graph: 'g',
        sinks: [{ topic: 'trade', partitions: 1, sink: lake(trade, { rowsMax: 30 }) }],
        log: memoryLog(records.slice(0, end)),
        objects,
        positions: memoryObjects(),
        clock: virtualClock(),
        format: parquet,
      }).drain()
    await loadTo(6)
    await objects.put(
      'trade/dt=2026-01-01/trade-0-orphan.parquet',
      (await objects.get((await objects.list('trade/dt=')).at(0)!))!,
    )
    const reader = await LakeReader.open(lakeAt(root))
    const counted = async () =>
      (await reader.query('select count(*) as n, count(distinct id) as ids from trade')).rows
    expect(await counted()).toEqual([{ n: 60, ids: 60 }])
    await loadTo(20)
    expect(await counted()).toEqual([{ n: 200, ids: 200 }])
    reader.close()
  })

  test('read thousands of files', async () => {
    const root = folder()
    const objects = fileStore(root)
    const [record] = tradeRecords(0, 1, 1)
    const quick: ObjectStore = {
      ...objects,
      putIfAbsent: async (path, bytes) => {
        mkdirSync(dirname(join(root, path)), { recursive: true })
        writeFileSync(join(root, path), bytes)
        return true
      },
    }
    const same: { bytes?: Uint8Array } = {}
    const format = {
      ...parquet,
      write: (...of: Parameters<typeof parquet.write>) => (same.bytes ??= parquet.write(...of)),
    }
    const records = Array.from({ length: 2500 }, (_, offset) => ({ ...record!, offset }))
    const sinks = [{ topic: 'trade', partitions: 1, sink: lake(trade, { rowsMax: 1 }) }]
    await runLake({
      graph: 'g',
      sinks,
      log: memoryLog(records, () => 2499),
      objects: quick,
      positions: memoryObjects(),
      clock: virtualClock(),
      format,
    }).drain()
    const reader = await LakeReader.open(lakeAt(root))
    expect((await reader.query('select count(*) as n from trade')).rows).toEqual([{ n: 2500 }])
    expect((await reader.query("select count(*) as n from trade where dt = '2030-01-01'")).rows).toEqual([
      { n: 0 },
    ])
    reader.close()
  }, 60_000)
})

describe('answers', () => {
  test('are exact: ids beyond 2^53, microseconds, decimals of many digits', async () => {
    const answer =
      await small.query(`select 9007199254740993::bigint as big, 42::bigint as small, max(received) as received, 1.5 as price,
      123456789012345678.9::decimal(38,1) as wide, [1, 2] as list, {'a': 1.5} as struct, date '2026-01-02' as day, null as nothing from trade`)
    expect(answer.rows[0]).toMatchObject({
      big: 9007199254740993n,
      small: 42,
      price: 1.5,
      wide: '123456789012345678.9',
      list: [1, 2],
      struct: { a: 1.5 },
      day: '2026-01-02',
      nothing: null,
    })
    expect(answer.rows[0]!['received']).toMatch(/^2026-01-05T23:58:0\d\.\d{6}Z$/)
    expect(answer.columns.map(({ type }) => type)).toEqual([
      'BIGINT',
      'BIGINT',
      'TIMESTAMP WITH TIME ZONE',
      'DECIMAL(2,1)',
      'DECIMAL(38,1)',
      'INTEGER[]',
      'STRUCT("a" DECIMAL(2,1))',
      'DATE',
      'INTEGER',
    ])
  })

  test('are whole, also where several are asked at once', async () => {
    const asked = [1, 20_000, 30_000, 5]
    const answers = await Promise.all(asked.map((count) => rows(`select i from range(${count}) t(i)`)))
    expect(answers.map(({ length }) => length)).toEqual(asked)
  })

  test('are given, files are not written', async () => {
    const target = join(folder(), 'x.parquet')
    for (const sql of [
      `copy trade to '${target}'`,
      `attach '${target}'`,
      "export database '/tmp/x'",
      'select 1; install httpfs',
    ]) {
      await expect(small.query(sql), sql).rejects.toMatchObject({ code: 'KT3410' })
      for (const sql of [
        'insert into trade values (1)',
        'INSERT OR REPLACE INTO main.trade SELECT * FROM trade',
        'select 1; update "trade" set price = 1',
        '-- mine\ndelete from trade',
        'drop table if exists trade',
        'truncate trade',
        'alter table trade add column x int',
      ])
        await expect(small.query(sql), sql).rejects.toMatchObject({
          code: 'KT3410',
          where: 'table "trade"',
        })
    }
    await expect(queryLake(lakeAt(folder()), 'select nonsense')).rejects.toMatchObject({ code: 'KT3411' })
    expect(await rows('create temp table mine as select 7 as x; select x from mine')).toEqual([{ x: 7 }])
  })
})

test('a view over files of two versions of an event has NULL where the older one has no column', async () => {
  const root = folder()
  const objects = fileStore(root)
  const later = {
    ...trade,
    version: 2,
    columns: [
      ...trade.columns,
      { name: 'note', kind: 'text', nullable: true, about: 'x', values: [] } as const,
    ],
  }
  const [old] = tradeRecords(0, 1, 2)
  const row = {
    venue: 'v',
    instrument: 'v:spot:A-B',
    time: EVENING,
    received: EVENING,
    first: null,
    last: null,
    id: '1',
    side: 'buy',
    price: 1,
    size: 1,
    note: 'hi',
  }
  const fresh = { ...recordsOf(later, 'trade', 0, [[row]])[0]!, offset: 1 }
  const load = (schema: typeof later | typeof trade, records: (typeof fresh)[]) =>
    runLake({
      graph: 'g',
      sinks: [{ topic: 'trade', partitions: 1, sink: { ...lake(trade), schema } }],
      log: memoryLog(records),
      objects,
      positions: memoryObjects(),
      clock: virtualClock(),
      format: parquet,
    }).drain()
  await load(trade, [old!])
  await load(later, [old!, fresh])
  const answer = await queryLake(
    { ...lakeAt(root), schemas: [later], views: [] },
    'select note, count(*) as n from trade group by all order by all',
  )
  expect(answer.rows).toEqual([
    { note: 'hi', n: 1 },
    { note: null, n: 2 },
  ])
})
