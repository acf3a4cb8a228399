import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileStore } from '../../runtime/driver/files.ts'
import { LakeReader } from '../../sinks/driver/duckdb.ts'
import type { LakeAt } from '../../sinks/driver/duckdb.ts'
import { marketSchemas } from '../../market/schemas.ts'
import { writeMarketLake } from '../market-lake.ts'

const views = readFileSync(join(import.meta.dirname, '../../sql/lake/views.sql'), 'utf8')

/** A lake in a folder, with the views that people use. */
export const lakeAt = (root: string): LakeAt => ({
  objects: fileStore(root),
  place: (path) => join(root, path),
  schemas: marketSchemas,
  views: [views],
})

/** New folders, removed together. */
export const folders = (): { readonly make: () => string; readonly remove: () => void } => {
  const roots: string[] = []
  return {
    make: () => {
      roots.push(mkdtempSync(join(tmpdir(), 'kt-lake-sql-')))
      return roots.at(-1)!
    },
    remove: () => roots.forEach((root) => rmSync(root, { recursive: true, force: true })),
  }
}

/** The small lake of two venues, written into a folder, and open. */
export const smallLake = async (root: string): Promise<LakeReader> => {
  await writeMarketLake(fileStore(root), 24)
  return LakeReader.open(lakeAt(root))
}
