import { describe, expect, test } from 'vitest'
import { parquet } from '../../sinks/driver/parquet.ts'
import { twenty } from '../../sinks/lake/action.ts'
import { DeltaLog } from '../../sinks/lake/delta.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { rowsInLake, rowsInLog, runOf, twoPartitions } from './lake-check.ts'
import { memoryLog, memoryObjects } from './lake-world.ts'
import type { MemoryObjects } from './lake-world.ts'

const FOLDER = 'trade/_delta_log'
const records = twoPartitions(60)

const loaded = async (): Promise<MemoryObjects> => {
  const objects = memoryObjects()
  await runLake(runOf({ cut: 'events', log: memoryLog(records), objects })).drain()
  return objects
}
const opened = async (objects: MemoryObjects): Promise<DeltaLog> => {
  const log = new DeltaLog(objects, 'trade', parquet.checkpoint)
  await log.refresh()
  return log
}
const commit = (version: number): string => `${FOLDER}/${twenty(version)}.json`
const checkpoint = (version: number): string => `${FOLDER}/${twenty(version)}.checkpoint.parquet`

describe('the log of a table', () => {
  test('is found again where the name of its checkpoint is lost, torn or of one that is gone', async () => {
    const objects = await loaded()
    const { version } = await opened(objects)
    const newest = version - (version % 5)
    expect(newest).toBeGreaterThan(5)
    for (let old = 0; old <= newest; old++) objects.objects.delete(commit(old))
    objects.objects.delete(checkpoint(5))
    for (const hint of [undefined, '', '{"version":5}', '{"version":"x"}', '{']) {
      if (hint === undefined) objects.objects.delete(`${FOLDER}/_last_checkpoint`)
      else objects.objects.set(`${FOLDER}/_last_checkpoint`, new TextEncoder().encode(hint))
      expect((await opened(objects)).checkpointed).toBe(newest)
      expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
      const again = runLake(runOf({ log: memoryLog(records), objects }))
      await again.drain()
      expect(again.status()[0]).toMatchObject({ rows: 0 })
    }
  })

  test('takes rows whose offsets have holes, also where it goes on after a restart', async () => {
    const spread = records.map((record) => ({ ...record, offset: 3 * record.offset + 2 }))
    for (const cut of ['clock', 'events'] as const) {
      const objects = memoryObjects()
      for (const part of [spread.slice(0, 50), spread])
        await runLake(runOf({ cut, log: memoryLog(part), objects })).drain()
      expect(await rowsInLake(objects)).toEqual(rowsInLog(spread))
    }
  })

  test('is refused where a commit is lost, so that no row is loaded again', async () => {
    const whole = await loaded()
    const { version } = await opened(whole)
    for (let lost = version - (version % 5) + 1; lost < version; lost++) {
      const objects = memoryObjects()
      for (const [path, bytes] of whole.objects) if (path !== commit(lost)) await objects.put(path, bytes)
      await expect(opened(objects)).rejects.toMatchObject({ code: 'KT3402' })
    }
    for (const path of [...whole.objects.keys()])
      if (path.includes('checkpoint') || path === commit(0)) whole.objects.delete(path)
    await expect(opened(whole)).rejects.toMatchObject({ code: 'KT3402' })
  })

  test('takes a commit that was made between two of its looks for what it is', async () => {
    const objects = await loaded()
    const { version } = await opened(objects)
    const late = new Map<string, Uint8Array>()
    for (let one = 3; one <= version; one++) {
      late.set(commit(one), objects.objects.get(commit(one))!)
      objects.objects.delete(commit(one))
    }
    for (const path of [...objects.objects.keys()])
      if (path.includes('checkpoint')) objects.objects.delete(path)
    const slow = {
      ...objects,
      get: async (path: string) => {
        const found = await objects.get(path)
        // The rest is written right after the first look at version 3.
        if (path === commit(3)) for (const [name, bytes] of late) objects.objects.set(name, bytes)
        return found
      },
    }
    const log = new DeltaLog(slow, 'trade', parquet.checkpoint)
    await log.refresh()
    await log.refresh()
    expect(log.version).toBe(version)
  })
})
