import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { Batch } from '../../graph/batch.ts'
import { snake } from '../../graph/schema.ts'
import { columnParquetOf } from '../../sinks/driver/parquet-columns.ts'
import { wasmParquetOf } from '../../sinks/driver/parquet-wasm.ts'
import { marketSchemas } from '../../market/schemas.ts'
import { randomOf } from '../random.ts'
import {
  batchOf,
  difference,
  everyKind,
  randomRows,
  readByArrow,
  readByDuck,
  valuesOf,
} from './parquet-world.ts'

const root = mkdtempSync(join(tmpdir(), 'kt-parquet-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const about = { topic: 'topic' }
const path = (name: string): string => join(root, `${name}.parquet`)

/** What each of two readers finds that the batch does not have. */
const wrongIn = async (batch: Batch): Promise<readonly (string | undefined)[]> => {
  const bytes = columnParquetOf(batch, about)
  const wanted = valuesOf(batch)
  return [
    difference(readByArrow(bytes), wanted),
    difference((await readByDuck(path('one'), bytes)).values, wanted),
  ]
}

describe('a file of rows', () => {
  test('of every kind reads back the same by arrow-rs and DuckDB, whatever the rows are', async () => {
    for (let seed = 0; seed < 40; seed++) {
      const count = [1, 2, 3, 7, 8, 9, 64, 255, 256, 257, 258, 1025, 3000][randomOf(seed)(13)]!
      const batch = batchOf(everyKind, randomRows(everyKind, count, seed))
      expect(await wrongIn(batch), `seed ${seed}, ${count} rows`).toEqual([undefined, undefined])
    }
  })

  test('none reads back as no rows of the same columns', async () => {
    const batch = batchOf(everyKind, [])
    const bytes = columnParquetOf(batch, about)
    const theirs = await readByDuck(path('theirs'), wasmParquetOf(batch, about))
    expect(await readByDuck(path('ours'), bytes)).toEqual(theirs)
  })

  test('keeps 64-bit integers that no double holds, however far they lie apart', async () => {
    const schema = { ...everyKind, columns: everyKind.columns.filter(({ kind }) => kind === 'count') }
    for (const spread of [8n, 31n, 32n, 33n, 52n, 53n, 62n, 63n, 64n]) {
      const below = randomOf(Number(spread))
      const batch = batchOf(schema, randomRows(schema, 700, 1))
      for (const { column, values } of batch.columns.filter(({ column: { kind } }) => kind === 'count')) {
        if (column.name.startsWith('_')) continue
        const all = new BigInt64Array(values.buffer, values.byteOffset, batch.rows)
        for (let i = 0; i < all.length; i++) {
          const any = (BigInt(below(2 ** 32)) << 32n) | BigInt(below(2 ** 32))
          all[i] = BigInt.asIntN(64, any >> (64n - spread)) - (spread < 60n ? 2n ** (spread - 1n) : 0n)
        }
      }
      expect(await wrongIn(batch), `${spread} bits`).toEqual([undefined, undefined])
    }
  })

  test('keeps lists that are longer than a page, and than a row group', async () => {
    const schema = { ...everyKind, columns: everyKind.columns.filter(({ kind }) => kind === 'floats') }
    const below = randomOf(1)
    const lengths = [0, 60_000, 1, 131_072, 131_073, 5, 0, 90_000, 90_000, 0, 600_000, 2]
    const rows = lengths.map((length, i) => ({
      floats: Array.from({ length }, () => below(i < 5 ? 900 : 60_000) / 100),
    }))
    expect(await wrongIn(batchOf(schema, rows, 5))).toEqual([undefined, undefined])
  })

  test('keeps what comes after a dictionary is full', async () => {
    const columns = everyKind.columns.filter(({ name }) => name === 'floats' || name === 'name')
    const rows = Array.from({ length: 14_000 }, (_, i) => ({
      name: `${i < 9000 ? i % 100 : i} ${'x'.repeat(500)}`,
      floats: Array.from({ length: 30 }, (_unused, j) => (i < 9000 ? j * 0.25 : 30 * i + j)),
    }))
    expect(await wrongIn(batchOf({ ...everyKind, columns }, rows, 1000))).toEqual([undefined, undefined])
  })

  test('is the same bytes for the same rows, whatever was written before', () => {
    for (const count of [10, 2000]) {
      const batch = batchOf(everyKind, randomRows(everyKind, count, 3))
      const first = columnParquetOf(batch, about)
      columnParquetOf(batchOf(everyKind, randomRows(everyKind, 5000, 4)), about)
      expect(Buffer.compare(columnParquetOf(batch, about), first), `${count} rows`).toBe(0)
    }
  })

  test('is as small as what parquet-wasm writes of the same rows', () => {
    for (const schema of marketSchemas) {
      const batch = batchOf(schema, randomRows(schema, 5000, 5))
      const sizes = [columnParquetOf(batch, about).length, wasmParquetOf(batch, about).length]
      expect(sizes[0], schema.name).toBeLessThanOrEqual(sizes[1]!)
    }
  })
})

describe('beside the file that parquet-wasm writes of the same rows', () => {
  test.each(marketSchemas.map((schema) => [schema.name, schema] as const))(
    '%s has the same types and values in DuckDB',
    async (name, schema) => {
      for (const seed of [1, 2, 3]) {
        const batch = batchOf(schema, randomRows(schema, 2500, seed))
        const ours = await readByDuck(path(name), columnParquetOf(batch, about))
        const theirs = await readByDuck(path(`${name}-wasm`), wasmParquetOf(batch, about))
        expect(ours.types).toEqual(theirs.types)
        expect(difference(ours.values, theirs.values)).toBe(undefined)
      }
    },
  )

  const chdb = ((): boolean => {
    try {
      createRequire(import.meta.url).resolve('chdb')
      return true
    } catch {
      return false
    }
  })()

  test.skipIf(!chdb)('every schema has the same types and rows in ClickHouse', () => {
    const statements = marketSchemas.flatMap((schema) => {
      const batch = batchOf(schema, randomRows(schema, 2500, 7))
      writeFileSync(path(`${schema.name}-ours`), columnParquetOf(batch, about))
      writeFileSync(path(`${schema.name}-theirs`), wasmParquetOf(batch, about))
      return ['ours', 'theirs'].flatMap((who) => {
        const file = `file('${path(`${schema.name}-${who}`)}', Parquet)`
        const names = batch.columns.map(({ column }) => `"${snake(column.name)}"`).join(', ')
        const types = batch.columns.map(({ column }) => `toTypeName("${snake(column.name)}")`).join(", ' ', ")
        return [
          `select concat(${types}) as types from ${file} limit 1`,
          `select groupBitXor(cityHash64(${names})) as hash, count() as n from ${file}`,
          `select count() as n from ${file} where _off between 7 and 12 and _row > 50`,
        ]
      })
    })
    const child = spawnSync(process.execPath, [join(import.meta.dirname, 'lake-chdb.mjs')], {
      cwd: root,
      input: JSON.stringify(statements),
      maxBuffer: 1 << 28,
    })
    expect(child.status, String(child.stderr)).toBe(0)
    const answers = JSON.parse(String(child.stdout)) as readonly unknown[]
    marketSchemas.forEach((schema, i) =>
      expect(answers.slice(6 * i, 6 * i + 3), schema.name).toEqual(answers.slice(6 * i + 3, 6 * i + 6)),
    )
  })

  const python = process.env['KT_PYTHON'] ?? 'python3'
  const importable = spawnSync(python, ['-c', 'import pyarrow, polars']).status === 0

  test.skipIf(!importable)('every schema is the same to pyarrow and polars, with its comments', () => {
    const names = [everyKind, ...marketSchemas].map((schema) => {
      const batch = batchOf(schema, randomRows(schema, 2500, 9))
      writeFileSync(path(`${schema.name}-ours`), columnParquetOf(batch, about))
      writeFileSync(path(`${schema.name}-theirs`), wasmParquetOf(batch, about))
      return schema.name
    })
    const script = `
import sys, pyarrow.parquet as pq, polars as pl
for name in sys.argv[2:]:
    ours, theirs = [f'{sys.argv[1]}/{name}-{who}.parquet' for who in ('ours', 'theirs')]
    a, b = pq.read_table(ours), pq.read_table(theirs)
    assert a.schema.equals(b.schema, check_metadata=True), name
    assert repr(a.to_pylist()) == repr(b.to_pylist()), name
    assert pl.read_parquet(ours).equals(pl.read_parquet(theirs)), name
    p, q = pq.ParquetFile(ours).metadata.row_group(0), pq.ParquetFile(theirs).metadata.row_group(0)
    for i in range(p.num_columns):
        s, t = p.column(i).statistics, q.column(i).statistics
        assert (s.null_count, s.num_values) == (t.null_count, t.num_values), (name, i)
`
    const child = spawnSync(python, ['-c', script, root, ...names])
    expect(String(child.stderr)).toBe('')
  })
})
