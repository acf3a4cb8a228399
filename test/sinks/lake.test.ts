import { tableFromIPC } from 'apache-arrow'
import { readParquet } from 'parquet-wasm/node'
import { describe, expect, test } from 'vitest'
import { HostError } from '../../graph/error.ts'
import type { ObjectStore } from '../../graph/port.ts'
import { trade } from '../../market/event.ts'
import { latency } from '../../market/system.ts'
import { lake } from '../../sinks/lake.ts'
import { runLake } from '../../sinks/lake/load.ts'
import {
  EVENING,
  faulty,
  memoryLog,
  memoryObjects,
  recordsOf,
  tradeRecords,
  virtualClock,
} from './lake-world.ts'

import { onDays, rowsInLake, rowsInLog, runOf, shaOf, twoPartitions } from './lake-check.ts'
import { randomOf } from '../random.ts'

/** More seeds on demand: `LAKE_SEEDS=200 vitest run test/sinks/lake.test.ts`. */
const SEEDS = Number(process.env['LAKE_SEEDS'] ?? 10)

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
    expect(status!.bytes).toBe(
      [...objects.objects]
        .filter(([path]) => path.includes('/dt='))
        .reduce((sum, [, bytes]) => sum + bytes.length, 0),
    )
  })

  test('loads every row once, whatever the store does and whoever else loads the same partitions', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const below = randomOf(seed)
      const some = twoPartitions(6 + below(12), 1 + below(8))
      const turns = below(3)
      const records = [some, onDays(some, (at) => at % 3), onDays(some, () => below(2))][turns]!
      const objects = memoryObjects()
      const oneIn = 3 + below(12)
      for (let life = 0; life < 3; life++) {
        const runs = Array.from({ length: life === 2 ? 2 : 1 + below(2) }, () => {
          const clock = virtualClock()
          const sink = lake(trade, { rollMs: 50 + below(5000), rowsMax: 4 + below(60) })
          const cut = below(2) === 0 ? ('clock' as const) : ('events' as const)
          return runLake(
            runOf({
              sink,
              cut,
              clock,
              objects: faulty(objects, below, oneIn),
              log: memoryLog(records, below, clock),
            }),
          )
        })
        // In the last life all go to the end, against each other; before it all are stopped on the way.
        await Promise.all(
          runs.map(async (run) => {
            if (life === 2) return run.drain()
            for (let i = 0; i < below(60); i++) await new Promise((resume) => setImmediate(resume))
            return run.stop()
          }),
        )
      }
      expect(await rowsInLake(objects), `seed ${seed}`).toEqual(rowsInLog(records))
    }
  }, 60_000)

  test('does not go on in the table of another log, which it would leave rows out of', async () => {
    const objects = memoryObjects()
    await runLake(runOf({ log: memoryLog(twoPartitions()), objects })).drain()
    const before = objects.objects.size
    const other = runLake(runOf({ log: memoryLog(twoPartitions(3, 5)), objects }))
    await expect(other.drain()).rejects.toMatchObject({ code: 'KT3408' })
    expect(other.status()).toMatchObject([{ state: 'failed', rows: 0 }])
    expect(objects.objects.size).toBe(before)
  })

  test('loads the tables that can be loaded to their end, beside one that cannot', async () => {
    const objects = memoryObjects()
    const records = twoPartitions()
    const good = memoryLog(records)
    const log: typeof good = {
      ...good,
      read: async (from) => {
        if (from[0]!.topic !== 'gone') return good.read(from)
        throw new HostError('KT3035', 'it is not the topic any more', { retry: 'never' })
      },
    }
    const run = runOf({ log, objects })
    const sinks = [{ topic: 'gone', partitions: 1, sink: lake(latency) }, ...run.sinks]
    const load = runLake({ ...run, sinks })
    await expect(load.drain()).rejects.toMatchObject({ code: 'KT3035' })
    expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
  })

  test('cuts at midnight UTC of received, and splits a record that crosses it', async () => {
    const day = 86_400_000_000
    const midnight = Math.ceil(EVENING / day) * day
    const row = (i: number) => ({
      source: 's',
      channel: 'trade',
      hop: 'log',
      time: midnight + (i - 3) * 1_000_000,
      count: i,
      p50Us: 1,
      p99Us: 2,
      maxUs: 3,
    })
    const records = recordsOf(latency, 'latency', 0, [[row(0), row(1)], [row(2), row(3), row(1)], [row(4)]])
    const objects = memoryObjects()
    const load = runLake(runOf({ sink: lake(latency), topic: 'latency', log: memoryLog(records), objects }))
    await load.drain()
    const files = [...objects.objects.keys()].filter((path) => path.includes('/dt=')).sort()
    const counts = files.map((path) => {
      const found = tableFromIPC(readParquet(objects.objects.get(path)!).intoIPCStream())
      return `${path.slice(8, 21)} ${[...found].map((one) => `${one!['_off']}.${one!['_row']}=${one!['count']}`).join(' ')}`
    })
    expect(counts).toEqual(['dt=2026-01-01 0.0=0 0.1=1 1.0=2 1.2=1', 'dt=2026-01-02 1.1=3 2.0=4'])
  })

  test('has no file across midnight where records are not', async () => {
    const records = tradeRecords(0, 10, 10, 1000)
    const objects = memoryObjects()
    const sink = lake(trade, { rollMs: 3_600_000 })
    await runLake(runOf({ sink, log: memoryLog(records), objects })).drain()
    const files = [...objects.objects.keys()].filter((path) => path.includes('/dt=')).sort()
    expect(files.map((path) => path.replaceAll(/0{18}/g, ''))).toEqual([
      'trade/dt=2026-01-01/trade-0-00-02.parquet',
      'trade/dt=2026-01-02/trade-0-03-09.parquet',
    ])
  })

  test.each([
    ['records', (record: number) => record % 3],
    ['rows', (_: number, row: number) => row % 3],
  ])('makes no fragments where %s of several days come in turns', async (_, days) => {
    for (const cut of ['clock', 'events'] as const) {
      const records = onDays(twoPartitions(60, 10), days)
      const objects = memoryObjects()
      const sink = lake(trade, { rollMs: 3_600_000 })
      const load = runLake(runOf({ sink, cut, log: memoryLog(records), objects }))
      await load.drain()
      expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
      expect(load.status()[0]!.filesInTable).toBeLessThan(20)
    }
  })

  test('goes on behind what another run has committed of its rows, and commits the rest itself', async () => {
    const records = tradeRecords(0, 12, 10)
    const objects = memoryObjects()
    const rival = (end: number) => runLake(runOf({ log: memoryLog(records.slice(0, end)), objects })).drain()
    let first = true
    const late: ObjectStore = {
      ...objects,
      putIfAbsent: async (path, bytes) => {
        if (first && path.endsWith('.json')) {
          first = false
          await rival(5)
        }
        return objects.putIfAbsent(path, bytes)
      },
    }
    const load = runLake(
      runOf({ sink: lake(trade, { rowsMax: 80 }), log: memoryLog(records), objects: late }),
    )
    await load.drain()
    expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
    expect(load.status()[0]).toMatchObject({ rows: 70 })
  })

  test('begins where the table says, and stands still behind a failing store without losing anything', async () => {
    const records = twoPartitions()
    const objects = memoryObjects()
    let broken = true
    const flaky: ObjectStore = {
      ...objects,
      putIfAbsent: (path, bytes) =>
        broken ? faulty(objects, () => 0, 1).putIfAbsent(path, bytes) : objects.putIfAbsent(path, bytes),
    }
    const load = runLake(runOf({ log: memoryLog(records), objects: flaky }))
    const drained = load.drain()
    while (load.status()[0]!.error === undefined) await new Promise((resume) => setImmediate(resume))
    expect(load.status()[0]).toMatchObject({
      rows: 0,
      state: 'waiting',
      error: { message: 'the store failed before' },
    })
    broken = false
    await drained
    expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
  })
})

describe('replay', () => {
  test('writes the same bytes however the reader is fed, however often it restarts, and through crashes of the store', async () => {
    const records = onDays(twoPartitions(40), (at) => (at > 20 ? at % 2 : 0))
    const once = memoryObjects()
    await runLake(runOf({ cut: 'events', log: memoryLog(records), objects: once })).drain()
    for (let seed = 1; seed <= 3; seed++) {
      const below = randomOf(seed)
      const again = memoryObjects()
      for (let life = 0; life < 4; life++) {
        const load = runLake(
          runOf({ cut: 'events', log: memoryLog(records, below), objects: faulty(again, below, 9) }),
        )
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
    const stamps = commits.map(
      (path) =>
        (
          JSON.parse(new TextDecoder().decode(objects.objects.get(path)).split('\n')[0]!) as {
            commitInfo: { timestamp: number }
          }
        ).commitInfo.timestamp,
    )
    expect(stamps).toEqual([...stamps].sort((a, b) => a - b))
    expect(stamps.length).toBeGreaterThan(3)
  })
})

test('options that cannot be right are refused where the graph is written', () => {
  expect(() => lake(trade, { rollMs: 0 })).toThrow(expect.objectContaining({ code: 'KT1601' }))
  expect(lake(latency).orderBy).toEqual(['time'])
})
