import { describe, expect } from 'vitest'
import type { Step } from '../../graph/port.ts'
import type { Home } from './log-home.ts'
import { promised } from './log-home.ts'
import { scanningPromises } from './log-scanning.ts'
import { writingPromises } from './log-writing.ts'
import { S, brief, codeOf, drain, fill, from, stepOf } from './steps.ts'

/** The promises of the port `Log`, for every driver. `topics`: how many a step is tried with. */
export const logConformance = (name: string, make: () => Promise<Home>, topics = 2000): void => {
  const promise = promised(make)
  writingPromises(name, promise, topics)
  scanningPromises(name, promise)

  describe(`${name}: reading`, () => {
    promise('a read of nothing is empty after its wait, and not before', async (log) => {
      const reader = await log.read(from('t'))
      const start = performance.now()
      expect(await reader.read(1000, 40)).toEqual([])
      expect(performance.now() - start).toBeGreaterThan(35)
      expect(await reader.read(1000, 0)).toEqual([])
    })

    promise('a read that waits comes back with the next step', async (log) => {
      const writer = await log.write('a')
      const reader = await log.read(from('t'))
      const reading = reader.read(1000, 5000)
      const start = performance.now()
      await fill(writer, 'a', 1, 1, ['t'])
      expect((await reading).map(brief)).toEqual(['t/0@0 a.1.1 1'])
      expect(performance.now() - start).toBeLessThan(2000)
    })

    promise('readers that wait miss no step of a busy writer', async (log) => {
      const writer = await log.write('a')
      const readers = [await log.read(from('t')), await log.read(from('u')), await log.read(from('t', 'u'))]
      const start = performance.now()
      const counts = readers.map(async (reader, i) => {
        let left = i === 2 ? 200 : 100
        while (left > 0) left -= (await reader.read(1, 30_000)).length
      })
      await fill(writer, 'a', 1, 100, ['t', 'u'])
      await Promise.all(counts)
      expect(performance.now() - start).toBeLessThan(15_000)
    })

    promise('steps come whole and about as many as were asked for', async (log) => {
      const writer = await log.write('a')
      await fill(writer, 'a', 1, 50, ['t', 'u'], 1000)
      const reader = await log.read(from('t', 'u'))
      let next = 1
      for (;;) {
        const found = await reader.read(5000, 0)
        if (found.length === 0) break
        expect(found.length % 2).toBe(0)
        expect(found.length).toBeLessThanOrEqual(6)
        for (const [i, one] of found.entries()) expect(one.step).toBe(next + Math.floor(i / 2))
        next += found.length / 2
      }
      expect(next).toBe(51)
    })

    promise('a reader sees durable steps only', async (log) => {
      const writer = await log.write('a')
      const reader = await log.read(from('t'))
      let acked = 0
      let seen = 0
      const writing = Promise.all(
        Array.from({ length: 200 }, (_, i) => writer.append(stepOf('a', i + 1, ['t'])).then(() => acked++)),
      )
      while (seen < 200) {
        const found = await reader.read(1, 20)
        seen += found.length
        // The acknowledgement of a step that is seen is on its way: it is one turn of the loop behind at
        // most.
        await new Promise((resolve) => setImmediate(resolve))
        expect(acked).toBeGreaterThanOrEqual(seen)
      }
      await writing
    })

    promise('two readers have positions of their own, and may begin anywhere', async (log) => {
      const writer = await log.write('a')
      await fill(writer, 'a', 1, 30, ['t', 'u'])
      const late = await log.read([
        { topic: 't', partition: 0, offset: 25 },
        { topic: 'u', partition: 0, offset: 28 },
      ])
      const early = await log.read(from('t'))
      expect((await drain(late)).map(brief)).toEqual([
        't/0@25 a.1.26 26',
        't/0@26 a.1.27 27',
        't/0@27 a.1.28 28',
        't/0@28 a.1.29 29',
        'u/0@28 a.1.29 30',
        't/0@29 a.1.30 30',
        'u/0@29 a.1.30 31',
      ])
      expect(await drain(early)).toHaveLength(30)
      await fill(writer, 'a', 31, 31, ['t', 'u'])
      expect((await drain(late)).map(brief)).toEqual(['t/0@30 a.1.31 31', 'u/0@30 a.1.31 32'])
    })

    promise('a reader that is closed gives nothing more, and one that waits comes back', async (log) => {
      const reader = await log.read(from('t'))
      const reading = reader.read(1000, 60_000)
      await new Promise((resolve) => setTimeout(resolve, 5))
      await reader.close()
      expect(await reading).toEqual([])
      expect(await codeOf(reader.read(1000, 0))).toBe('KT3008')
    })

    promise('the ends of all partitions are known', async (log) => {
      expect(await log.ends()).toEqual([])
      const writer = await log.write('a')
      await fill(writer, 'a', 1, 3, ['t', 'u'])
      expect(await log.ends()).toEqual([
        { topic: 't', partition: 0, first: 0, next: 3, rows: 6, bytes: 192 },
        { topic: 'u', partition: 0, first: 0, next: 3, rows: 9, bytes: 192 },
      ])
    })
  })

  describe(`${name}: keeping`, () => {
    const LENGTH = 100_000

    promise('what retention has passed is KT3002 and not a skip', async (log) => {
      const writer = await log.write('a')
      await fill(writer, 'a', 1, 60, ['t'], LENGTH)
      const slow = await log.read(from('t'))
      expect(await slow.read(1, 0)).not.toEqual([])
      const { bytes } = await log.retain({ bytes: 2_500_000, ageMs: 1e9 })
      expect(bytes).toBeGreaterThan(1_000_000)
      const [{ first, next, rows } = { first: 0, next: 0, rows: 0 }] = await log.ends()
      expect([first > 5, next]).toEqual([true, 60])
      expect(rows).toBe(((first + 1 + 60) * (60 - first)) / 2)
      const late = await log.read(from('t'))
      expect(await codeOf(late.read(1, 0))).toBe('KT3002')
      expect(await codeOf(late.read(1, 0))).toBe('KT3002')
      const right = await log.read([{ topic: 't', partition: 0, offset: first }])
      expect((await drain(right)).map(({ offset }) => offset)).toEqual(
        Array.from({ length: 60 - first }, (_, i) => first + i),
      )
      expect(await codeOf(drain(slow))).toBe('KT3002')
    })

    promise('retention stops at the slowest registered reader unless it is told to pass', async (log) => {
      const writer = await log.write('a')
      await fill(writer, 'a', 1, 60, ['t'], LENGTH)
      const limits = { bytes: 1_000_000, ageMs: 1e9 }
      await log.hold('fast', [{ topic: 't', partition: 0, offset: 60 }])
      await log.hold('slow/1', [{ topic: 't', partition: 0, offset: 0 }])
      const held = await log.retain(limits)
      expect([held.bytes < LENGTH, held.heldBy]).toEqual([true, 'slow/1'])
      await log.hold('slow/1', [{ topic: 't', partition: 0, offset: 35 }])
      expect((await log.retain(limits)).heldBy).toBe('slow/1')
      const [moved] = await log.ends()
      expect(moved!.first).toBeGreaterThan(15)
      expect(moved!.first).toBeLessThanOrEqual(35)
      await log.hold('slow/1', undefined)
      expect((await log.retain(limits)).heldBy).toBeUndefined()
      const [released] = await log.ends()
      expect(released!.first).toBeGreaterThan(35)
    })

    promise('retention may be told to pass a reader', async (log) => {
      const writer = await log.write('a')
      await fill(writer, 'a', 1, 60, ['t'], LENGTH)
      await log.hold('slow', from('t'))
      const { bytes, heldBy } = await log.retain({ bytes: 1_000_000, ageMs: 1e9, pastReaders: true })
      expect([bytes > 1_000_000, heldBy]).toEqual([true, undefined])
    })

    promise(
      'after a crash all that was acknowledged is there, and the shard goes on',
      async (first, home) => {
        const writer = await first.write('a')
        const other = await first.write('b')
        await fill(other, 'b', 1, 2, ['u'])
        await fill(writer, 'a', 1, 30, ['t', 'u'], LENGTH)
        await home.crash(first)
        const log = await home.open()
        const again = await log.write('a')
        expect(again.epoch).toBe(2)
        expect(again.last).toEqual({
          step: 30,
          time: S + 30_000,
          inputs: [{ topic: 'raw', partition: 0, next: 300 }],
        })
        const moved: Step = {
          ...stepOf('a', 31, ['t', 'v']),
          inputs: [{ topic: 'raw', partition: 1, next: 5 }],
        }
        await again.append(moved)
        const all = await drain(await log.read(from('t', 'v')))
        expect(all.map(({ topic, offset }) => `${topic}${offset}`)).toEqual([
          ...Array.from({ length: 31 }, (_, i) => `t${i}`),
          'v0',
        ])
        await home.crash(log)
        const third = await home.open()
        expect((await third.write('a')).last).toEqual({ step: 31, time: moved.time, inputs: moved.inputs })
        expect((await third.write('b')).last?.step).toBe(2)
        await third.close()
      },
    )
  })
}
