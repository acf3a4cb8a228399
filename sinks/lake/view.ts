import { schemaId, snake } from '../../graph/schema.ts'
import type { AnySchema, Column } from '../../graph/schema.ts'
import { stored } from '../arrow.ts'
import type { AddFile } from './action.ts'
import { DATE, tableName } from './schema.ts'

/** A name in DuckDB's SQL. */
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

const duckType = ({ kind }: Column): string => {
  switch (kind) {
    case 'text':
    case 'name':
    case 'choice':
      return 'VARCHAR'
    case 'float':
      return 'DOUBLE'
    case 'count':
      return 'BIGINT'
    case 'int':
      return 'INTEGER'
    case 'micros':
      return 'TIMESTAMPTZ'
    case 'flag':
      return 'BOOLEAN'
    case 'floats':
      return 'DOUBLE[]'
  }
}

/**
 * The DuckDB view of an event: its columns, those that kt adds and the date, over the files that are
 * committed. Files of one version of the event are listed together, so that DuckDB opens one of them to learn
 * the columns and not all, and leaves out by date those that a question is not about.
 */
export const viewOf = (
  schema: AnySchema,
  files: readonly AddFile[],
  place: (path: string) => string,
): string => {
  const columns = stored(schema).columns
  const names = [...columns.map((column) => quoted(snake(column.name))), DATE]
  const typed = [
    ...columns.map((column) => `CAST(NULL AS ${duckType(column)}) AS ${quoted(snake(column.name))}`),
    `CAST(NULL AS DATE) AS ${DATE}`,
  ]
  const empty = `SELECT ${typed.join(', ')} WHERE false`
  const groups = new Map<string, string[]>()
  for (const { path, tags } of files) {
    const version = tags?.['kt.schema'] ?? ''
    const paths = groups.get(version) ?? []
    paths.push(literal(place(decodeURI(path))))
    groups.set(version, paths)
  }
  const reads = [...groups].map(([version, paths]) => {
    const unlike = version === '' || (groups.size === 1 && version !== schemaId(schema))
    const dated = `hive_partitioning = true, hive_types = {'${DATE}': DATE}`
    return `SELECT * FROM read_parquet([${paths.join(',')}], ${dated}, union_by_name = ${unlike})`
  })
  const current = groups.size === 1 && groups.has(schemaId(schema))
  const body = current ? reads : [empty, ...reads]
  const union = body.join(' UNION ALL BY NAME ')
  return `CREATE OR REPLACE VIEW ${quoted(tableName(schema))} AS SELECT ${names.join(', ')} FROM (${union})`
}
