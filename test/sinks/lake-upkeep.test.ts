import fc from 'fast-check'
import { tableFromIPC } from 'apache-arrow'
import { readParquet } from 'parquet-wasm/node'
import { describe, expect, test } from 'vitest'
import type { ObjectArchive } from '../../graph/port.ts'
import { trade } from '../../market/event.ts'
import { duckMerger } from '../../sinks/driver/lake-merge.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { lake } from '../../sinks/lake.ts'
import type { AddFile } from '../../sinks/lake/action.ts'
import { compacted, mergesOf } from '../../sinks/lake/compact.ts'
import type { CompactTo, Merger } from '../../sinks/lake/compact.ts'
import { DeltaLog } from '../../sinks/lake/delta.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { keepUp } from '../../sinks/lake/upkeep.ts'
import { vacuumed } from '../../sinks/lake/vacuum.ts'
import { randomOf } from '../random.ts'
import { rowsInLake, rowsInLog, runOf, twoPartitions } from './lake-check.ts'
import { faulty, memoryLog, memoryObjects, tradeRecords, virtualClock } from './lake-world.ts'

/** More seeds on demand: `LAKE_SEEDS=50 vitest run test/sinks/lake-upkeep.test.ts`. */
const SEEDS = Number(process.env['LAKE_SEEDS'] ?? 4)
const DAY_MS = 86_400_000
const merger = duckMerger()

const opened = async (objects: ObjectArchive): Promise<DeltaLog> => {
  const log = new DeltaLog(objects, 'trade', parquet.checkpoint)
  await log.refresh()
  return log
}

const compactAll = async (
  objects: ObjectArchive,
  clock = virtualClock(),
  to?: CompactTo,
): Promise<number> => {
  const log = await opened(objects)
  const merges = mergesOf(log.files(), to)
  for (const merge of merges) expect(await compacted(log, objects, merger, clock, merge)).toBeDefined()
  return merges.length
}

const loaded = async (objects: ObjectArchive, records = twoPartitions()): Promise<void> =>
  runLake(runOf({ log: memoryLog(records), objects })).drain()

describe('compaction', () => {
  test('makes one sorted file of a date, and every row and position stays', async () => {
    const objects = memoryObjects()
    const records = twoPartitions(60)
    await loaded(objects, records)
    const before = await opened(objects)
    expect(before.fileCount).toBeGreaterThan(7)
    expect(await compactAll(objects)).toBe(2)
    const after = await opened(objects)
    expect(after.files().map(({ path }) => path.slice(0, 21))).toEqual([
      'dt=2026-01-01/compact',
      'dt=2026-01-02/compact',
    ])
    expect(after.positions()).toEqual(before.positions())
    expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
    for (const { path } of after.files()) {
      const rows = [...tableFromIPC(readParquet(objects.objects.get(`trade/${path}`)!).intoIPCStream())]
      const keys = rows.map((row) => `${row!['instrument']} ${(row!['time'] as number).toFixed(3)}`)
      expect(keys).toEqual(keys.toSorted())
    }
    const { version } = after
    const commit = new TextDecoder().decode(
      objects.objects.get(`trade/_delta_log/${String(version).padStart(20, '0')}.json`),
    )
    const actions = commit
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, { dataChange?: boolean }>)
    expect(actions.slice(1).every((action) => Object.values(action)[0]!.dataChange === false)).toBe(true)
    const loader = runLake(runOf({ log: memoryLog(records), objects }))
    await loader.drain()
    expect(loader.status()[0]).toMatchObject({ rows: 0 })
  })

  test('says of the file what its files said', async () => {
    const objects = memoryObjects()
    await loaded(objects, tradeRecords(0, 40, 10, 100))
    const first = (file: AddFile): boolean => file.partitionValues.dt === '2026-01-01'
    const before = (await opened(objects))
      .files()
      .filter(first)
      .map(({ stats }) => JSON.parse(stats) as Stats)
    await compactAll(objects)
    const [file] = (await opened(objects)).files()
    expect(before.length).toBeGreaterThan(1)
    expect(JSON.parse(file!.stats)).toEqual({
      numRecords: before.reduce((sum, one) => sum + one.numRecords, 0),
      minValues: before[0]!.minValues,
      maxValues: before.at(-1)!.maxValues,
      nullCount: before[0]!.nullCount,
    })
  })

  test('joins what belongs together, and leaves what is large or too little', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 3 })), {
          maxLength: 60,
        }),
        fc.integer({ min: 2, max: 8 }),
        (sizes, filesMin) => {
          const files = sizes.map(([size, day], i) => fileOf(i, size, day))
          const merges = mergesOf(files, { bytes: 200, filesMin })
          const joined = merges.flatMap((merge) => merge.files)
          expect(new Set(joined).size).toBe(joined.length)
          for (const merge of merges) {
            expect(merge.files.length).toBeGreaterThan(1)
            expect(merge.bytes).toBeLessThanOrEqual(200)
            expect(merge.bytes).toBe(merge.files.reduce((sum, { size }) => sum + size, 0))
            expect(merge.files.every((file) => file.size < 100 && file.partitionValues.dt === merge.dt)).toBe(
              true,
            )
          }
        },
      ),
    )
  })

  test('writes a row a few times only, however many small files come', () => {
    let files: readonly AddFile[] = []
    let written = 0
    let most = 0
    const TOTAL = 4000
    for (let i = 0; i < TOTAL; i++) {
      files = [...files, fileOf(i, 10, 1)]
      for (const merge of mergesOf(files, { bytes: 10 ** 9, filesMin: 16, share: 2 })) {
        written += merge.bytes
        files = [...files.filter((file) => !merge.files.includes(file)), fileOf(i + 0.5, merge.bytes, 1)]
      }
      most = Math.max(most, files.length)
    }
    expect(written / (TOTAL * 10)).toBeLessThan(6)
    expect(most).toBeLessThan(64)
  })

  test('of two that join the same files one is committed, and the other changes nothing', async () => {
    const objects = memoryObjects()
    const records = twoPartitions()
    await loaded(objects, records)
    const logs = [await opened(objects), await opened(objects)]
    const [merge] = mergesOf(logs[0]!.files())
    // The other one sees more of the files, so that the two make different ones.
    const part = { ...merge!, files: merge!.files.slice(1), rows: merge!.rows - 150 }
    const rest = part.files.reduce((sum, { stats }) => sum + (JSON.parse(stats) as Stats).numRecords, 0)
    const outcomes = await Promise.all([
      compacted(logs[0]!, objects, merger, virtualClock(), merge!),
      compacted(logs[1]!, objects, merger, virtualClock(), { ...part, rows: rest }),
    ])
    expect(outcomes.filter((one) => one !== undefined)).toHaveLength(1)
    expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
  })

  test('refuses a file that lost a row, and one that is gone', async () => {
    const objects = memoryObjects()
    await loaded(objects)
    const log = await opened(objects)
    const [merge] = mergesOf(log.files())
    await expect(
      compacted(log, objects, merger, virtualClock(), { ...merge!, rows: merge!.rows + 1 }),
    ).rejects.toMatchObject({ code: 'KT3405' })
    objects.objects.delete(`trade/${merge!.files[0]!.path}`)
    await expect(compacted(log, objects, merger, virtualClock(), merge!)).rejects.toMatchObject({
      code: 'KT3404',
    })
  })
})

interface Stats {
  readonly numRecords: number
  readonly minValues: Readonly<Record<string, unknown>>
  readonly maxValues: Readonly<Record<string, unknown>>
  readonly nullCount: Readonly<Record<string, number>>
}

const fileOf = (i: number, size: number, day: number): AddFile => ({
  path: `dt=2026-01-0${day}/f-${String(i).padStart(6, '0')}.parquet`,
  partitionValues: { dt: `2026-01-0${day}` },
  size,
  modificationTime: 0,
  dataChange: true,
  stats: JSON.stringify({ numRecords: size, minValues: { received: String(i).padStart(9, '0') } }),
  tags: { 'kt.schema': 'trade/1' },
})

describe('a vacuum', () => {
  const aged = async () => {
    const clock = virtualClock(1_800_000_000_000_000)
    const objects = memoryObjects(clock.now)
    const records = twoPartitions()
    await loaded(objects, records)
    return { clock, objects, records }
  }

  test('removes what was replaced, once its time is over, and nothing that is listed', async () => {
    const { clock, objects, records } = await aged()
    const pinned = await opened(objects)
    // Files are old when they are replaced: their age alone does not say who needs them.
    clock.advance(30 * DAY_MS)
    await compactAll(objects, clock)
    clock.advance(7 * DAY_MS - 1)
    expect(await vacuumed(await opened(objects), objects, clock)).toEqual([])
    for (const { path } of pinned.files()) expect(objects.objects.has(`trade/${path}`)).toBe(true)
    clock.advance(2)
    const would = await vacuumed(await opened(objects), objects, clock, { dry: true })
    expect(would.map(({ path }) => path)).toEqual(pinned.files().map(({ path }) => `trade/${path}`))
    const version = (await opened(objects)).version
    expect(await vacuumed(await opened(objects), objects, clock)).toEqual(would)
    for (const { path } of pinned.files()) expect(objects.objects.has(`trade/${path}`)).toBe(false)
    expect((await opened(objects)).version).toBe(version + 1)
    expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
  })

  test('removes what was never committed and cannot be any more, and leaves what still may be', async () => {
    const { clock, objects } = await aged()
    const name = (first: number) =>
      `trade/dt=2026-01-01/trade-0-${String(first).padStart(20, '0')}-${String(first + 1).padStart(20, '0')}-0a0b0c0d.parquet`
    for (const first of [3, 30, 31]) await objects.put(name(first), new Uint8Array(1))
    await objects.put('trade/dt=2026-01-01/compact-old.parquet', new Uint8Array(1))
    clock.advance(1)
    await objects.put('trade/dt=2026-01-01/compact-young.parquet', new Uint8Array(1))
    const gone = await vacuumed(await opened(objects), objects, clock, { retainMs: 0.5 })
    expect(gone.map(({ path }) => path)).toEqual(['trade/dt=2026-01-01/compact-old.parquet', name(3)])
  })

  test('is a wall that a compaction which began before it does not pass', async () => {
    const { clock, objects, records } = await aged()
    const log = await opened(objects)
    const [merge] = mergesOf(log.files())
    const slow: Merger = { merge: (of) => merger.merge(of) }
    const late: ObjectArchive = {
      ...objects,
      putIfAbsent: async (path, of) => {
        const done = await objects.putIfAbsent(path, of)
        if (path.includes('/compact-')) {
          clock.advance(1)
          expect(await vacuumed(await opened(objects), objects, clock, { retainMs: 0 })).toHaveLength(1)
        }
        return done
      },
    }
    const own = new DeltaLog(late, 'trade', parquet.checkpoint)
    await own.refresh()
    expect(await compacted(own, late, slow, clock, merge!)).toBeUndefined()
    expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
  })

  test('cannot retain for longer than the log remembers', async () => {
    const { clock, objects } = await aged()
    const log = await opened(objects)
    await expect(vacuumed(log, objects, clock, { retainMs: 8 * DAY_MS })).rejects.toMatchObject({
      code: 'KT3406',
    })
  })
})

test('keeps up with a loader, beside it and at its pace', async () => {
  const clock = virtualClock(1_800_000_000_000_000)
  const objects = memoryObjects(clock.now)
  const records = twoPartitions(60)
  const merges: string[] = []
  const upkeep = keepUp({
    objects,
    clock,
    checkpoint: parquet.checkpoint,
    merger,
    tables: ['trade', 'none'],
    everyMs: 100,
    to: { filesMin: 4 },
    done: (table, { files }) => merges.push(`${table} ${files.length}`),
    failed: (_, error) => merges.push(error.message),
  })
  await loaded(objects, records)
  for (let i = 0; i < 4000 && (await opened(objects)).fileCount > 6; i++)
    await new Promise((resume) => setImmediate(resume))
  await upkeep.stop()
  expect(merges.length).toBeGreaterThan(0)
  expect(merges.every((one) => /^trade \d+$/.test(one))).toBe(true)
  expect((await opened(objects)).fileCount).toBeLessThanOrEqual(6)
  expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
})

test(
  'loads every row once while others compact and vacuum, whatever the store does',
  { timeout: 120_000 },
  async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const below = randomOf(seed)
      const records = twoPartitions(8 + below(12), 1 + below(8))
      const clock = virtualClock(1_800_000_000_000_000)
      const objects = memoryObjects(clock.now)
      const store = faulty(objects, below, 12 + below(12))
      let over = false
      const insist = async (act: () => Promise<unknown>): Promise<void> => {
        while (!over) {
          await act().catch((error: { code?: string }) => expect(['KT9999', 'KT3404']).toContain(error.code))
          for (let i = below(20); i >= 0; i--) await new Promise((resume) => setImmediate(resume))
        }
      }
      const compactor = async (): Promise<void> => {
        const log = new DeltaLog(store, 'trade', parquet.checkpoint, 4)
        await insist(async () => {
          await log.refresh()
          const merge = mergesOf(log.files(), { filesMin: 2 + below(3) })[0]
          if (merge !== undefined) await compacted(log, store, merger, clock, merge)
        })
      }
      const others = [
        compactor(),
        compactor(),
        insist(async () => {
          const log = new DeltaLog(store, 'trade', parquet.checkpoint)
          await log.refresh()
          if (log.version >= 0) await vacuumed(log, store, clock, { retainMs: 0 })
        }),
      ]
      const loaders = Array.from({ length: 2 }, () => {
        const sink = lake(trade, { rollMs: 50 + below(5000), rowsMax: 4 + below(40) })
        return runLake(runOf({ sink, clock, objects: store, log: memoryLog(records, below, clock) }))
      })
      await Promise.all(loaders.map((loader) => loader.drain()))
      over = true
      await Promise.all(others)
      expect(await rowsInLake(objects), `seed ${seed}`).toEqual(rowsInLog(records))
    }
  },
)
