import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { choice, count, float, int, micros, name, optional, schema } from '../../graph/schema.ts'
import type { AnySchema, Schema } from '../../graph/schema.ts'
import { since, widened } from '../../graph/schema-versions.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { LakeReader } from '../../sinks/driver/duckdb.ts'
import { duckMerger } from '../../sinks/driver/lake-merge.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { compacted, mergesOf, widenedIn } from '../../sinks/lake/compact.ts'
import { DeltaLog } from '../../sinks/lake/delta.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { lake } from '../../sinks/index.ts'
import { MemoryLog, MemoryStore } from '../../runtime/memory-log.ts'
import { Columns } from '../../graph/columns.ts'
import { logged, schemaId } from '../../graph/schema.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'

const START = 1_767_311_000_000_000
const of = (version: number, fields: object): AnySchema =>
  schema<never>('tick' as never, 'a tick', { instrument: name('which'), received: micros('when'), ...fields } as never, version)
const one = of(1, { level: int('how deep'), many: int('how many'), side: choice('which', 'buy', 'sell') })
const two = of(2, {
  level: widened(2, int(''), float('how deep')),
  many: widened(2, int(''), count('how many')),
  side: widened(2, choice('', 'buy', 'sell'), choice('which', 'buy', 'sell', 'none')),
  fee: since(2, optional(float('of it'))),
})

const rowsOf = (version: number) =>
  Array.from({ length: 20 }, (_, at) => ({
    instrument: 'a',
    received: START + version * 1000 + at,
    level: version === 1 ? at : at + 0.5,
    many: version === 1 ? at : 2 ** 40 + at,
    side: ['buy', 'sell', 'none'][at % (version + 1)]!,
    ...(version === 1 ? {} : { fee: at % 2 === 0 ? null : at / 8 }),
  }))

const folder = mkdtempSync(join(tmpdir(), 'kt-evolved-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const store = new MemoryStore()
const objects = fileStore(folder)

/** Write rows of a version, and load what the log has with the lake sink of another. */
const load = async (written: AnySchema, sink: AnySchema, rows: readonly object[]): Promise<void> => {
  const log = new MemoryLog(new VirtualClock(START), { store })
  const writer = await log.write('own/0/0')
  const columns = new Columns(logged(written))
  rows.forEach((row, order) => columns.add(row, order))
  const records = [{ topic: 'tick', partition: 0, schema: schemaId(written), ...columns.take() }]
  const step = (writer.last?.step ?? 0) + 1
  await writer.append({ shard: 'own/0/0', step, time: START, inputs: [], records })
  const sinks = [{ topic: 'tick', partitions: 1, sink: lake(sink as Schema<never>) }]
  await runLake({ graph: 'own', log, objects, clock: systemClock(), format: parquet, sinks }).drain()
}

const open = (schema: AnySchema) =>
  LakeReader.open({ objects, place: (path) => join(folder, path), schemas: [schema], views: [] })

const QUESTION = `select count(*) as n, count(fee) as fees, sum(level) as levels, sum(many) as many, max(side) as side from`
const ANSWER = { n: 60, fees: 10, levels: 190 + 190 + 200, many: 380 + 20 * 2 ** 40 + 190, side: 'sell' }

describe('a table of an event that has gained columns and wider ones', () => {
  test('has rows of both versions, and of records that were written before it', async () => {
    await load(one, one, rowsOf(1))
    // The new graph begins while a record of the old one is not loaded yet.
    await load(one, two, rowsOf(1))
    await load(two, two, rowsOf(2))
    const log = new DeltaLog(objects, 'tick', parquet.checkpoint)
    await log.refresh()
    const { fields } = JSON.parse(log.metaData!.schemaString) as { fields: { name: string; type: string }[] }
    const types = Object.fromEntries(fields.map((field) => [field.name, field.type]))
    expect(types).toMatchObject({ level: 'double', many: 'long', side: 'string', fee: 'double' })
    expect(log.files().map(({ tags }) => tags['kt.schema'])).toEqual(['tick/1', 'tick/2', 'tick/2'])
    const reader = await open(two)
    const { rows, columns } = await reader.query(`${QUESTION} tick`)
    expect(rows).toEqual([ANSWER])
    expect(columns.find(({ name: column }) => column === 'levels')!.type).toBe('DOUBLE')
    reader.close()
  })

  test('has files of its own columns once they are written anew, whatever their size', async () => {
    const log = new DeltaLog(objects, 'tick', parquet.checkpoint)
    await log.refresh()
    expect(log.metaData!.configuration['kt.widened']).toBe('2')
    const merges = mergesOf(log.files(), { bytes: 1, ...widenedIn(log) })
    expect(merges.map(({ files }) => files.length)).toEqual([1])
    for (const merge of merges) await compacted(log, objects, duckMerger({ folder: join(folder, 'work') }), systemClock(), merge)
    expect(log.files().map(({ tags }) => tags['kt.schema'])).toEqual(['tick/2', 'tick/2', 'tick/2'])
    expect(mergesOf(log.files(), { bytes: 1, ...widenedIn(log) })).toEqual([])
    const reader = await open(two)
    expect((await reader.query(`${QUESTION} tick`)).rows).toEqual([ANSWER])
    reader.close()
  })

  const chdb = (() => {
    try {
      return createRequire(import.meta.url).resolve('chdb') !== ''
    } catch {
      return false
    }
  })()

  test.skipIf(!chdb)('is read alike by ClickHouse', () => {
    const sql = `${QUESTION} deltaLakeLocal('${folder}/tick')`
    const child = spawnSync(process.execPath, [join(import.meta.dirname, 'lake-chdb.mjs')], {
      cwd: folder,
      input: JSON.stringify([sql]),
    })
    expect(String(child.stderr)).toBe('')
    const [[row]] = JSON.parse(String(child.stdout)) as [[Record<string, unknown>]]
    const numbers = Object.entries(row!).map(([key, value]) => [key, key === 'side' ? value : Number(value)])
    expect(Object.fromEntries(numbers)).toEqual(ANSWER)
  })

  const python = process.env['KT_PYTHON'] ?? 'python3'
  const importable = spawnSync(python, ['-c', 'import deltalake, polars']).status === 0

  test.skipIf(!importable)('is read alike by delta-rs and polars', () => {
    const script = `
import sys, json, polars as pl
from deltalake import DeltaTable
table = DeltaTable(sys.argv[1]).to_pyarrow_table()
frame = pl.from_arrow(table)
print(json.dumps([frame.height, frame['fee'].count(), frame['level'].sum(), frame['many'].sum(), frame['side'].max()]))
frame = pl.read_delta(sys.argv[1])
print(json.dumps([frame.height, frame['fee'].count(), frame['level'].sum(), frame['many'].sum(), frame['side'].max()]))
`
    const child = spawnSync(python, ['-c', script, join(folder, 'tick')])
    const answers = String(child.stdout).trim().split('\n').map((line) => JSON.parse(line) as unknown[])
    expect(answers, String(child.stderr)).toEqual([Object.values(ANSWER), Object.values(ANSWER)])
  })
})
