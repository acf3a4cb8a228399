import { cp, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Placed } from '../../graph/port.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import type { PassedOver } from '../../runtime/driver/segment-reader.ts'
import { DAMAGED } from '../../runtime/log.ts'
import type { KeptLog } from '../../runtime/log.ts'
import {
  damagedIn,
  errorOf,
  first,
  flip,
  inFolder,
  offsets,
  segmentsIn,
  upTo,
  using,
  whereIs,
} from './segment-home.ts'
import { codeOf, drain, fill, from, stepOf } from './steps.ts'

describe('one damaged frame', () => {
  /** Sixty steps in segments of 20,000 bytes; a batch of the sixth is damaged. */
  const damagedLog = (use: (log: KeptLog, folder: string) => Promise<void>): Promise<void> =>
    inFolder(async (folder) => {
      await using(folder, 20_000, async (log) => {
        const writer = await log.write('a')
        for (let step = 1; step <= 60; step++)
          await writer.append(stepOf('a', step, step % 2 === 0 ? ['even', 'all'] : ['odd', 'all'], 1000))
      })
      const batch = stepOf('a', 6, ['even', 'all'], 1000).records[1]!.bytes
      await flip(first(folder), (await whereIs(first(folder), batch)) + 500)
      await using(folder, 20_000, (log) => use(log, folder))
    })

  test('costs its own records: the first of them has its bytes, and it is told where it lies', () =>
    damagedLog(async (_, folder) => {
      const told: PassedOver[] = []
      const log = await segmentLog(folder, { passedOver: (over) => void told.push(over) })
      const all = await drain(await log.read(from('all')))
      expect(offsets(all)).toEqual(upTo(60))
      expect(damagedIn(all)).toEqual([5])
      const lies = await whereIs(first(folder), stepOf('a', 6, ['even'], 1000).records[0]!.bytes)
      expect(told).toEqual([{ file: first(folder), at: expect.any(Number), length: 2104 }])
      expect([told[0]!.at < lies, lies - told[0]!.at < 200]).toEqual([true, true])
      const file = await readFile(first(folder))
      const { at, length } = told[0]!
      expect(Buffer.compare(all[5]!.bytes, file.subarray(at, at + length))).toBe(0)
      expect(all[5]).toMatchObject({ rows: 0, shard: '', epoch: -1 })
      const shown: string[] = []
      const reader = await log.read(from('odd', 'even', 'all'))
      const see = ({ topic, offset, schema }: Placed): void =>
        void shown.push(`${topic} ${offset}${schema === DAMAGED ? ' damaged' : ''}`)
      while ((await reader.scan!(3000, 0, see)) > 0);
      expect(shown.filter((one) => one.endsWith('damaged')).sort()).toEqual([
        'all 5 damaged',
        'even 2 damaged',
      ])
      expect(shown.length).toBe(120)
      await log.close()
    }))

  test('is not noticed by a partition that has no records in it', () =>
    damagedLog(async (log) => {
      const odd = await drain(await log.read(from('odd')))
      expect([offsets(odd), damagedIn(odd)]).toEqual([upTo(30), []])
    }))

  test('at the end of a segment is found by the beginning of the next', () =>
    inFolder(async (folder) => {
      await using(folder, 20_000, async (log) => fill(await log.write('a'), 'a', 1, 60, ['t'], 1000))
      await flip(first(folder), (await stat(first(folder))).size - 20)
      await using(folder, 20_000, async (log) => {
        const all = await drain(await log.read(from('t')))
        expect([offsets(all), damagedIn(all).length]).toEqual([upTo(60), 1])
      })
    }))

  test('where the names lie: what has them is read again when the log says them again', () =>
    inFolder(async (folder) => {
      const log = await segmentLog(folder)
      const reading = await segmentLog(folder)
      const writer = await log.write('a')
      await fill(writer, 'a', 1, 2, ['t'])
      const names = (await stat(first(folder))).size
      await writer.append(stepOf('a', 3, ['u'], 1000))
      await flip(first(folder), names + 30)
      await fill(writer, 'a', 4, 5, ['u'], 1000)
      const reader = await reading.read(from('t', 'u'))
      expect((await drain(reader)).map(({ topic, offset }) => `${topic}${offset}`)).toEqual(['t0', 't1'])
      await fill(writer, 'a', 6, 6, ['u'], 300_000)
      expect(await drain(reader)).toEqual([])
      await fill(writer, 'a', 7, 7, ['u'], 1000)
      const behind = await drain(reader)
      expect(behind.map(({ topic, offset }) => `${topic}${offset}`)).toEqual(['u0', 'u1', 'u2', 'u3', 'u4'])
      expect(damagedIn(behind)).toEqual([])
      await log.close()
      await reading.close()
    }))
})

describe('a writer behind damage', () => {
  const five = async (folder: string): Promise<number> => {
    const log = await segmentLog(folder)
    await fill(await log.write('a'), 'a', 1, 5, ['t'], 1000)
    const { size } = await stat(first(folder))
    const durable = await readFile(join(folder, 'durable'))
    await log.close()
    await writeFile(join(folder, 'killed'), durable)
    return size
  }
  const batchOf = (step: number): Uint8Array => stepOf('a', step, ['t'], 1000).records[0]!.bytes

  test.each([true, false])('goes on in a segment of its own (with the file "durable": %s)', (kept) =>
    inFolder(async (folder) => {
      await five(folder)
      await flip(first(folder), (await whereIs(first(folder), batchOf(2))) + 9)
      if (!kept) await rm(join(folder, 'durable'))
      await using(folder, 1e9, async (log) => {
        const writer = await log.write('a')
        expect(writer.last).toMatchObject({ step: 5, inputs: [{ next: 50 }] })
        await fill(writer, 'a', 6, 6, ['t'])
        expect((await segmentsIn(folder)).length).toBe(2)
        const all = await drain(await log.read(from('t')))
        expect([offsets(all), damagedIn(all)]).toEqual([upTo(6), [1]])
      })
    }),
  )

  test('goes on behind a damaged end when the log was closed, and readers know what is missing', () =>
    inFolder(async (folder) => {
      await five(folder)
      await flip(first(folder), (await whereIs(first(folder), batchOf(5))) - 40, 20)
      await using(folder, 1e9, async (log) => {
        const before = await drain(await log.read(from('t')))
        expect([offsets(before), damagedIn(before)]).toEqual([upTo(5), [4]])
        expect((await log.ends()).map(({ next }) => next)).toEqual([5])
        const writer = await log.write('a')
        expect(writer.last).toMatchObject({ step: 5, inputs: [{ next: 50 }] })
        expect(await writer.append(stepOf('a', 6, ['t']))).toEqual([5])
      })
    }))

  test('is refused where nothing says how far the log was, by file, byte and reason', () =>
    inFolder(async (folder) => {
      const size = await five(folder)
      await truncate(first(folder), size)
      await rename(join(folder, 'killed'), join(folder, 'durable'))
      await flip(first(folder), (await whereIs(first(folder), batchOf(5))) + 9)
      await using(folder, 1e9, async (log) => {
        const error = await errorOf(log.write('a'))
        expect([error.code, error.where]).toEqual(['KT3003', first(folder)])
        expect(error.why).toMatch(/Nothing behind it says what shard "a" had read there/)
        expect(error.fix).toContain('restore the file')
        expect(await codeOf(log.write('a'))).toBe('KT3003')
        const all = await drain(await log.read(from('t')))
        expect(offsets(all)).toEqual(upTo(4))
      })
    }))

  test('believes the head of a damaged frame only where it agrees with all that is known', () =>
    inFolder(async (folder) => {
      const log = await segmentLog(join(folder, 'log'))
      const writer = await log.write('a')
      for (let step = 1; step <= 3; step++)
        await writer.append({ ...stepOf('a', step, ['t', 'u'], 100), inputs: [] })
      const { size } = await stat(first(join(folder, 'log')))
      const durable = await readFile(join(folder, 'log', 'durable'))
      await log.close()
      await truncate(first(join(folder, 'log')), size)
      await writeFile(join(folder, 'log', 'durable'), durable)
      const head = 48 + 2 * 20
      const length = Math.ceil(head / 8) * 8 + 2 * 104
      const outcomes: string[] = []
      for (let at = size - length; at < size; at += 4) {
        const copy = join(folder, String(at))
        await cp(join(folder, 'log'), copy, { recursive: true })
        await flip(first(copy), at)
        await using(copy, 1e9, async (again) => {
          const took = await again.write('a').catch((error: unknown) => error as Error)
          if (took instanceof Error) expect(took).toMatchObject({ code: 'KT3003' })
          else {
            expect(took.last?.step).toBe(3)
            expect(await took.append({ ...stepOf('a', 4, ['t', 'u'], 100), inputs: [] })).toEqual([3, 3])
          }
          outcomes.push(took instanceof Error ? 'refused' : 'goes on')
        })
      }
      const body = outcomes.slice(Math.ceil(head / 4))
      expect(new Set(body)).toEqual(new Set(['goes on']))
      expect(outcomes.slice(0, head / 4).filter((one) => one === 'refused').length).toBeGreaterThan(5)
    }))
})
