import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@clickhouse/client'
import type { ClickHouseClient } from '@clickhouse/client'
import { Columns } from '../../graph/columns.ts'
import type { Placed } from '../../graph/port.ts'
import { logged, snake } from '../../graph/schema.ts'
import { trade } from '../../market/index.ts'
import { stored } from '../../sinks/arrow.ts'
import { ready } from '../../sinks/clickhouse/migrate.ts'
import type { Tables } from '../../sinks/clickhouse/tables.ts'
import { startChdb } from '../../sinks/driver/chdb.ts'
import { connectTables } from '../../sinks/driver/clickhouse.ts'
import { clickhouse } from '../../sinks/index.ts'
import { measure, resultOf } from '../measure.ts'
import { withTreeCpuNs } from '../tree.ts'
import { placed, realTrades } from './arrow.ts'
import { fromLog } from './clickhouse-log.ts'
import type { Result } from './result.ts'

/** Trades in a record of the log: what a busy shard writes in one step. */
const RECORD = 250
const [OURS, THEIRS] = ['trade_arrow', 'trade_json']

/** Values as JSONEachRow takes them, made outside of the clock. A time is seconds with six decimals. */
const jsonRows = (records: readonly Placed[], rows: readonly object[]): readonly object[] => {
  const { columns } = stored(trade)
  const micros = new Set(columns.filter(({ kind }) => kind === 'micros').map(({ name }) => name))
  const text = (value: number): string => `${Math.floor(value / 1e6)}.${String(value % 1e6).padStart(6, '0')}`
  return rows.map((row, at) => {
    const { topic, partition, step, epoch, offset } = records[Math.floor(at / RECORD)]!
    const place = {
      _topic: topic,
      _part: partition,
      _off: offset,
      _row: at % RECORD,
      _step: step,
      _epoch: epoch,
    }
    const all = Object.entries({ ...row, _order: at % RECORD, ...place })
    return Object.fromEntries(
      all.map(([name, value]) => [snake(name), micros.has(name) ? text(value as number) : value]),
    )
  })
}

const recordsOf = (rows: readonly object[]): readonly Placed[] => {
  const columns = new Columns(logged(trade))
  return Array.from({ length: rows.length / RECORD }, (_, offset) => {
    for (let at = 0; at < RECORD; at++) columns.add(rows[offset * RECORD + at]!, at)
    return placed(columns.take(), offset)
  })
}

/** Two tables of kt's own, which take rows and are left as they are. */
const makeTables = async (tables: Tables): Promise<void> => {
  for (const table of [OURS, THEIRS]) {
    await ready(tables, clickhouse(trade, { table }))
    await tables.exec(`SYSTEM STOP MERGES ${table}`)
  }
}

const expectSame = async (tables: Tables): Promise<void> => {
  const hash = async (table: string): Promise<string> => {
    const sql = `SELECT count() AS rows, sum(cityHash64(*)) AS hash FROM ${table}`
    return JSON.stringify(await tables.query(sql, {}))
  }
  const [here, there] = [await hash(OURS), await hash(THEIRS)]
  if (here !== there) throw new Error(`the tables differ: ${here} and ${there}`)
}

/** The same block, deduplication and threads as kt asks for. */
const settings = (token: number) =>
  ({
    async_insert: 0,
    max_insert_block_size: '100000000',
    insert_deduplication_token: String(token),
    input_format_parallel_parsing: 0,
    max_insert_threads: '1',
  }) as const

const besideJson = async (
  tables: Tables,
  client: ClickHouseClient,
  cpuNs: () => number,
  quick: boolean,
): Promise<Result> => {
  await makeTables(tables)
  const few = realTrades(19_000)
  const rows = Array.from({ length: quick ? 4 : 10 }, () => few).flat()
  const records = recordsOf(rows)
  const values = jsonRows(records, rows)
  let token = 0
  const ours = {
    name: 'kt',
    before: () => tables.exec(`TRUNCATE TABLE ${OURS}`),
    run: () => tables.insert(OURS, { schema: trade, records }, { token: String(token++), comment: 'bench' }),
  }
  const theirs = {
    name: 'JSONEachRow, @clickhouse/client',
    before: () => tables.exec(`TRUNCATE TABLE ${THEIRS}`),
    run: () =>
      client.insert({
        table: THEIRS,
        values,
        format: 'JSONEachRow',
        clickhouse_settings: settings(token++),
      }),
  }
  const options = { rounds: quick ? 3 : 7, ops: rows.length, leastMs: 400, cpuNs }
  const [here, there] = await measure([ours, theirs], options)
  await expectSame(tables)
  const what = `trades, log records of ${RECORD} rows into MergeTree`
  return resultOf({ goal: 'G12', what, unit: 'CPU ns/row' }, here!, there!)
}

/**
 * G12: records of the log into a table of ClickHouse as kt loads them, beside JSONEachRow through the same
 * client. The cost is that of this process and of the engine. Both tables are kt's own, and they hold the
 * same rows in the end.
 */
export const load = async (quick: boolean): Promise<readonly Result[]> => {
  const dir = mkdtempSync(join(tmpdir(), 'kt-bench-chdb-'))
  const chdb = await startChdb({ dir, port: 0 })
  if (chdb.kind === 'absent') {
    rmSync(dir, { recursive: true, force: true })
    const none = { ours: Number.NaN, theirs: Number.NaN, unit: 'CPU ns/row', least: 0 }
    return [{ goal: 'G12', what: 'trades', peer: 'JSONEachRow', ...none, note: `not run: ${chdb.why}` }]
  }
  const password = readFileSync(chdb.passwordFile, 'utf8').trim()
  const tables = connectTables({ url: chdb.url, password })
  const client = createClient({ url: chdb.url, password, database: 'kt' })
  try {
    const cost = await besideJson(tables, client, () => withTreeCpuNs(chdb.pid), quick)
    return [cost, ...(await fromLog(tables, quick))]
  } finally {
    await client.close()
    await tables.close()
    await chdb.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}
