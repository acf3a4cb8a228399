import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import { Columns } from '../../graph/columns.ts'
import type { Log } from '../../graph/port.ts'
import { logged, schemaId } from '../../graph/schema.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { quote, trade } from '../../market/index.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { runClickhouse } from '../../sinks/clickhouse/load.ts'
import type { ConnectedTables } from '../../sinks/driver/clickhouse.ts'
import { clickhouse } from '../../sinks/index.ts'
import { binanceFrames } from '../frames.ts'
import { ktPipeline } from '../kt.ts'
import { ownCpuNs } from '../measure.ts'
import type { Result } from './result.ts'

interface Load {
  readonly of: AnySchema
  /** Rows in a record of the log: what a busy shard writes in one step, or what the demo does. */
  readonly size: number
  /** Days of which records come in turns, as over midnight: a table has a part for each. */
  readonly days: number
}

const LOADS: readonly Load[] = [
  { of: quote, size: 250, days: 1 },
  { of: quote, size: 25, days: 1 },
  { of: trade, size: 250, days: 1 },
  { of: trade, size: 25, days: 1 },
  { of: trade, size: 250, days: 2 },
]
const PARTITIONS = 2
const DAY_US = 86_400_000_000
const RECEIVED = Date.UTC(2026, 0, 1) * 1000

const realRows = (of: AnySchema, topic: string): readonly object[] => {
  const rows: object[] = []
  const kt = ktPipeline('binance.spot', 'all', (records) => {
    for (const record of records)
      if (record.topic === topic) rows.push(...rowsOf(readBatch(logged(of), record.bytes)))
  })
  for (const frame of binanceFrames('spot').frames) kt.take(frame)
  kt.end()
  return rows
}

/** The rows over and over, in two partitions; all of them are durable when it returns. */
const write = async (
  log: Log,
  { of, size, days }: Load,
  rows: readonly object[],
  total: number,
): Promise<number> => {
  const writer = await log.write('bench')
  const columns = new Columns(logged(of))
  let written = 0
  let last: Promise<unknown> = Promise.resolve()
  for (let step = 1; written < total; step++) {
    const midnight = RECEIVED + DAY_US * (step % days)
    const records = Array.from({ length: PARTITIONS }, (_, partition) => {
      for (let at = 0; at < size; at++, written++)
        columns.add({ ...rows[written % rows.length]!, received: midnight + 10 * written }, at)
      const batch = columns.take()
      return { topic: of.name, partition, schema: schemaId(of), ...batch, bytes: batch.bytes.slice() }
    })
    last = writer.append({ shard: 'bench', step, time: step, inputs: [], records })
    if (step % 64 === 0) await last
  }
  await last
  await writer.close()
  return written
}

const loaded = async (
  log: Log,
  tables: ConnectedTables,
  folder: string,
  of: AnySchema,
  table: string,
): Promise<{ readonly seconds: number; readonly cpuNs: number }> => {
  const sink = clickhouse(of as typeof quote, { table })
  const cpu = ownCpuNs()
  const begun = performance.now()
  const loading = runClickhouse({
    log,
    tables,
    objects: fileStore(folder),
    clock: systemClock(),
    sinks: [{ topic: of.name, partitions: PARTITIONS, sink }],
  })
  const behind = (): boolean =>
    loading
      .status()
      .some(
        ({ state, partitions }) => state !== 'idle' || partitions.some(({ lagRecords }) => lagRecords > 0),
      )
  while (behind()) await pause(5)
  const seconds = (performance.now() - begun) / 1000
  const cpuNs = ownCpuNs() - cpu
  await loading.stop()
  return { seconds, cpuNs }
}

/**
 * How fast one process loads what waits in the log: records of the segment log through the sink into tables
 * of the engine, by the wall clock, claims, merges and syncs included. What the process itself computes for
 * it stands beside.
 */
export const fromLog = async (tables: ConnectedTables, quick: boolean): Promise<readonly Result[]> => {
  const total = quick ? 600_000 : 1_500_000
  const rows = new Map([quote, trade].map((of: AnySchema) => [of, realRows(of, of.name)]))
  const results: Result[] = []
  for (const load of LOADS) {
    const { of, size, days } = load
    const folder = mkdtempSync(join(tmpdir(), 'kt-bench-load-'))
    const log = await segmentLog(join(folder, 'log'))
    const written = await write(log, load, rows.get(of)!, total)
    const table = `${of.name}_${size}_${days}`
    const { seconds, cpuNs } = await loaded(log, tables, join(folder, 'claims'), of, table)
    const [row] = await tables.query(`SELECT count() AS rows FROM ${table}`, {})
    if (Number(row?.['rows']) !== written)
      throw new Error(`${String(row?.['rows'])} rows of ${written} arrived`)
    await log.close()
    rmSync(folder, { recursive: true, force: true })
    results.push({
      goal: 'G12',
      what: `${of.name}s of a log, ${size} rows a record${days > 1 ? `, ${days} days in turns` : ''}, into a table`,
      ours: written / seconds,
      peer: 'the goal of 300,000',
      theirs: 300_000,
      unit: 'rows/s',
      least: of === quote && !quick ? 1 : 0,
      note: `${Math.round(cpuNs / written)} ns of CPU a row in the process that loads`,
    })
  }
  return results
}
