import { describe, expect, test } from 'vitest'
import type { ObjectArchive } from '../../graph/port.ts'
import { trade } from '../../market/event.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { lake } from '../../sinks/lake.ts'
import { compacted, mergesOf } from '../../sinks/lake/compact.ts'
import type { Merger } from '../../sinks/lake/compact.ts'
import { DeltaLog } from '../../sinks/lake/delta.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { keepUp } from '../../sinks/lake/upkeep.ts'
import { vacuumed } from '../../sinks/lake/vacuum.ts'
import { randomOf } from '../random.ts'
import { rowsInLake, rowsInLog, runOf, twoPartitions } from './lake-check.ts'
import { compactAll, loaded, merger, opened } from './lake-tended.ts'
import { faulty, memoryLog, memoryObjects, virtualClock } from './lake-world.ts'

/** More seeds on demand: `LAKE_SEEDS=50 vitest run test/sinks/lake-upkeep.test.ts`. */
const SEEDS = Number(process.env['LAKE_SEEDS'] ?? 4)
const DAY_MS = 86_400_000

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
