import { describe, expect, test } from 'vitest'
import { Durable } from '../../runtime/driver/segment-durable.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import type { Dropped } from '../../runtime/log.ts'
import { childOf } from './child.ts'
import { errorOf, inFolder, using } from './segment-home.ts'
import { brief, codeOf, drain, fill, from, stepOf } from './steps.ts'

describe('the processes around the segment log', () => {
  test('a second writing process is refused by the number of the first, until that is killed', () =>
    inFolder(async (folder) => {
      const child = childOf('log-child.ts', 'hold', folder)
      await child.line('held')
      await using(folder, 1e9, async (log) => {
        const error = await errorOf(log.write('a'))
        expect([error.code, error.message]).toEqual([
          'KT3009',
          `process ${child.process.pid} writes this log`,
        ])
        await child.kill()
        expect((await log.write('a')).epoch).toBe(2)
      })
    }))

  test('of many who find the lock of a dead process one gets it', () =>
    inFolder(async (folder) => {
      const child = childOf('log-child.ts', 'hold', folder)
      await child.line('held')
      await child.kill()
      const logs = await Promise.all(Array.from({ length: 12 }, () => segmentLog(folder)))
      const codes = await Promise.all(logs.map((log) => codeOf(log.write('a'))))
      expect(codes.toSorted()).toEqual([...Array.from({ length: 11 }, () => 'KT3009'), 'no error'])
      for (const log of logs) await log.close()
      await using(folder, 1e9, async (log) => expect((await log.write('a')).epoch).toBe(3))
    }))

  test('a reader in another process follows the writer over many segments', () =>
    inFolder(async (folder) => {
      const child = childOf('log-child.ts', 'read', folder)
      await child.line('reading')
      await using(folder, 20_000, async (log) => {
        const writer = await log.write('a')
        for (let step = 1; step <= 60; step++) {
          await writer.append(stepOf('a', step, ['t'], 2000))
          await child.line(`${step - 1} ${step}`)
        }
      })
      await child.kill()
      expect(child.lines.slice(1)).toEqual(Array.from({ length: 60 }, (_, i) => `${i} ${i + 1}`))
    }))

  test.each(['another', 'this'])(
    'a wait for what has come already is over at once (written by %s process)',
    (who) =>
      inFolder(async (folder) => {
        const writing = new Durable(folder)
        const reading = who === 'this' ? writing : new Durable(folder)
        writing.publish(1, 100)
        reading.refresh()
        const seen = reading.seen()
        writing.publish(1, 200)
        // Another reader of the same process has looked meanwhile.
        reading.refresh()
        const start = performance.now()
        await reading.wait(seen, 5000)
        expect(performance.now() - start).toBeLessThan(1000)
        expect(reading.seen()).toEqual({ segment: 1, length: 200 })
        reading.close()
        writing.close()
      }),
  )

  test('a reading process knows the ends as the writing one does', () =>
    inFolder(async (folder) => {
      await using(folder, 20_000, (reading) =>
        using(folder, 20_000, async (log) => {
          const writer = await log.write('a')
          for (let step = 1; step <= 40; step += 10) {
            await fill(writer, 'a', step, step + 9, ['t', 'u'], 1000)
            expect(await reading.ends()).toEqual(await log.ends())
          }
          await log.retain({ bytes: 40_000, ageMs: 1e9 })
          const ends = await reading.ends()
          expect(ends[0]!.first).toBeGreaterThan(5)
          expect(ends).toEqual(await log.ends())
        }),
      )
    }))

  test('what is appended beyond the bound is refused until the disk has caught up', () =>
    inFolder(async (folder) => {
      const log = await segmentLog(folder, { pendingBytesMax: 10_000 })
      const writer = await log.write('a')
      const codes = await Promise.all(
        Array.from({ length: 12 }, (_, i) => codeOf(writer.append(stepOf('a', i + 1, ['t'], 1000)))),
      )
      expect(codes).toEqual([...Array.from({ length: 10 }, () => 'no error'), 'KT3007', 'KT3006'])
      expect(writer.pendingBytes()).toBe(0)
      await fill(writer, 'a', 11, 12, ['t'])
      expect((await drain(await log.read(from('t')))).map(brief).at(-1)).toBe('t/0@11 a.1.12 12')
      await log.close()
    }))

  test('retention runs when a segment is finished, and says what it did', () =>
    inFolder(async (folder) => {
      const dropped: Dropped[] = []
      const keep = { bytes: 60_000, ageMs: 1e9 }
      const retained = (one: Dropped): void => void dropped.push(one)
      const log = await segmentLog(folder, { segmentBytes: 20_000, keep, retained })
      await log.hold('slow', [{ topic: 't', partition: 0, offset: 30 }])
      await fill(await log.write('a'), 'a', 1, 100, ['t'], 2000)
      await log.close()
      expect(dropped.filter(({ bytes }) => bytes > 0).length).toBeGreaterThan(1)
      expect(dropped.at(-1)?.heldBy).toBe('slow')
      await using(folder, 20_000, async (again) => {
        const [{ first } = { first: 0 }] = await again.ends()
        expect([first > 10, first <= 30]).toEqual([true, true])
      })
    }))
})
