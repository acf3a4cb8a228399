import { createHash } from 'node:crypto'
import { tableFromIPC } from 'apache-arrow'
import { readParquet } from 'parquet-wasm/node'
import { expect } from 'vitest'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import type { ObjectStore, Placed } from '../../graph/port.ts'
import { logged } from '../../graph/schema.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { trade } from '../../market/event.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { lake } from '../../sinks/lake.ts'
import type { AnyLakeSink } from '../../sinks/lake.ts'
import { DeltaLog } from '../../sinks/lake/delta.ts'
import type { LakeRun } from '../../sinks/lake/run.ts'
import { memoryObjects, recordsOf, tradeRecords, virtualClock } from './lake-world.ts'
import type { MemoryObjects } from './lake-world.ts'

const DAY_US = 86_400_000_000

/** A small sink: many files. */
export const quick = lake(trade, { rollMs: 5000, rowsMax: 150 })

export interface Given extends Partial<LakeRun> {
  readonly log: LakeRun['log']
  readonly objects: ObjectStore
  readonly sink?: AnyLakeSink
  readonly topic?: string
}

/** A run with what tests rarely change. */
export const runOf = ({ sink = quick, topic = 'trade', ...of }: Given): LakeRun => ({
  graph: 'test',
  sinks: [{ topic, partitions: 2, sink }],
  clock: virtualClock(),
  positions: memoryObjects(),
  format: parquet,
  checkpointEvery: 5,
  ...of,
})

/**
 * Every row of a table, through its log, as `offset row id` a partition; ids are there to see that values
 * moved along. Each is in a file of its date.
 */
export const rowsInLake = async (
  objects: ObjectStore,
  table = 'trade',
): Promise<Record<string, string[]>> => {
  const log = new DeltaLog(objects, table, parquet.checkpoint)
  await log.refresh()
  const found: Record<string, [number, number, string][]> = {}
  for (const file of log.files()) {
    const arrow = tableFromIPC(
      readParquet((await objects.get(`${table}/${decodeURI(file.path)}`))!).intoIPCStream(),
    )
    expect(arrow.numRows).toBe((JSON.parse(file.stats) as { numRecords: number }).numRecords)
    for (const row of arrow) {
      const date = new Date(Number(row!['received'])).toISOString().slice(0, 10)
      if (date !== file.partitionValues.dt) expect.fail(`a row of ${date} is in ${file.path}`)
      ;(found[`${row!['_topic']}/${row!['_part']}`] ??= []).push([
        Number(row!['_off']),
        row!['_row'] as number,
        String(row!['id']),
      ])
    }
  }
  const sorted = (rows: [number, number, string][]): string[] =>
    rows.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map((row) => row.join(' '))
  return Object.fromEntries(Object.entries(found).map(([where, rows]) => [where, sorted(rows)]))
}

export const rowsInLog = (records: readonly Placed[], of: AnySchema = trade): Record<string, string[]> => {
  const found: Record<string, string[]> = {}
  for (const record of records) {
    const rows = rowsOf(readBatch(logged(of), record.bytes))
    rows.forEach((row, i) =>
      (found[`${record.topic}/${record.partition}`] ??= []).push(
        `${record.offset} ${i} ${String(row['id'])}`,
      ),
    )
  }
  return found
}

/** Every object and what is in it. */
export const shaOf = (objects: MemoryObjects): Record<string, string> =>
  Object.fromEntries(
    [...objects.objects]
      .sort()
      .map(([path, bytes]) => [path, createHash('sha256').update(bytes).digest('hex')]),
  )

/** The same rows, some of them so many days later: `days` is asked for each, by its record and its place. */
export const onDays = (
  records: readonly Placed[],
  days: (record: number, row: number) => number,
): readonly Placed[] =>
  [0, 1].flatMap((partition) => {
    const own = records.filter((record) => record.partition === partition)
    const later = own.map(({ bytes }, at) =>
      rowsOf(readBatch(logged(trade), bytes)).map(({ _order, ...row }, place) => ({
        ...row,
        received: Number(row['received']) + DAY_US * days(at, place),
      })),
    )
    return recordsOf(trade, 'trade', partition, later)
  })

export const twoPartitions = (records = 30, perRecord = 10): readonly Placed[] =>
  [0, 1].flatMap((partition) => tradeRecords(partition, records, perRecord, 200))
