import { describe, expect, test } from 'vitest'
import { trade } from '../../market/event.ts'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import { Columns } from '../../graph/columns.ts'
import type { Step } from '../../graph/port.ts'
import type { KeptLog } from '../../runtime/log.ts'
import { S, brief, bytesFor, codeOf, drain, fill, from, stepOf } from './steps.ts'

/** A place where a log lives: `open` again goes on with what is there. */
export interface Home {
  readonly open: () => Promise<KeptLog>
  /** The process that had it open dies. */
  readonly crash: (log: KeptLog) => Promise<void>
  readonly remove: () => Promise<void>
}

const withHome = async (make: () => Promise<Home>, use: (home: Home) => Promise<void>): Promise<void> => {
  const home = await make()
  try {
    await use(home)
  } finally {
    await home.remove()
  }
}

/** The promises of the port `Log`, for every driver that keeps the log itself. */
export const logConformance = (name: string, make: () => Promise<Home>): void => {
  const promise = (says: string, check: (log: KeptLog, home: Home) => Promise<void>): void => {
    test(says, () =>
      withHome(make, async (home) => {
        const log = await home.open()
        await check(log, home)
        await log.close()
      }),
    )
  }

  describe(`${name}: writing`, () => {
    promise('a step over many topics comes back as it was, in order, with dense offsets', async (log) => {
      const writer = await log.write('a')
      await fill(writer, 'a', 1, 20, ['trade', 'quote', 'kt.control'])
      const all = await drain(await log.read(from('trade', 'quote', 'kt.control')))
      expect(all).toHaveLength(60)
      expect(all.slice(0, 4).map(brief)).toEqual(['trade/0@0 a.1.1 1', 'quote/0@0 a.1.1 2', 'kt.control/0@0 a.1.1 3', 'trade/0@1 a.1.2 2'])
      for (const [i, placed] of all.entries()) {
        const step = Math.floor(i / 3) + 1
        expect(placed).toMatchObject({ offset: step - 1, step, time: S + step * 1000, schema: `${placed.topic}/1` })
        expect(placed.bytes).toEqual(bytesFor(step, i % 3))
      }
    })

    promise('a batch is read where it lies', async (log) => {
      const columns = new Columns(trade)
      const row = { venue: 'binance', instrument: 'binance:spot:BTC-USDT', time: S, received: S + 1, first: null, last: 7 }
      columns.add({ ...row, id: '7', side: 'buy', price: 60123.5, size: 0.25 })
      const { rows, bytes } = columns.take()
      const writer = await log.write('a')
      const record = { topic: 'trade', partition: 3, schema: 'trade/1', rows }
      await writer.append({ ...stepOf('a', 1, []), records: [{ ...record, bytes: bytes.slice() }, { ...record, bytes }] })
      const found = await drain(await log.read([{ topic: 'trade', partition: 3, offset: 0 }]))
      expect(found.map((one) => one.bytes.byteOffset % 8)).toEqual([0, 0])
      expect(rowsOf(readBatch(trade, found[1]!.bytes))).toEqual([{ ...row, id: '7', side: 'buy', price: 60123.5, size: 0.25 }])
    })

    promise('appends may be handed over without waiting, and become durable in order', async (log) => {
      const writer = await log.write('a')
      const settled: number[] = []
      const appends = Array.from({ length: 300 }, (_, i) => writer.append(stepOf('a', i + 1, ['t'])).then(() => settled.push(i + 1)))
      expect(writer.pendingBytes()).toBe(300 * 64)
      await Promise.all(appends)
      expect(writer.pendingBytes()).toBe(0)
      expect(settled).toEqual(Array.from({ length: 300 }, (_, i) => i + 1))
      expect(await drain(await log.read(from('t')))).toHaveLength(300)
    })

    promise('the caller may reuse the bytes once the step is durable', async (log) => {
      const writer = await log.write('a')
      const step = stepOf('a', 1, ['t'])
      await writer.append({ ...step, records: [{ ...step.records[0]!, bytes: step.records[0]!.bytes.slice() }] })
      await fill(writer, 'a', 2, 3, ['t'])
      const found = await drain(await log.read(from('t')))
      expect(found.map(({ bytes }) => bytes)).toEqual([bytesFor(1, 0), bytesFor(2, 0), bytesFor(3, 0)])
    })

    promise('two shards write through one log, each in its order, and offsets stay dense', async (log) => {
      const [a, b] = [await log.write('a'), await log.write('b')]
      await Promise.all([fill(a, 'a', 1, 40, ['t', 'x']), fill(b, 'b', 1, 40, ['t', 'y'])])
      const all = await drain(await log.read(from('t')))
      expect(all.map(({ offset }) => offset)).toEqual(Array.from({ length: 80 }, (_, i) => i))
      const steps = (shard: string): readonly number[] => all.filter((one) => one.shard === shard).map(({ step }) => step)
      expect(steps('a')).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
      expect(steps('b')).toEqual(steps('a'))
    })

    promise('a step that would leave a hole or come twice is refused, and the next right one is taken', async (log) => {
      const writer = await log.write('a')
      await fill(writer, 'a', 1, 2, ['t'])
      expect(await codeOf(writer.append(stepOf('a', 4, ['t'])))).toBe('KT3006')
      expect(await codeOf(writer.append(stepOf('a', 2, ['t'])))).toBe('KT3006')
      expect(await codeOf(writer.append(stepOf('b', 3, ['t'])))).toBe('KT3006')
      await fill(writer, 'a', 3, 3, ['t'])
      expect((await drain(await log.read(from('t')))).map(({ step }) => step)).toEqual([1, 2, 3])
    })

    promise('a newer writer of a shard fences the older one, and finds its last step', async (log) => {
      const old = await log.write('a')
      expect([old.epoch, old.last]).toEqual([1, undefined])
      await fill(old, 'a', 1, 3, ['t'])
      const pending = old.append(stepOf('a', 4, ['t']))
      const fresh = await log.write('a')
      await pending
      expect(fresh.epoch).toBe(2)
      expect(fresh.last).toEqual({ step: 4, time: S + 4000, inputs: [{ topic: 'raw', partition: 0, next: 40 }] })
      expect(await codeOf(old.append(stepOf('a', 5, ['t'])))).toBe('KT3004')
      await fill(fresh, 'a', 5, 6, ['t'])
      const epochs = (await drain(await log.read(from('t')))).map(({ epoch, step }) => [epoch, step])
      expect(epochs).toEqual([[1, 1], [1, 2], [1, 3], [1, 4], [2, 5], [2, 6]])
    })

    promise('of two who take a shard at the same time one is fenced', async (log) => {
      const [one, two] = await Promise.all([log.write('a'), log.write('a')])
      expect([one.epoch, two.epoch]).toEqual([1, 2])
      expect(await codeOf(one.append(stepOf('a', 1, ['t'])))).toBe('KT3004')
      expect(await codeOf(two.append(stepOf('a', 1, ['t'])))).toBe('no error')
    })

    promise('a step without records moves the inputs alone', async (log) => {
      const writer = await log.write('a')
      await fill(writer, 'a', 1, 2, [])
      expect((await log.write('a')).last?.inputs).toEqual([{ topic: 'raw', partition: 0, next: 20 }])
    })

    promise('2,000 topics and 20 MB in one step', async (log) => {
      const topics = Array.from({ length: 2000 }, (_, i) => `topic.${i}`)
      const writer = await log.write('a')
      await fill(writer, 'a', 1, 2, topics)
      await fill(writer, 'a', 3, 3, ['big'], 20 << 20)
      expect((await drain(await log.read(from('topic.7', 'topic.1999')))).map(brief)).toEqual([
        'topic.7/0@0 a.1.1 8', 'topic.1999/0@0 a.1.1 2000', 'topic.7/0@1 a.1.2 9', 'topic.1999/0@1 a.1.2 2001',
      ])
      const [big] = await drain(await log.read(from('big')))
      expect(big!.bytes.length).toBe(20 << 20)
      expect(Buffer.compare(big!.bytes, bytesFor(3, 0, 20 << 20))).toBe(0)
      expect(await log.ends()).toHaveLength(2001)
    })
  })

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
      const writing = Promise.all(Array.from({ length: 200 }, (_, i) => writer.append(stepOf('a', i + 1, ['t'])).then(() => acked++)))
      while (seen < 200) {
        const found = await reader.read(1, 20)
        seen += found.length
        // The acknowledgement of a step that is seen is on its way: it is one turn of the loop behind at most.
        await new Promise((resolve) => setImmediate(resolve))
        expect(acked).toBeGreaterThanOrEqual(seen)
      }
      await writing
    })

    promise('two readers have positions of their own, and may begin anywhere', async (log) => {
      const writer = await log.write('a')
      await fill(writer, 'a', 1, 30, ['t', 'u'])
      const late = await log.read([{ topic: 't', partition: 0, offset: 25 }, { topic: 'u', partition: 0, offset: 28 }])
      const early = await log.read(from('t'))
      expect((await drain(late)).map(brief)).toEqual([
        't/0@25 a.1.26 26', 't/0@26 a.1.27 27', 't/0@27 a.1.28 28', 't/0@28 a.1.29 29', 'u/0@28 a.1.29 30', 't/0@29 a.1.30 30', 'u/0@29 a.1.30 31',
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
      expect((await drain(right)).map(({ offset }) => offset)).toEqual(Array.from({ length: 60 - first }, (_, i) => first + i))
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

    promise('after a crash all that was acknowledged is there, and the shard goes on', async (first, home) => {
      const writer = await first.write('a')
      const other = await first.write('b')
      await fill(other, 'b', 1, 2, ['u'])
      await fill(writer, 'a', 1, 30, ['t', 'u'], LENGTH)
      await home.crash(first)
      const log = await home.open()
      const again = await log.write('a')
      expect(again.epoch).toBe(2)
      expect(again.last).toEqual({ step: 30, time: S + 30_000, inputs: [{ topic: 'raw', partition: 0, next: 300 }] })
      const moved: Step = { ...stepOf('a', 31, ['t', 'v']), inputs: [{ topic: 'raw', partition: 1, next: 5 }] }
      await again.append(moved)
      expect((await log.write('a')).last?.inputs).toEqual(moved.inputs)
      expect((await log.write('b')).last?.step).toBe(2)
      const all = await drain(await log.read(from('t', 'v')))
      expect(all.map(({ topic, offset }) => `${topic}${offset}`)).toEqual([...Array.from({ length: 31 }, (_, i) => `t${i}`), 'v0'])
      await log.close()
    })
  })
}
