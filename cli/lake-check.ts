import type { ObjectArchive } from '../graph/port.ts'
import { KtError } from '../graph/error.ts'
import { parquet } from '../sinks/driver/parquet.ts'
import type { LakeReader } from '../sinks/driver/duckdb.ts'
import { twenty } from '../sinks/lake/action.ts'
import { rowsIn, VACUUM } from '../sinks/lake/compact.ts'
import { DeltaLog } from '../sinks/lake/delta.ts'

/** What a look at one table of a lake found. */
export interface TableCheck {
  readonly table: string
  readonly version: number
  readonly files: number
  readonly rows: number
  readonly findings: readonly string[]
}

const WIDTH = 16
const FOOTER = 8

/**
 * Is a table of the lake whole? Its log has no hole, and says by its checkpoint what its commits say; each
 * file that it lists is there, is as long as listed and ends as Parquet does; and its rows are as many as
 * listed, none of them twice and none beyond the position of its partition.
 */
export const checkTable = async (
  objects: ObjectArchive,
  reader: Pick<LakeReader, 'query'>,
  table: string,
): Promise<TableCheck> => {
  const log = new DeltaLog(objects, table, parquet.checkpoint)
  try {
    await log.refresh()
  } catch (error) {
    if (!(error instanceof KtError)) throw error
    const findings = [`${error.message} (${error.code})`]
    return { table, version: log.version, files: 0, rows: 0, findings }
  }
  const findings = [...(await logFindings(objects, log)), ...(await fileFindings(objects, log))]
  // With a file gone or cut off, DuckDB can only say that too.
  if (findings.length === 0) findings.push(...(await rowFindings(reader, log)))
  const rows = log.files().reduce((sum, file) => sum + rowsIn(file), 0)
  return { table, version: log.version, files: log.fileCount, rows, findings }
}

/** The newest checkpoint says what the commits up to it say, where the first of these is still there. */
const logFindings = async (objects: ObjectArchive, log: DeltaLog): Promise<readonly string[]> => {
  const version = log.checkpointed
  const first = await objects.get(`${log.table}/_delta_log/${twenty(0)}.json`)
  if (version < 0 || first === undefined) return []
  const state = async (hidden: (path: string) => boolean): Promise<string> => {
    const get: ObjectArchive['get'] = (path) =>
      hidden(path) ? Promise.resolve(undefined) : objects.get(path)
    const list: ObjectArchive['list'] = async (prefix) =>
      (await objects.list(prefix)).filter((path) => !hidden(path))
    const seen = new DeltaLog({ ...objects, get, list }, log.table, parquet.checkpoint)
    await seen.refresh()
    const positions = seen.positions().map((txn) => [txn.appId, txn.version])
    return JSON.stringify([seen.version, seen.files().map(({ path }) => path), positions])
  }
  const versionOf = (path: string): number => Number(/(\d{20})\.json$/.exec(path)?.[1] ?? -1)
  const byCheckpoint = await state((path) => path.endsWith('.json'))
  const byCommits = await state((path) => path.endsWith(HINT) || versionOf(path) > version)
  return byCheckpoint === byCommits ? [] : [`the checkpoint ${version} and the commits say different things`]
}

const HINT = '_last_checkpoint'

const fileFindings = async (objects: ObjectArchive, log: DeltaLog): Promise<readonly string[]> => {
  const sizes = new Map((await objects.listed(`${log.table}/`)).map(({ path, size }) => [path, size]))
  const files = log.files()
  const findings: string[] = []
  const look = async ({ path, size }: { readonly path: string; readonly size: number }): Promise<void> => {
    const full = `${log.table}/${decodeURI(path)}`
    const found = sizes.get(full)
    if (found === undefined) return void findings.push(`${full} is listed and not there`)
    if (found !== size) return void findings.push(`${full} has ${found} bytes, and is listed with ${size}`)
    const tail = await objects.range(full, -FOOTER, FOOTER)
    const footer = tail === undefined ? 0 : new DataView(tail.buffer, tail.byteOffset).getUint32(0, true)
    const magic = new TextDecoder().decode(tail?.subarray(4))
    if (magic !== 'PAR1' || footer >= size) findings.push(`${full} does not end as Parquet does`)
  }
  for (let i = 0; i < files.length; i += WIDTH) await Promise.all(files.slice(i, i + WIDTH).map(look))
  return findings.sort()
}

const rowFindings = async (reader: Pick<LakeReader, 'query'>, log: DeltaLog): Promise<readonly string[]> => {
  const asked = `SELECT _topic AS topic, _part AS part, count(*) AS n, count(DISTINCT (_off, _row)) AS places,
    max(_off) AS last FROM "${log.table}" GROUP BY ALL ORDER BY ALL`
  const { rows } = await reader.query(asked)
  const findings = rows.flatMap((row) => {
    const where = `${log.table}: ${String(row['topic'])}/${String(row['part'])}`
    const [n, places, last] = [Number(row['n']), Number(row['places']), Number(row['last'])]
    const position = log
      .positions()
      .find(
        ({ appId }) => appId !== VACUUM && appId.endsWith(`/${String(row['topic'])}/${String(row['part'])}`),
      )
    return [
      ...(n === places ? [] : [`${where} has ${n - places} rows twice`]),
      ...(position === undefined ? [`${where} has rows and no position`] : []),
      ...(position !== undefined && last > position.version ? [`${where} has rows beyond its position`] : []),
    ]
  })
  const listed = log.files().reduce((sum, file) => sum + rowsIn(file), 0)
  const read = rows.reduce((sum, row) => sum + Number(row['n']), 0)
  return listed === read
    ? findings
    : [...findings, `${log.table} lists ${listed} rows, and its files have ${read}`]
}
