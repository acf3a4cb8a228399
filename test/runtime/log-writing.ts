import { describe, expect } from 'vitest'
import type { LogWriter } from '../../graph/port.ts'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import { Columns } from '../../graph/columns.ts'
import { trade } from '../../market/event.ts'
import type { Promised } from './log-home.ts'
import { S, brief, bytesFor, codeOf, drain, fill, from, stepOf } from './steps.ts'

/** What the port `Log` promises a writer. `many`: of topics, in one step. */
export const writingPromises = (name: string, promise: Promised, many: number): void => {
  describe(`${name}: writing`, () => {
    promise('a step over many topics comes back as it was, in order, with dense offsets', async (log) => {
      const writer = await log.write('a')
      await fill(writer, 'a', 1, 20, ['trade', 'quote', 'kt.control'])
      const all = await drain(await log.read(from('trade', 'quote', 'kt.control')))
      expect(all).toHaveLength(60)
      expect(all.slice(0, 4).map(brief)).toEqual([
        'trade/0@0 a.1.1 1',
        'quote/0@0 a.1.1 2',
        'kt.control/0@0 a.1.1 3',
        'trade/0@1 a.1.2 2',
      ])
      for (const [i, placed] of all.entries()) {
        const step = Math.floor(i / 3) + 1
        expect(placed).toMatchObject({
          offset: step - 1,
          step,
          time: S + step * 1000,
          schema: `${placed.topic}/1`,
        })
        expect(placed.bytes).toEqual(bytesFor(step, i % 3))
      }
    })

    promise('an append says where its records lie, and a reader finds them there', async (log, home) => {
      const [a, b] = [await log.write('a'), await log.write('b')]
      const told = new Map<string, number>()
      const write = async (writer: LogWriter, shard: string, step: number): Promise<void> => {
        const { records, ...rest } = stepOf(shard, step, ['t', 'u', 't', 'u', 't'])
        const placed = records.map((record, i) => ({ ...record, partition: i % 3, rows: step * 10 + i }))
        const offsets = await writer.append({ ...rest, records: placed })
        expect(offsets).toHaveLength(placed.length)
        for (const [i, { topic, partition, rows }] of placed.entries()) {
          const offset = offsets[i]!
          const said = await (home.told?.(log, { topic, partition, offset }) ?? offset)
          told.set(`${shard} ${topic}/${partition} ${rows}`, said)
        }
      }
      const steps = Array.from({ length: 60 }, (_, i) => i + 1)
      await Promise.all(steps.flatMap((step) => [write(a, 'a', step), write(b, 'b', step)]))
      expect(await a.append(stepOf('a', 61, []))).toEqual([])
      const places = ['t', 'u'].flatMap((topic) => [0, 1, 2].map((partition) => ({ topic, partition })))
      const found = await drain(await log.read(places.map((place) => ({ ...place, offset: 0 }))))
      expect(found).toHaveLength(600)
      const seen = found.map(
        (one) => [`${one.shard} ${one.topic}/${one.partition} ${one.rows}`, one.offset] as const,
      )
      expect(new Map(seen)).toEqual(told)
    })

    promise('a batch is read where it lies', async (log) => {
      const columns = new Columns(trade)
      const row = {
        venue: 'binance',
        instrument: 'binance:spot:BTC-USDT',
        time: S,
        received: S + 1,
        first: null,
        last: 7,
      }
      columns.add({ ...row, id: '7', side: 'buy', price: 60123.5, size: 0.25 })
      const { rows, bytes } = columns.take()
      const writer = await log.write('a')
      const record = { topic: 'trade', partition: 3, schema: 'trade/1', rows }
      await writer.append({
        ...stepOf('a', 1, []),
        records: [
          { ...record, bytes: bytes.slice() },
          { ...record, bytes },
        ],
      })
      const found = await drain(await log.read([{ topic: 'trade', partition: 3, offset: 0 }]))
      expect(found.map((one) => one.bytes.byteOffset % 8)).toEqual([0, 0])
      expect(rowsOf(readBatch(trade, found[1]!.bytes))).toEqual([
        { ...row, id: '7', side: 'buy', price: 60123.5, size: 0.25 },
      ])
    })

    promise('appends may be handed over without waiting, and become durable in order', async (log) => {
      const writer = await log.write('a')
      const settled: number[] = []
      const appends = Array.from({ length: 300 }, (_, i) =>
        writer.append(stepOf('a', i + 1, ['t'])).then(() => settled.push(i + 1)),
      )
      expect(writer.pendingBytes()).toBe(300 * 64)
      await Promise.all(appends)
      expect(writer.pendingBytes()).toBe(0)
      expect(settled).toEqual(Array.from({ length: 300 }, (_, i) => i + 1))
      expect(await drain(await log.read(from('t')))).toHaveLength(300)
    })

    promise('the caller may reuse the bytes once the step is durable', async (log) => {
      const writer = await log.write('a')
      const step = stepOf('a', 1, ['t'])
      await writer.append({
        ...step,
        records: [{ ...step.records[0]!, bytes: step.records[0]!.bytes.slice() }],
      })
      await fill(writer, 'a', 2, 3, ['t'])
      const found = await drain(await log.read(from('t')))
      expect(found.map(({ bytes }) => bytes)).toEqual([bytesFor(1, 0), bytesFor(2, 0), bytesFor(3, 0)])
    })

    promise('two shards write through one log, each in its order, and offsets stay dense', async (log) => {
      const [a, b] = [await log.write('a'), await log.write('b')]
      await Promise.all([fill(a, 'a', 1, 40, ['t', 'x']), fill(b, 'b', 1, 40, ['t', 'y'])])
      const all = await drain(await log.read(from('t')))
      expect(all.map(({ offset }) => offset)).toEqual(Array.from({ length: 80 }, (_, i) => i))
      const steps = (shard: string): readonly number[] =>
        all.filter((one) => one.shard === shard).map(({ step }) => step)
      expect(steps('a')).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
      expect(steps('b')).toEqual(steps('a'))
    })

    promise(
      'a step that would leave a hole or come twice is refused, and the next right one is taken',
      async (log) => {
        const writer = await log.write('a')
        await fill(writer, 'a', 1, 2, ['t'])
        expect(await codeOf(writer.append(stepOf('a', 4, ['t'])))).toBe('KT3006')
        expect(await codeOf(writer.append(stepOf('a', 2, ['t'])))).toBe('KT3006')
        expect(await codeOf(writer.append(stepOf('b', 3, ['t'])))).toBe('KT3006')
        await fill(writer, 'a', 3, 3, ['t'])
        expect((await drain(await log.read(from('t')))).map(({ step }) => step)).toEqual([1, 2, 3])
      },
    )

    promise('a step may leave numbers out when it says which one it follows', async (log, home) => {
      const writer = await log.write('a')
      await writer.append({ ...stepOf('a', 7, ['t']), after: -1 })
      await writer.append({ ...stepOf('a', 12, ['t']), after: 7 })
      expect(await codeOf(writer.append({ ...stepOf('a', 15, ['t']), after: 7 }))).toBe('KT3006')
      expect(await codeOf(writer.append({ ...stepOf('a', 12, ['t']), after: 12 }))).toBe('KT3006')
      expect(await codeOf(writer.append(stepOf('a', 14, ['t'])))).toBe('KT3006')
      await writer.append({ ...stepOf('a', 20, []), after: 12 })
      await home.crash(log)
      const again = await home.open()
      const next = await again.write('a')
      expect(next.last?.step).toBe(20)
      expect(await codeOf(next.append({ ...stepOf('a', 30, ['t']), after: 12 }))).toBe('KT3006')
      await next.append({ ...stepOf('a', 30, ['t']), after: 20 })
      expect((await drain(await again.read(from('t')))).map(({ step }) => step)).toEqual([7, 12, 30])
      await again.close()
    })

    promise('a newer writer of a shard fences the older one, and finds its last step', async (log) => {
      const old = await log.write('a')
      expect([old.epoch, old.last]).toEqual([1, undefined])
      await fill(old, 'a', 1, 3, ['t'])
      const pending = old.append(stepOf('a', 4, ['t']))
      const fresh = await log.write('a')
      await pending
      expect(fresh.epoch).toBe(2)
      expect(fresh.last).toEqual({
        step: 4,
        time: S + 4000,
        inputs: [{ topic: 'raw', partition: 0, next: 40 }],
      })
      expect(await codeOf(old.append(stepOf('a', 5, ['t'])))).toBe('KT3004')
      await fill(fresh, 'a', 5, 6, ['t'])
      const epochs = (await drain(await log.read(from('t')))).map(({ epoch, step }) => [epoch, step])
      expect(epochs).toEqual([
        [1, 1],
        [1, 2],
        [1, 3],
        [1, 4],
        [2, 5],
        [2, 6],
      ])
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

    promise(`${many.toLocaleString('en')} topics and 20 MB in one step`, async (log) => {
      const topics = Array.from({ length: many }, (_, i) => `topic.${i}`)
      const writer = await log.write('a')
      await fill(writer, 'a', 1, 2, topics)
      await fill(writer, 'a', 3, 3, ['big'], 20 << 20)
      expect((await drain(await log.read(from('topic.7', `topic.${many - 1}`)))).map(brief)).toEqual([
        'topic.7/0@0 a.1.1 8',
        `topic.${many - 1}/0@0 a.1.1 ${many}`,
        'topic.7/0@1 a.1.2 9',
        `topic.${many - 1}/0@1 a.1.2 ${many + 1}`,
      ])
      const [big] = await drain(await log.read(from('big')))
      expect(big!.bytes.length).toBe(20 << 20)
      expect(Buffer.compare(big!.bytes, bytesFor(3, 0, 20 << 20))).toBe(0)
      expect(await log.ends()).toHaveLength(many + 1)
    })
  })
}
