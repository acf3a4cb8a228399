import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@clickhouse/client'
import { Columns } from '../../graph/columns.ts'
import type { Placed } from '../../graph/port.ts'
import { logged, snake } from '../../graph/schema.ts'
import { trade } from '../../market/index.ts'
import { joined, stored } from '../../sinks/arrow.ts'
import { ready } from '../../sinks/clickhouse/migrate.ts'
import { startChdb } from '../../sinks/driver/chdb.ts'
import { connectTables } from '../../sinks/driver/clickhouse.ts'
import { clickhouse } from '../../sinks/index.ts'
import { measure, resultOf } from '../measure.ts'
import { withTreeCpuNs } from '../tree.ts'
import { placed, realTrades } from './arrow.ts'
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

/**
 * G12: records of the log into a table of ClickHouse as kt loads them, beside JSONEachRow through the same client.
 * The cost is that of this process and of the engine. Both tables are kt's own and hold the same rows in the end.
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
    for (const table of [OURS, THEIRS]) {
      await ready(tables, clickhouse(trade, { table }))
      await tables.exec(`SYSTEM STOP MERGES ${table}`)
    }
    const few = realTrades(19_000)
    const rows = Array.from({ length: quick ? 4 : 10 }, () => few).flat()
    const records = recordsOf(rows)
    const lines = jsonRows(records, rows)
    let token = 0
    const ours = {
      name: 'kt',
      before: () => tables.exec(`TRUNCATE TABLE ${OURS}`),
      run: () => tables.insert(OURS, joined(trade, records), { token: `${token++}`, comment: 'bench' }),
    }
    const theirs = {
      name: 'JSONEachRow, @clickhouse/client',
      before: () => tables.exec(`TRUNCATE TABLE ${THEIRS}`),
      run: () =>
        client.insert({
          table: THEIRS,
          values: lines,
          format: 'JSONEachRow',
          clickhouse_settings: {
            async_insert: 0,
            max_insert_block_size: '100000000',
            insert_deduplication_token: `${token++}`,
            input_format_parallel_parsing: 0,
            max_insert_threads: '1',
          },
        }),
    }
    const options = { rounds: quick ? 3 : 7, ops: rows.length, leastMs: 400 }
    const measured = await measure([ours, theirs], { ...options, cpuNs: () => withTreeCpuNs(chdb.pid) })
    const sums = await Promise.all(
      [OURS, THEIRS].map(async (table) => {
        const [row] = await tables.query(
          `SELECT count() AS rows, sum(cityHash64(*)) AS hash FROM ${table}`,
          {},
        )
        return JSON.stringify(row)
      }),
    )
    if (sums[0] !== sums[1]) throw new Error(`the tables differ: ${sums.join(' and ')}`)
    const about = {
      goal: 'G12',
      what: `trades, log records of ${RECORD} rows into MergeTree`,
      unit: 'CPU ns/row',
    }
    return [resultOf(about, measured[0]!, measured[1]!)]
  } finally {
    await client.close()
    await tables.close()
    await chdb.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}
