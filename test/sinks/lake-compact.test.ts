import fc from 'fast-check'
import { tableFromIPC } from 'apache-arrow'
import { readParquet } from 'parquet-wasm/node'
import { describe, expect, test } from 'vitest'
import type { AddFile } from '../../sinks/lake/action.ts'
import { compacted, mergesOf } from '../../sinks/lake/compact.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { rowsInLake, rowsInLog, runOf, twoPartitions } from './lake-check.ts'
import { compactAll, loaded, merger, opened } from './lake-tended.ts'
import { memoryLog, memoryObjects, tradeRecords, virtualClock } from './lake-world.ts'

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
