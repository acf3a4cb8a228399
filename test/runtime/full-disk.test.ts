import { describe, expect, test } from 'vitest'
import { join } from 'node:path'
import type { Placed } from '../../graph/port.ts'
import { Saver, loadCheckpoint, saveCheckpoint } from '../../runtime/checkpoint.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { Claims } from '../../sinks/clickhouse/claim.ts'
import { SmallDisk } from '../small-disk.ts'
import { bytesFor, codeOf, drain, from, stepOf } from './steps.ts'

/** Each write in turn is the one that is refused. */
const PAGES = Array.from({ length: 24 }, (_, pages) => pages)
const TOPICS = ['t', 'u']
const LENGTH = 2500
const OPTIONS = { segmentBytes: 20_000 }

/** Steps from the first on, each once and whole. */
const checkSteps = (found: readonly Placed[], last: number): void => {
  expect(found.map(({ topic, offset, step }) => `${topic} ${offset} ${step}`)).toEqual(
    Array.from({ length: last }, (_, i) => TOPICS.map((topic) => `${topic} ${i} ${i + 1}`)).flat(),
  )
  for (const { topic, step, bytes } of found)
    expect(Buffer.compare(bytes, bytesFor(step, TOPICS.indexOf(topic), LENGTH))).toBe(0)
}

/** On a disk of its own; skipped where none can be mounted. */
const onDisk = (name: string, use: (disk: SmallDisk) => Promise<void>): void =>
  test(name, { timeout: 60_000 }, async (context) => {
    using disk = SmallDisk.open()
    if (disk === undefined) return context.skip('mounting a small disk takes root')
    await use(disk)
  })

describe('a disk that becomes full at any write', () => {
  onDisk('refuses a step of the log whole, whoever goes on when there is space', async (disk) => {
    const refusals: number[] = []
    for (const pages of PAGES) {
      const folder = join(disk.folder, 'log')
      const log = await segmentLog(folder, OPTIONS)
      const writer = await log.write('a')
      const reader = await log.read(from(...TOPICS))
      const seen: Placed[] = []
      let step = 0
      for (; step < 3; step++) await writer.append(stepOf('a', step + 1, TOPICS, LENGTH))
      disk.leave(pages)
      const refused = async (): Promise<boolean> => {
        const code = await codeOf(writer.append(stepOf('a', step + 1, TOPICS, LENGTH)))
        expect(['no error', 'KT3005']).toContain(code)
        return code !== 'no error'
      }
      while (!(await refused())) step++
      refusals.push(step)
      // What was handed over together is refused together: none overtakes.
      const later = [step + 1, step + 2].map((one) => codeOf(writer.append(stepOf('a', one, TOPICS, LENGTH))))
      expect(await Promise.all(later)).toEqual(['KT3005', expect.stringMatching(/KT300[56]/)])
      seen.push(...(await drain(reader)))
      checkSteps(seen, step)

      // Another process finds the end while there is no space, or says that there is none.
      await log.close()
      const full = await segmentLog(folder, OPTIONS)
      expect(['no error', 'KT3005']).toContain(await codeOf(full.write('a').then((one) => one.close())))
      checkSteps(await drain(await full.read(from(...TOPICS))), step)
      await full.close()

      disk.free()
      const again = await segmentLog(folder, OPTIONS)
      const next = await again.write('a')
      expect(next.last?.step).toBe(step)
      for (let more = 0; more < 5; more++) await next.append(stepOf('a', ++step, TOPICS, LENGTH))
      checkSteps(await drain(await again.read(from(...TOPICS))), step)
      await again.close()
      expect(disk.files().filter((name) => name.endsWith('.tmp'))).toEqual([])
      disk.clear()
    }
    // The refused write was another one each time, in the first segment and in those after it.
    expect(refusals[0]).toBe(3)
    expect(new Set(refusals).size).toBeGreaterThan(8)
  })

  onDisk('refuses how far a reader is, and leaves what it said before', async (disk) => {
    const log = await segmentLog(join(disk.folder, 'log'))
    await log.hold('sink', from('t'))
    disk.leave(0)
    const before = disk.files()
    for (let i = 0; i < 5; i++)
      expect(await codeOf(log.hold('sink', [{ topic: 't', partition: 0, offset: i }]))).toBe('KT3005')
    expect(await codeOf(log.write('a'))).toBe('KT3005')
    expect(disk.files()).toEqual(before)
    await log.close()
  })

  onDisk('leaves the checkpoint before it whole, and nothing half-written', async (disk) => {
    for (const pages of PAGES.slice(0, 12)) {
      const objects = fileStore(disk.folder)
      const states = {
        states: () => [['book', 'a']] as const,
        save: (node: string, key: string, step: number) => ({
          node,
          version: 1,
          key,
          step,
          saved: 'x'.repeat(9000),
        }),
      }
      const save = (step: number): Promise<void> =>
        saveCheckpoint(objects, 'a', new Saver(states, 'a').some(1, step, [])!)
      await save(1)
      disk.leave(pages)
      let step = 1
      while (step < 9 && (await codeOf(save(step + 1))) === 'no error') step++
      const { checkpoint, broken } = await loadCheckpoint(objects, 'a')
      expect([checkpoint?.step, broken]).toEqual([step, []])
      disk.free()
      expect(disk.files().filter((name) => name.includes('tmp'))).toEqual([])
      await save(++step)
      expect((await loadCheckpoint(objects, 'a')).checkpoint?.step).toBe(step)
      disk.clear()
    }
  })

  onDisk('leaves claims whole: each is there for all to see, or was never made', async (disk) => {
    for (const pages of PAGES.slice(0, 12)) {
      const claims = new Claims(fileStore(disk.folder), 'positions/clickhouse/uuid/t/0')
      disk.leave(pages)
      let next = 0
      const claim = () => claims.take({ first: next, last: next + 9 })
      while (next < 400 && (await codeOf(claim())) === 'no error') next += 10
      const newest = next === 0 ? undefined : { first: next - 10, last: next - 1 }
      expect(await claims.newest()).toEqual(newest)
      disk.free()
      expect(disk.files().filter((name) => name.includes('tmp'))).toEqual([])
      // The refused one was not made, so that it is ours when it is.
      expect(await claim()).toEqual({ claim: { first: next, last: next + 9 }, ours: true })
      expect(await claims.newest()).toEqual({ first: next, last: next + 9 })
      disk.clear()
    }
  })
})
