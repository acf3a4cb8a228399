import { expect, test } from 'vitest'
import { setTimeout as pause } from 'node:timers/promises'
import { fileStore } from '../../runtime/driver/files.ts'
import { trade } from '../../market/event.ts'
import { lake } from '../../sinks/lake.ts'
import { runLake } from '../../sinks/lake/load.ts'
import type { LakeChange, LakeLoad } from '../../sinks/lake/run.ts'
import { SmallDisk } from '../small-disk.ts'
import { rowsInLake, rowsInLog, runOf, twoPartitions } from './lake-check.ts'
import { memoryLog } from './lake-world.ts'

const records = twoPartitions(8, 8)
/** A file of a table takes two pages, its commit one: each of them in turn is the one that does not fit. */
const PAGES = Array.from({ length: 24 }, (_, pages) => pages)

test.each(['clock', 'events'] as const)(
  'a lake cut by %s, whose disk becomes full at any write, holds each row once and nothing half-written',
  { timeout: 120_000 },
  async (cut) => {
    using disk = SmallDisk.open()
    if (disk === undefined) return console.warn('mounting a small disk takes root: skipped')
    const objects = fileStore(disk.folder)
    const expected = rowsInLog(records)
    let refusals = 0
    for (const pages of PAGES) {
      disk.leave(pages)
      const begin = (changes: LakeChange[]): LakeLoad =>
        runLake(
          runOf({
            cut,
            objects,
            positions: objects,
            log: memoryLog(records),
            sink: lake(trade, { rollMs: 300, rowsMax: 24 }),
            checkpointEvery: 3,
            report: (change) => changes.push(change),
          }),
        )
      const changes: LakeChange[] = []
      const load = begin(changes)
      let drained = false
      const draining = load.drain().then(() => (drained = true))
      const refused = (): boolean => changes.some(({ error }) => error !== undefined)
      while (!drained && !refused()) await pause(1)
      const codes = new Set(changes.flatMap(({ error }) => error?.code ?? []))
      expect([...codes]).toEqual(refused() ? ['KT3011'] : [])
      const held = await rowsInLake(objects)
      for (const [where, rows] of Object.entries(held))
        expect(rows).toEqual(expected[where]!.slice(0, rows.length))
      if (refused()) refusals++

      // Every second one ends before there is space, and another goes on.
      if (pages % 2 === 0 && !drained) {
        await load.stop()
        disk.free()
        await begin([]).drain()
      } else {
        disk.free()
        await draining
      }
      expect(await rowsInLake(objects), `${pages} pages`).toEqual(expected)
      expect(disk.files().filter((name) => name.includes('tmp'))).toEqual([])
      disk.clear()
    }
    expect(refusals).toBeGreaterThan(10)
  },
)
