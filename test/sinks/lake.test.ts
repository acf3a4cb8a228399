import { createHash } from 'node:crypto'
import { tableFromIPC } from 'apache-arrow'
import { readParquet } from 'parquet-wasm/node'
import { describe, expect, test } from 'vitest'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import type { ObjectStore, Placed } from '../../graph/port.ts'
import { logged, optional, text } from '../../graph/schema.ts'
import type { AnySchema, Column } from '../../graph/schema.ts'
import { bookDelta, trade } from '../../market/event.ts'
import { latency } from '../../market/system.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { lake } from '../../sinks/lake.ts'
import type { AnyLakeSink } from '../../sinks/lake.ts'
import { encodeCommit } from '../../sinks/lake/action.ts'
import { DeltaLog } from '../../sinks/lake/delta.ts'
import { runLake } from '../../sinks/lake/load.ts'
import type { LakeRun } from '../../sinks/lake/load.ts'
import { EVENING, faulty, memoryLog, memoryObjects, recordsOf, seeded, tradeRecords, virtualClock } from './lake-world.ts'
import type { MemoryObjects } from './lake-world.ts'

const quick = lake(trade, { rollMs: 5000, rowsMax: 150 })

interface Given extends Partial<LakeRun> {
  readonly log: LakeRun['log']
  readonly objects: ObjectStore
  readonly sink?: AnyLakeSink
  readonly topic?: string
}

const runOf = ({ sink = quick, topic = 'trade', ...of }: Given): LakeRun => ({
  graph: 'test', sinks: [{ topic, partitions: 2, sink }], clock: virtualClock(), format: parquet, checkpointEvery: 5, ...of,
})

/** Every row of a table, through its log, as `offset row id` a partition; ids are there to see that values moved along. */
const rowsInLake = async (objects: ObjectStore, table = 'trade'): Promise<Record<string, string[]>> => {
  const log = new DeltaLog(objects, table, parquet.checkpoint)
  await log.refresh()
  const found: Record<string, [number, number, string][]> = {}
  for (const file of log.files()) {
    const arrow = tableFromIPC(readParquet((await objects.get(`${table}/${decodeURI(file.path)}`))!).intoIPCStream())
    expect(arrow.numRows).toBe((JSON.parse(file.stats) as { numRecords: number }).numRecords)
    for (const row of arrow) (found[`${row!['_topic']}/${row!['_part']}`] ??= []).push([Number(row!['_off']), row!['_row'] as number, String(row!['id'])])
  }
  const sorted = (rows: [number, number, string][]): string[] => rows.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map((row) => row.join(' '))
  return Object.fromEntries(Object.entries(found).map(([where, rows]) => [where, sorted(rows)]))
}

const rowsInLog = (records: readonly Placed[], of: AnySchema = trade): Record<string, string[]> => {
  const found: Record<string, string[]> = {}
  for (const record of records) {
    const rows = rowsOf(readBatch(logged(of), record.bytes))
    rows.forEach((row, i) => (found[`${record.topic}/${record.partition}`] ??= []).push(`${record.offset} ${i} ${String(row['id'])}`))
  }
  return found
}

const shaOf = (objects: MemoryObjects): Record<string, string> =>
  Object.fromEntries([...objects.objects].sort().map(([path, bytes]) => [path, createHash('sha256').update(bytes).digest('hex')]))

const twoPartitions = (records = 30, perRecord = 10): readonly Placed[] => [0, 1].flatMap((partition) => tradeRecords(partition, records, perRecord, 200))

describe('the sink', () => {
  test('loads every row of its partitions once', async () => {
    const records = twoPartitions()
    const objects = memoryObjects()
    const load = runLake(runOf({ log: memoryLog(records), objects }))
    await load.drain()
    expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
    const [status] = load.status()
    expect(status).toMatchObject({ rows: 600, error: undefined, filesInTable: status!.files })
    expect(status!.partitions).toEqual([0, 1].map((partition) => ({ partition, next: 30, lagRecords: 0 })))
    expect(status!.bytes).toBe([...objects.objects].filter(([path]) => path.includes('/dt=')).reduce((sum, [, bytes]) => sum + bytes.length, 0))
  })

  test('loads every row once, whatever the store does and whoever else loads the same partitions', async () => {
    for (let seed = 1; seed <= 15; seed++) {
      const below = seeded(seed)
      const records = twoPartitions(12 + below(20), 1 + below(12))
      const objects = memoryObjects()
      const oneIn = 3 + below(12)
      for (let life = 0; life < 3; life++) {
        const runs = Array.from({ length: 1 + below(2) }, () => {
          const clock = virtualClock()
          const sink = lake(trade, { rollMs: 50 + below(5000), rowsMax: 1 + below(80) })
          const cut = below(2) === 0 ? ('clock' as const) : ('events' as const)
          return runLake(runOf({ sink, cut, clock, objects: faulty(objects, below, oneIn), log: memoryLog(records, below, clock) }))
        })
        const [survivor, ...killed] = runs
        const crashed = killed.map(async (run) => {
          for (let i = 0; i < below(30); i++) await new Promise((resume) => setImmediate(resume))
          await run.stop()
        })
        if (life === 2) await survivor!.drain()
        else {
          for (let i = 0; i < below(60); i++) await new Promise((resume) => setImmediate(resume))
          await survivor!.stop()
        }
        await Promise.all(crashed)
      }
      expect(await rowsInLake(objects), `seed ${seed}`).toEqual(rowsInLog(records))
    }
  }, 60_000)

  test('cuts at midnight UTC of received, and splits a record that crosses it', async () => {
    const day = 86_400_000_000
    const midnight = Math.ceil(EVENING / day) * day
    const row = (i: number) => ({ source: 's', channel: 'trade', hop: 'log', time: midnight + (i - 3) * 1_000_000, count: i, p50Us: 1, p99Us: 2, maxUs: 3 })
    const records = recordsOf(latency, 'latency', 0, [[row(0), row(1)], [row(2), row(3), row(1)], [row(4)]])
    const objects = memoryObjects()
    const load = runLake(runOf({ sink: lake(latency), topic: 'latency', log: memoryLog(records), objects }))
    await load.drain()
    const files = [...objects.objects.keys()].filter((path) => path.includes('/dt=')).sort()
    const counts = files.map((path) => {
      const found = tableFromIPC(readParquet(objects.objects.get(path)!).intoIPCStream())
      return `${path.slice(8, 21)} ${[...found].map((one) => `${one!['_off']}.${one!['_row']}=${one!['count']}`).join(' ')}`
    })
    expect(counts).toEqual(['dt=2026-01-01 0.0=0 0.1=1 1.0=2 1.2=1', 'dt=2026-01-02 1.1=3', 'dt=2026-01-02 2.0=4'])
  })

  test('begins where the table says, and stands still behind a failing store without losing anything', async () => {
    const records = twoPartitions()
    const objects = memoryObjects()
    let broken = true
    const flaky: ObjectStore = { ...objects, putIfAbsent: (path, bytes) => (broken ? faulty(objects, () => 0, 1).putIfAbsent(path, bytes) : objects.putIfAbsent(path, bytes)) }
    const load = runLake(runOf({ log: memoryLog(records), objects: flaky }))
    const drained = load.drain()
    while (load.status()[0]!.error === undefined) await new Promise((resume) => setImmediate(resume))
    expect(load.status()[0]).toMatchObject({ rows: 0, state: 'waiting', error: { message: 'the store failed before' } })
    broken = false
    await drained
    expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
  })
})

describe('replay', () => {
  test('writes the same bytes however the reader is fed, however often it restarts, and through crashes of the store', async () => {
    const records = twoPartitions(40)
    const once = memoryObjects()
    await runLake(runOf({ cut: 'events', log: memoryLog(records), objects: once })).drain()
    for (let seed = 1; seed <= 6; seed++) {
      const below = seeded(seed)
      const again = memoryObjects()
      for (let life = 0; life < 4; life++) {
        const load = runLake(runOf({ cut: 'events', log: memoryLog(records, below), objects: faulty(again, below, 9) }))
        for (let i = 0; i < below(100); i++) await new Promise((resume) => setImmediate(resume))
        await load.stop()
      }
      await runLake(runOf({ cut: 'events', log: memoryLog(records, below), objects: again })).drain()
      expect(shaOf(again), `seed ${seed}`).toEqual(shaOf(once))
    }
  }, 30_000)

  test('orders the commits of its partitions by event time', async () => {
    const early = tradeRecords(1, 10, 10, 100)
    const late = tradeRecords(0, 10, 10, 100, EVENING + 3_600_000_000)
    const objects = memoryObjects()
    await runLake(runOf({ cut: 'events', log: memoryLog([...late, ...early]), objects })).drain()
    const commits = [...objects.objects.keys()].filter((path) => path.endsWith('.json')).sort()
    const stamps = commits.map((path) => (JSON.parse(new TextDecoder().decode(objects.objects.get(path)).split('\n')[0]!) as { commitInfo: { timestamp: number } }).commitInfo.timestamp)
    expect(stamps).toEqual([...stamps].sort((a, b) => a - b))
    expect(stamps.length).toBeGreaterThan(3)
  })
})

describe('the table', () => {
  const drained = async (sink: AnyLakeSink, records: readonly Placed[], objects: MemoryObjects): Promise<void> =>
    runLake(runOf({ sink, log: memoryLog(records), objects })).drain()

  test('opens from its last checkpoint alone, positions included', async () => {
    const objects = memoryObjects()
    const records = twoPartitions(60)
    await runLake(runOf({ cut: 'events', log: memoryLog(records), objects })).drain()
    const { version } = JSON.parse(new TextDecoder().decode(objects.objects.get('trade/_delta_log/_last_checkpoint'))) as { version: number }
    expect(version).toBeGreaterThan(4)
    for (let old = 0; old <= version; old++) objects.objects.delete(`trade/_delta_log/${String(old).padStart(20, '0')}.json`)
    expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
    const again = runLake(runOf({ log: memoryLog(records), objects }))
    await again.drain()
    expect(again.status()[0]).toMatchObject({ rows: 0, partitions: [{ lagRecords: 0 }, { lagRecords: 0 }] })
  })

  test('takes a new column of a later version, and refuses one that older files cannot lack', async () => {
    const objects = memoryObjects()
    const records = tradeRecords(0, 4, 5)
    await drained(quick, records, objects)
    const wider = (field: object): AnySchema => ({ ...trade, version: 2, columns: [...trade.columns, { ...field, name: 'venueNote' } as Column] })
    const row = { ...rowsOf(readBatch(logged(trade), records[0]!.bytes))[0]!, venueNote: 'block' }
    const more = (of: AnySchema): readonly Placed[] => [...records, ...recordsOf(of, 'trade', 0, [[row]]).map((record) => ({ ...record, offset: records.length }))]
    const sinkOf = (of: AnySchema): AnyLakeSink => ({ ...quick, schema: of })
    const solid = wider(text('what the venue said'))
    await expect(drained(sinkOf(solid), more(solid), objects)).rejects.toMatchObject({ code: 'KT3403' })
    const open = wider(optional(text('what the venue said')))
    await drained(sinkOf(open), more(open), objects)
    const log = new DeltaLog(objects, 'trade', parquet.checkpoint)
    await log.refresh()
    expect(log.metaData!.configuration['kt.schema']).toBe('trade/2')
    expect(log.metaData!.schemaString).toContain('"name":"venue_note","type":"string","nullable":true')
    expect(log.position('kt/lake.trade/trade/0')).toBe(records.length + 1)
  })

  test('adopts a file that a crash left behind, and never replaces one that differs', async () => {
    const records = tradeRecords(0, 3, 5)
    const clean = memoryObjects()
    await drained(quick, records, clean)
    const path = [...clean.objects.keys()].find((name) => name.includes('/dt='))!
    const same = memoryObjects()
    same.objects.set(path, clean.objects.get(path)!)
    await drained(quick, records, same)
    expect(shaOf(same)).toEqual(shaOf(clean))
    const foreign = memoryObjects()
    foreign.objects.set(path, new Uint8Array([1, 2, 3]))
    await drained(quick, records, foreign)
    expect(foreign.objects.get(path)).toEqual(new Uint8Array([1, 2, 3]))
    expect(await rowsInLake(foreign)).toEqual(rowsInLog(records))
  })

  test('leaves out what was removed, and refuses what a newer writer made of it', async () => {
    const objects = memoryObjects()
    const records = tradeRecords(0, 30, 10)
    await drained(quick, records, objects)
    const log = new DeltaLog(objects, 'trade', parquet.checkpoint)
    await log.refresh()
    const [file, ...rest] = log.files()
    const { path, partitionValues, size } = file!
    expect(await log.commit([{ remove: { path, partitionValues, size, deletionTimestamp: 1, dataChange: false, extendedFileMetadata: true } }])).toBe(true)
    const reader = new DeltaLog(objects, 'trade', parquet.checkpoint)
    await reader.refresh()
    expect(reader.files()).toEqual(rest)
    objects.objects.set(`trade/_delta_log/${String(log.version + 1).padStart(20, '0')}.json`, encodeCommit([{ protocol: { minReaderVersion: 3, minWriterVersion: 7 } }]))
    await expect(reader.refresh()).rejects.toMatchObject({ code: 'KT3401' })
  })

  test('holds lists, flags and missing values as the log has them', async () => {
    const base = { venue: 'v', instrument: 'v:spot:A-B', time: EVENING, received: EVENING, first: null, last: 7, origin: 'stream', horizon: 0 }
    const rows = [
      { ...base, snapshot: true, bidPrices: [1.5, 1.25], bidSizes: [1, 2], askPrices: [], askSizes: [] },
      { ...base, snapshot: false, first: 2 ** 53 - 1, bidPrices: [], bidSizes: [], askPrices: [0.1 + 0.2], askSizes: [0] },
    ]
    const objects = memoryObjects()
    await runLake(runOf({ sink: lake(bookDelta), topic: 'd', log: memoryLog(recordsOf(bookDelta, 'd', 1, [rows])), objects })).drain()
    const path = [...objects.objects.keys()].find((name) => name.includes('/dt='))!
    expect(path).toBe('book_delta/dt=2026-01-01/d-1-00000000000000000000-00000000000000000000.parquet')
    const found = [...tableFromIPC(readParquet(objects.objects.get(path)!).intoIPCStream())].map((row) => row!.toJSON())
    expect(found.map((row) => [row['snapshot'], row['first'], [...(row['bid_prices'] as Float64Array)], [...(row['ask_prices'] as Float64Array)]])).toEqual([
      [true, null, [1.5, 1.25], []],
      [false, 9007199254740991n, [], [0.1 + 0.2]],
    ])
  })
})

test('options that cannot be right are refused where the graph is written', () => {
  expect(() => lake(trade, { rollMs: 0 })).toThrow(expect.objectContaining({ code: 'KT1601' }))
  expect(lake(latency).orderBy).toEqual(['time'])
})
