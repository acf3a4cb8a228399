import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Described } from '../graph/describe.ts'
import { snake } from '../graph/schema.ts'
import type { AnySchema, Column, Kind } from '../graph/schema.ts'
import { fileStore } from '../runtime/driver/files.ts'
import { LakeReader } from '../sinks/driver/duckdb.ts'
import { parquet } from '../sinks/driver/parquet.ts'
import { DeltaLog } from '../sinks/lake/delta.ts'
import { marketSchemas } from '../market/schemas.ts'
import { DATE, tableName } from '../sinks/lake/schema.ts'
import { loadGraph, planOf } from './graph-file.ts'
import { pulledLake } from './lake-pull.ts'
import { foldersOf } from './settings.ts'
import type { RunFile } from './settings.ts'

/**
 * DuckDB over a lake, with the views of `sql/lake`. It knows a table whoever's event it holds: kt's own
 * events, those of `graph`, which may have no rows yet, and whatever tables the lake has. A lake in S3 is
 * pulled first: DuckDB reads files, and a question is about what was committed then.
 */
export const openLake = async (where: string, graph: readonly AnySchema[] = []): Promise<LakeReader> => {
  const folder = await pulledLake(where)
  const objects = fileStore(folder)
  const known = new Map([...marketSchemas, ...graph].map((schema) => [tableName(schema), schema]))
  await Promise.all(
    tablesIn(folder).map(async (table) => {
      if (graph.some((schema) => tableName(schema) === table)) return
      const log = new DeltaLog(objects, table, parquet.checkpoint)
      await log.refresh()
      const found = log.metaData === undefined ? undefined : schemaOf(table, log.metaData)
      if (found !== undefined) known.set(table, widened(known.get(table), found))
    }),
  )
  const schemas = [...known.values()]
  return LakeReader.open({
    objects,
    place: (path) => join(folder, path),
    schemas,
    views: marketSchemas.every((schema) => holds(known.get(tableName(schema))!, schema)) ? [views()] : [],
  })
}

/** The lake of a run, with the tables of its graph that no file has been written for yet. */
export const openRunLake = async (root: string, run: RunFile | undefined): Promise<LakeReader> => {
  const folder = foldersOf(root).lake
  const there = new Set([...tablesIn(folder), ...marketSchemas.map(tableName)])
  const planned = (run?.plan as Described | undefined)?.nodes ?? []
  const empty = planned.some(
    ({ kind, name }) => kind === 'sink' && name.startsWith('lake.') && !there.has(snake(name.slice(5))),
  )
  return openLake(folder, empty && run !== undefined ? await sentTo(run.file, there) : [])
}

/** What a graph sends to the lake and no table holds yet. A graph file that is gone has nothing to say. */
const sentTo = async (file: string, there: ReadonlySet<string>): Promise<readonly AnySchema[]> => {
  try {
    const { sinks } = planOf(await loadGraph(file))
    const schemas = sinks.filter(({ sink }) => sink.engine === 'lake').map(({ sink }) => sink.schema)
    return schemas.filter((schema) => !there.has(tableName(schema)))
  } catch {
    return []
  }
}

const views = (): string => readFileSync(resolve(import.meta.dirname, '../sql/lake/views.sql'), 'utf8')

/** The tables that a lake's folder has. */
export const tablesIn = (folder: string): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, '_delta_log')))
        .map((entry) => entry.name)
    : []

/** The kind of column that Delta's types stand for; a text may have been a name or a choice. */
const KINDS: Readonly<Record<string, Kind>> = {
  string: 'text',
  double: 'float',
  long: 'count',
  integer: 'int',
  timestamp: 'micros',
  boolean: 'flag',
}

interface TableFacts {
  readonly schemaString: string
  readonly description: string
  readonly configuration: Readonly<Record<string, string>>
}

/** The event of a table as the table itself tells it; undefined for one that kt did not write. */
export const schemaOf = (
  table: string,
  { schemaString, description, configuration }: TableFacts,
): AnySchema | undefined => {
  const id = /^(.+)\/(\d+)$/.exec(configuration['kt.schema'] ?? '')
  if (id === null || snake(id[1]!) !== table) return undefined
  const { fields } = JSON.parse(schemaString) as {
    readonly fields: readonly {
      readonly name: string
      readonly type: unknown
      readonly nullable: boolean
      readonly metadata?: { readonly comment?: string }
    }[]
  }
  const columns = fields
    .filter(({ name }) => name !== DATE && !name.startsWith('_'))
    .map(({ name, type, nullable, metadata }): Column => {
      const kind = typeof type === 'string' ? KINDS[type]! : 'floats'
      return { name, kind, nullable, about: metadata?.comment ?? '', values: [] }
    })
  return { name: id[1]!, version: Number(id[2]), about: description, columns }
}

/** What we know of an event where the table has nothing else, and the table's own word where it has. */
const widened = (ours: AnySchema | undefined, found: AnySchema): AnySchema =>
  ours !== undefined && holds(ours, found) ? ours : found

/** Has `schema` every column of the other? */
const holds = (schema: AnySchema, other: AnySchema): boolean => {
  const names = new Set(schema.columns.map((column) => snake(column.name)))
  return other.columns.every((column) => names.has(snake(column.name)))
}
