import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileStore } from '../runtime/driver/files.ts'
import { LakeReader } from '../sinks/driver/duckdb.ts'
import { marketTables } from '../sinks/clickhouse/market.ts'
import { foldersOf } from './settings.ts'

/** DuckDB over a run's lake, with the views of `sql/lake`. */
export const openLake = (root: string): Promise<LakeReader> => {
  const folder = foldersOf(root).lake
  return LakeReader.open({
    objects: fileStore(folder),
    place: (path) => join(folder, path),
    schemas: marketTables.map((table) => table.schema),
    views: [readFileSync(resolve(import.meta.dirname, '../sql/lake/views.sql'), 'utf8')],
  })
}
