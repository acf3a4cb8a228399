import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fileStore } from '../../runtime/driver/files.ts'
import { LakeReader } from '../../sinks/driver/duckdb.ts'
import { marketSchemas } from '../../market/schemas.ts'
import { writeMarketLake } from '../market-lake.ts'

const sqlOf = (path: string): string => readFileSync(join(import.meta.dirname, '../../sql', path), 'utf8')
const root = mkdtempSync(join(tmpdir(), 'kt-lake-readers-'))
const tables = ['trade', 'funding', 'basis', 'gap', 'instrument', 'quote', 'mark'] as const
let reader: LakeReader

beforeAll(async () => {
  await writeMarketLake(fileStore(root), 12)
  const place = (path: string): string => join(root, path)
  reader = await LakeReader.open({
    objects: fileStore(root),
    place,
    schemas: marketSchemas,
    views: [sqlOf('lake/views.sql')],
  })
}, 60_000)
afterAll(() => {
  reader.close()
  rmSync(root, { recursive: true, force: true })
})

type Row = Readonly<Record<string, unknown>>

const found = (load: () => unknown): boolean => {
  try {
    load()
    return true
  } catch {
    return false
  }
}
const chdb = found(() => createRequire(import.meta.url).resolve('chdb'))

const clickhouse = (statements: readonly string[]): readonly (readonly Row[])[] => {
  const child = spawnSync(process.execPath, [join(import.meta.dirname, 'lake-chdb.mjs')], {
    cwd: root,
    input: JSON.stringify(statements),
    maxBuffer: 1 << 28,
  })
  if (child.status !== 0) throw new Error(String(child.stderr))
  return JSON.parse(String(child.stdout)) as readonly (readonly Row[])[]
}

/**
 * The same question for every reader: rows, offsets, and the newest time, which differ when a file is missed
 * or doubled.
 */
const question = (of: string, micros: (column: string) => string): string =>
  `select count(*) as n, sum(_off) as offsets, sum(_row) as rows, max(${micros('received')}) as newest, min(${micros('received')}) as oldest from ${of}`

const asText = (row: Row): Row =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, String(value)]))

describe('DuckDB and', () => {
  test.skipIf(!chdb)(
    'ClickHouse read the same from the Delta log',
    async () => {
      const answers = clickhouse(
        tables.map((table) =>
          question(`deltaLakeLocal('${root}/${table}')`, (column) => `toUnixTimestamp64Micro(${column})`),
        ),
      )
      for (const [i, table] of tables.entries()) {
        const [ours] = (await reader.query(question(table, (column) => `epoch_us(${column})`))).rows
        expect(answers[i]!.map(asText), table).toEqual([asText(ours!)])
      }
    },
    60_000,
  )

  test.skipIf(!chdb)(
    'ClickHouse answer alike through the views of the same names',
    async () => {
      const views = [
        'listing',
        'trade_in_base',
        'bars',
        'top_of_book',
        'basis_latest',
        'basis_history',
        'funding_latest',
        'funding_carry',
        'gaps',
        'completeness',
      ]
      const macro = (view: string, argument: string): string =>
        ['bars', 'basis_history'].includes(view) ? `${view}(${argument})` : view
      const created = readdirSync(join(import.meta.dirname, '../../sql/clickhouse'))
        .filter((name) => name !== 'views.sql')
        .map((name) => sqlOf(`clickhouse/${name}`).replace(/;\s*$/, ''))
      const viewsSql = sqlOf('clickhouse/views.sql')
        .split(/;\s*\n/)
        .map((one) => one.replace(/^--.*\n/gm, '').trim())
        .filter((one) => one !== '')
      const filled = tables.map(
        (table) => `insert into ${table} select * except (dt) from deltaLakeLocal('${root}/${table}')`,
      )
      const statements = [
        'create database kt engine = Atomic',
        'use kt',
        ...created,
        ...filled,
        ...viewsSql,
        ...views.map((view) => `select * from ${macro(view, 'seconds = 3600')}`),
      ]
      const answers = clickhouse(statements).slice(-views.length)
      for (const [i, view] of views.entries()) {
        const ours = (await reader.query(`select * from ${macro(view, '3600')}`)).rows
        expect(answers[i]!.length, view).toBeGreaterThan(0)
        const [theirs, own] = [answers[i]!.map(alike).sort(), ours.map(alike).sort()]
        const differing = theirs.findIndex((row, at) => row !== own[at])
        expect([theirs.length, theirs[differing]], view).toEqual([own.length, own[differing]])
      }
    },
    60_000,
  )

  const python = process.env['KT_PYTHON'] ?? 'python3'
  const importable = spawnSync(python, ['-c', 'import deltalake, pyarrow, polars']).status === 0

  test.skipIf(!importable)(
    'delta-rs, pyarrow and polars read the same',
    async () => {
      const script = `
import sys, json
import pyarrow.compute as pc, polars as pl
from deltalake import DeltaTable
for name in sys.argv[2:]:
    path = sys.argv[1] + '/' + name
    table = DeltaTable(path).to_pyarrow_table()
    us = [int(v) for v in pc.cast(table['received'], 'int64').to_pylist()]
    arrow = [table.num_rows, pc.sum(table['_off']).as_py(), pc.sum(table['_row']).as_py(), max(us), min(us)]
    frame = pl.read_delta(path)
    stamps = frame['received'].dt.epoch('us')
    polars = [frame.height, frame['_off'].sum(), frame['_row'].cast(pl.Int64).sum(), stamps.max(), stamps.min()]
    print(json.dumps([name, arrow, polars, str(table.schema.field('received').type), str(table.schema.field('dt').type)]))
`
      const child = spawnSync(python, ['-c', script, root, ...tables], { maxBuffer: 1 << 26 })
      const answers = String(child.stdout)
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown[])
      for (const [i, table] of tables.entries()) {
        const [ours] = (await reader.query(question(table, (column) => `epoch_us(${column})`))).rows
        const numbers = Object.values(ours!).map(Number)
        expect(answers[i], String(child.stderr)).toEqual([
          table,
          numbers,
          numbers,
          'timestamp[us, tz=UTC]',
          'date32[day]',
        ])
      }
    },
    60_000,
  )
})

/**
 * A row as text that two databases can agree on: numbers to 12 digits, times in one form, in the order of
 * names.
 */
const alike = (row: Row): string =>
  Object.entries(row)
    .map(([name, value]) => `${name}=${plain(value)}`)
    .sort()
    .join(' ')

const plain = (value: unknown): string => {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'boolean') return String(Number(value))
  const text = String(value)
  if (/^\d{4}-\d\d-\d\d[ T]/.test(text)) return text.replace('T', ' ').replace('Z', '').replace(/\.0+$/, '')
  return text !== '' && Number.isFinite(Number(text)) ? String(Number(Number(text).toPrecision(12))) : text
}
