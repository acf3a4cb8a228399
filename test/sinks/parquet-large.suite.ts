import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { AnySchema } from '../../graph/schema.ts'
import { columnParquetOf } from '../../sinks/driver/parquet-columns.ts'
import {
  batchOf,
  difference,
  everyKind,
  randomRows,
  readByArrow,
  readByDuck,
  valuesOf,
} from './parquet-world.ts'

const root = mkdtempSync(join(tmpdir(), 'kt-parquet-large-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

test.each([18, 19, 20])(
  '300,000 rows read back the same, over row groups and pages (seed %i)',
  async (seed) => {
    const few: AnySchema = {
      ...everyKind,
      columns: everyKind.columns.filter(({ kind }) =>
        ['int', 'micros', 'name', 'flag', 'floats'].includes(kind),
      ),
    }
    const batch = batchOf(few, randomRows(few, 300_000, seed), 10_000)
    const bytes = columnParquetOf(batch, {})
    const wanted = valuesOf(batch)
    expect(difference(readByArrow(bytes), wanted)).toBe(undefined)
    expect(difference((await readByDuck(join(root, 'large.parquet'), bytes)).values, wanted)).toBe(undefined)
  },
  240_000,
)
