import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { AnySchema } from '../../graph/schema.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { LakeReader } from '../../sinks/driver/duckdb.ts'
import { duckMerger } from '../../sinks/driver/lake-merge.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { compacted, mergesOf, widenedIn } from '../../sinks/lake/compact.ts'
import { DeltaLog } from '../../sinks/lake/delta.ts'
import { ANSWER, evolvedTick, QUESTION, writeVersions } from './lake-versions.ts'

const folder = mkdtempSync(join(tmpdir(), 'kt-evolved-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const objects = fileStore(folder)

const open = (schema: AnySchema) =>
  LakeReader.open({ objects, place: (path) => join(folder, path), schemas: [schema], views: [] })

describe('a table of an event that has gained columns and wider ones', () => {
  test('has rows of both versions, and of records that were written before it', async () => {
    await writeVersions(objects)
    const log = new DeltaLog(objects, 'tick', parquet.checkpoint)
    await log.refresh()
    const { fields } = JSON.parse(log.metaData!.schemaString) as { fields: { name: string; type: string }[] }
    const types = Object.fromEntries(fields.map((field) => [field.name, field.type]))
    expect(types).toMatchObject({ level: 'double', many: 'long', side: 'string', fee: 'double' })
    expect(log.files().map(({ tags }) => tags['kt.schema'])).toEqual(['tick/1', 'tick/2', 'tick/2'])
    const reader = await open(evolvedTick)
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
    for (const merge of merges)
      await compacted(log, objects, duckMerger({ folder: join(folder, 'work') }), systemClock(), merge)
    expect(log.files().map(({ tags }) => tags['kt.schema'])).toEqual(['tick/2', 'tick/2', 'tick/2'])
    expect(mergesOf(log.files(), { bytes: 1, ...widenedIn(log) })).toEqual([])
    const reader = await open(evolvedTick)
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
    const answers = String(child.stdout)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown[])
    expect(answers, String(child.stderr)).toEqual([Object.values(ANSWER), Object.values(ANSWER)])
  })
})
