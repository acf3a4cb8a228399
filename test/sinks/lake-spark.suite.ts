import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AnySchema, Column } from '../../graph/schema.ts'
import { snake } from '../../graph/schema.ts'
import { trade } from '../../market/event.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { stored } from '../../sinks/arrow.ts'
import { LakeReader } from '../../sinks/driver/duckdb.ts'
import { duckMerger } from '../../sinks/driver/lake-merge.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { compacted, mergesOf, widenedIn } from '../../sinks/lake/compact.ts'
import { DeltaLog } from '../../sinks/lake/delta.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { tableName } from '../../sinks/lake/schema.ts'
import { marketRows, writeMarketLake } from '../market-lake.ts'
import { onDays, runOf, twoPartitions } from './lake-check.ts'
import { ANSWER, QUESTION, writeVersions } from './lake-versions.ts'
import { memoryLog } from './lake-world.ts'
import { askSpark, hasSpark } from './spark.ts'
import type { Answered } from './spark.ts'

const TYPES: Readonly<Record<Column['kind'], string>> = {
  text: 'string',
  name: 'string',
  choice: 'string',
  float: 'double',
  count: 'bigint',
  int: 'int',
  micros: 'timestamp',
  flag: 'boolean',
  floats: 'array<double>',
}
const schemas: readonly AnySchema[] = marketRows(1).map(([schema]) => schema)
/** The table of trades: as it was loaded, its files joined, and opened from a checkpoint alone. */
const STATES = ['loaded', 'joined', 'checkpoint'] as const

/** Rows, places and times differ when a file is missed or doubled. */
const question = (of: string, micros: string): string =>
  `select count(*), sum(_off), sum(_row), max(${micros}(received)), min(${micros}(received)) from ${of}`

describe.skipIf(!hasSpark())(
  'Spark 4.2 (skipped unless the Python of KT_PYTHON has it, and Java 17 and Maven are there)',
  () => {
    const root = mkdtempSync(join(tmpdir(), 'kt-lake-spark-'))
    const at = (state: string): string => join(root, state)
    let spark: Answered
    let asked: readonly string[] = []
    const answer = (statement: string): readonly unknown[] => spark.rows[asked.indexOf(statement)]!

    const joinFiles = async (state: string, table: string): Promise<void> => {
      const log = new DeltaLog(fileStore(at(state)), table, parquet.checkpoint)
      await log.refresh()
      const merges = mergesOf(log.files(), widenedIn(log))
      expect(merges.length).toBeGreaterThan(0)
      const merger = duckMerger({ folder: join(root, 'work') })
      for (const merge of merges) await compacted(log, fileStore(at(state)), merger, systemClock(), merge)
    }

    beforeAll(async () => {
      await writeMarketLake(fileStore(at('market')), 12)
      await writeVersions(fileStore(at('evolved')))
      cpSync(at('evolved'), at('rewritten'), { recursive: true })
      await joinFiles('rewritten', 'tick')
      const records = onDays(twoPartitions(40, 10), (record) => record % 2)
      const log = memoryLog(records)
      await runLake(runOf({ objects: fileStore(at('loaded')), log, checkpointEvery: 1 })).drain()
      for (const state of ['joined', 'checkpoint']) cpSync(at('loaded'), at(state), { recursive: true })
      await joinFiles('joined', 'trade')
      forgetCommits(join(at('checkpoint'), 'trade', '_delta_log'))
      const tables = {
        ...Object.fromEntries(STATES.map((state) => [state, join(at(state), 'trade')])),
        ...Object.fromEntries(['evolved', 'rewritten'].map((state) => [state, join(at(state), 'tick')])),
        ...Object.fromEntries(schemas.map((one) => [tableName(one), join(at('market'), tableName(one))])),
      }
      const common = [...STATES, ...schemas.map(tableName)].map((table) => question(table, 'unix_micros'))
      asked = [...common, ...['evolved', 'rewritten'].map((table) => `${QUESTION} ${table}`)]
      spark = askSpark({ tables, statements: asked })
    }, 240_000)
    afterAll(() => rmSync(root, { recursive: true, force: true }))

    const duckdb = async (folder: string, schema: AnySchema): Promise<readonly unknown[]> => {
      const place = (path: string): string => join(folder, path)
      const reader = await LakeReader.open({
        objects: fileStore(folder),
        place,
        schemas: [schema],
        views: [],
      })
      const { rows } = await reader.query(question(tableName(schema), 'epoch_us'))
      reader.close()
      return Object.values(rows[0]!).map(Number)
    }

    test('reads the rows and the types of every table that DuckDB reads', async () => {
      for (const schema of schemas) {
        const table = tableName(schema)
        expect(answer(question(table, 'unix_micros')), table).toEqual(await duckdb(at('market'), schema))
        const columns = stored(schema).columns.map(({ name, kind }) => [snake(name), TYPES[kind]])
        expect(spark.types[table], table).toEqual({ ...Object.fromEntries(columns), dt: 'date' })
      }
    })

    test.each(STATES)('reads a table as DuckDB does: %s', async (state) => {
      const rows = answer(question(state, 'unix_micros'))
      expect(rows[0]).toBe(800)
      expect(rows).toEqual(await duckdb(at(state), trade))
      expect(spark.positions[state]).toEqual({
        'kt/lake.trade/trade/0': 39,
        'kt/lake.trade/trade/1': 39,
      })
    })

    test.each(['evolved', 'rewritten'])('reads columns that were added and widened: %s', (table) => {
      expect(answer(`${QUESTION} ${table}`)).toEqual(Object.values(ANSWER))
      expect(spark.types[table]).toMatchObject({ level: 'double', many: 'bigint', fee: 'double' })
    })
  },
)

/** Leave a table its last checkpoint, which holds all; Spark wants to see the commit of the same version. */
const forgetCommits = (folder: string): void => {
  const commits = readdirSync(folder).filter((file) => file.endsWith('.json'))
  const last = commits.pop()!
  expect(existsSync(join(folder, last.replace('.json', '.checkpoint.parquet')))).toBe(true)
  for (const file of commits) rmSync(join(folder, file))
}
