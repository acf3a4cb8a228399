import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { DuckDBConnection } from '@duckdb/node-api'
import { HostError, KtError } from '../../graph/error.ts'
import type { ObjectStore } from '../../graph/port.ts'
import type { Merger, StoredColumn } from '../lake/compact.ts'

const ROW_GROUP = 122_880
const WIDTH = 8
const PLACE = ['_topic', '_part', '_off', '_row']

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/**
 * Joins files of the lake by DuckDB, which sorts what does not fit into memory on the disk. It runs in
 * threads of its own: who awaits it goes on loading.
 */
export const duckMerger = (
  options: { readonly threads?: number; readonly memory?: string; readonly folder?: string } = {},
): Merger => {
  const { threads = 1, memory = '1GB', folder = tmpdir() } = options
  return {
    merge: async ({ objects, paths, orderBy, rows, as }) => {
      await mkdir(folder, { recursive: true })
      const work = await mkdtemp(join(folder, 'kt-merge-'))
      const instance = await DuckDBInstance.create(':memory:', {
        threads: String(threads),
        memory_limit: memory,
        temp_directory: join(work, 'spill'),
      })
      const connection = await instance.connect()
      try {
        const files = await fetched(objects, paths, work)
        const source = await sourceOf(connection, files, as)
        const bytes = await joined(
          connection,
          source,
          files.length,
          orderBy,
          rows,
          join(work, 'joined.parquet'),
        )
        return { bytes, fingerprint: createHash('sha256').update(bytes).digest('hex').slice(0, 16) }
      } finally {
        connection.closeSync()
        instance.closeSync()
        await rm(work, { recursive: true, force: true })
      }
    },
  }
}

/** The files on the disk, some at a time. Nothing is being written any more when this settles. */
const fetched = async (
  objects: Pick<ObjectStore, 'get'>,
  paths: readonly string[],
  folder: string,
): Promise<readonly string[]> => {
  const files: string[] = []
  for (let at = 0; at < paths.length; at += WIDTH) {
    const some = await Promise.allSettled(
      paths.slice(at, at + WIDTH).map(async (path, i) => {
        const bytes = await objects.get(path)
        if (bytes === undefined) throw gone(path)
        const file = join(folder, `${at + i}.parquet`)
        await writeFile(file, bytes)
        return file
      }),
    )
    for (const one of some) {
      if (one.status === 'rejected') throw one.reason
      files.push(one.value)
    }
  }
  return files
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'VARCHAR',
  double: 'DOUBLE',
  long: 'BIGINT',
  integer: 'INTEGER',
  timestamp: 'TIMESTAMPTZ',
  boolean: 'BOOLEAN',
}

/** The rows of some files, as they are, or in the columns of the table. */
const sourceOf = async (
  connection: DuckDBConnection,
  files: readonly string[],
  as: readonly StoredColumn[] | undefined,
): Promise<string> => {
  const source = `read_parquet([${files.map(literal).join(', ')}], hive_partitioning = false)`
  if (as === undefined) return source
  const there = new Set(await columnsOf(connection, source))
  const columns = as.map(({ name, type }) => {
    const duck = typeof type === 'string' ? TYPES[type]! : `${TYPES[type.elementType]!}[]`
    return `CAST(${there.has(name) ? quoted(name) : 'NULL'} AS ${duck}) AS ${quoted(name)}`
  })
  return `(SELECT ${columns.join(', ')} FROM ${source})`
}

const joined = async (
  connection: DuckDBConnection,
  source: string,
  files: number,
  orderBy: readonly string[],
  rows: number,
  to: string,
): Promise<Uint8Array> => {
  await connection.run("SET TimeZone = 'UTC'")
  const names = await columnsOf(connection, source)
  const order = [...orderBy, ...PLACE].filter((name) => names.includes(name)).map(quoted)
  await connection.run(
    `COPY (SELECT * FROM ${source} ORDER BY ${order.join(', ')}) TO ${literal(to)}
    (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP})`,
  )
  const digest = async (of: string): Promise<string> => {
    const sum = `sum(hash(${names.map(quoted).join(', ')})::HUGEINT)`
    const [row] = (await connection.runAndReadAll(`SELECT count(*), ${sum} FROM ${of}`)).getRows()
    return String(row)
  }
  const [before, after] = [await digest(source), await digest(`read_parquet(${literal(to)})`)]
  if (before !== after || before.split(',')[0] !== String(rows)) throw differs(files, rows, before, after)
  return readFile(to)
}

const columnsOf = async (connection: DuckDBConnection, source: string): Promise<readonly string[]> =>
  (await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${source}`)).getRows().map(([name]) => String(name))

const gone = (path: string): HostError =>
  new HostError('KT3404', 'a file that the lake lists is gone', {
    where: path,
    why: 'Only kt lake vacuum may remove files of a lake, and it leaves those that are listed.',
    fix: 'Restore the file, or load the topic into a new lake. kt lake verify finds what else is missing.',
    retry: 'never',
  })

const differs = (files: number, rows: number, before: string, after: string): KtError =>
  new KtError('KT3405', 'a compacted file has not the rows of its files', {
    why: `${files} files say ${rows} rows; count and digest were ${before}, and are ${after}`,
    fix: 'Nothing was changed. Report this with what kt lake verify says.',
  })
