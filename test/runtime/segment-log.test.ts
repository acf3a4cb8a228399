import { copyFile, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { KeptLog } from '../../runtime/log.ts'
import { errorOf, first, flip, inFolder, using, whereIs } from './segment-home.ts'
import { drain, fill, from, stepOf } from './steps.ts'

const steps = async (log: KeptLog, topic = 't', offset = 0): Promise<readonly number[]> =>
  (await drain(await log.read([{ topic, partition: 0, offset }]))).map(({ step }) => step)

/** Without the table that a close writes, as a kill leaves it. */
const unclosed = (folder: string, size: number): Promise<void> => truncate(first(folder), size)

/**
 * Five steps, of which the file `durable` knows four: as if the power had failed before the fifth was synced.
 */
const undurable = async (folder: string): Promise<{ readonly durable: number; readonly size: number }> => {
  await using(folder, 1e9, async (log) => {
    const writer = await log.write('a')
    await fill(writer, 'a', 1, 4, ['t', 'u'])
    await copyFile(join(folder, 'durable'), join(folder, 'kept'))
    const { size } = await stat(first(folder))
    await fill(writer, 'a', 5, 5, ['t', 'u'])
    await writeFile(join(folder, 'sizes'), [size, (await stat(first(folder))).size].join())
  })
  const [durable, size] = (await readFile(join(folder, 'sizes'), 'utf8')).split(',').map(Number)
  await unclosed(folder, size!)
  await copyFile(join(folder, 'kept'), join(folder, 'durable'))
  return { durable: durable!, size: size! }
}

/** As if the last frame had been written together with the one before it: it knows no more to be durable. */
const resealed = (bytes: Buffer, durable: number): void => {
  let at = 0
  while (at + bytes.readUInt32LE(at) < bytes.length) at += bytes.readUInt32LE(at)
  bytes.writeUInt32LE(durable, at + 12)
  bytes.writeUInt32LE(crc32(bytes.subarray(at + 8)), at + 4)
}

describe('the tail of the segment log', () => {
  test('a reader does not see what is written but not yet durable, until a writer has made it so', () =>
    inFolder(async (folder) => {
      await undurable(folder)
      await using(folder, 1e9, async (reading) => {
        expect(await steps(reading)).toEqual([1, 2, 3, 4])
        expect((await reading.ends()).map(({ next }) => next)).toEqual([4, 4])
        await using(folder, 1e9, async (writing) => {
          expect((await writing.write('a')).last?.step).toBe(5)
          expect(await steps(reading)).toEqual([1, 2, 3, 4, 5])
        })
      })
    }))

  test('a tail that was cut off anywhere is cut to the last whole step, and the shard goes on', () =>
    inFolder(async (folder) => {
      const { durable, size } = await undurable(folder)
      const whole = await readFile(first(folder))
      for (let cut = durable; cut < size; cut += 1 + (cut % 13)) {
        await writeFile(first(folder), whole.subarray(0, cut))
        await copyFile(join(folder, 'kept'), join(folder, 'durable'))
        await using(folder, 1e9, async (log) => {
          const writer = await log.write('a')
          expect([cut, writer.last?.step]).toEqual([cut, 4])
          await fill(writer, 'a', 5, 6, ['t', 'v'])
          expect(
            (await drain(await log.read(from('t', 'u', 'v'))))
              .slice(-3)
              .map((one) => `${one.topic}${one.offset}`),
          ).toEqual(['v0', 't5', 'v1'])
        })
      }
    }))

  test('a tail of garbage or zeros is cut off', () =>
    inFolder(async (folder) => {
      const { durable, size } = await undurable(folder)
      const whole = await readFile(first(folder))
      for (const spoil of [
        (i: number) => (i * 37) & 255,
        () => 0,
        (i: number) => (i < 40 ? whole[durable + i]! : 0),
      ]) {
        const tail = Uint8Array.from({ length: size - durable }, (_, i) => spoil(i))
        await writeFile(first(folder), Buffer.concat([whole.subarray(0, durable), tail]))
        await copyFile(join(folder, 'kept'), join(folder, 'durable'))
        await using(folder, 1e9, async (log) => expect((await log.write('a')).last?.step).toBe(4))
        expect((await stat(first(folder))).size).toBeGreaterThanOrEqual(durable)
      }
    }))

  test('a tail that was cut off does not come back, though later frames of it are whole', () =>
    inFolder(async (folder) => {
      await using(folder, 1e9, async (log) => {
        const writer = await log.write('a')
        await fill(writer, 'a', 1, 4, ['t'])
        await copyFile(join(folder, 'durable'), join(folder, 'kept'))
        await fill(writer, 'a', 5, 6, ['t'])
        await writeFile(join(folder, 'size'), String((await stat(first(folder))).size))
      })
      await unclosed(folder, Number(await readFile(join(folder, 'size'), 'utf8')))
      await copyFile(join(folder, 'kept'), join(folder, 'durable'))
      await flip(first(folder), await whereIs(first(folder), stepOf('a', 5, ['t']).records[0]!.bytes))
      // The last two steps were one write: the fifth did not get through, the sixth did.
      const bytes = await readFile(first(folder))
      const durable = (await readFile(join(folder, 'durable'))).readDoubleLE(8)
      resealed(bytes, durable)
      await writeFile(first(folder), bytes)
      await using(folder, 1, async (log) => {
        const writer = await log.write('a')
        expect(writer.last?.step).toBe(4)
        await fill(writer, 'a', 5, 5, ['t'])
        expect(await steps(log)).toEqual([1, 2, 3, 4, 5])
      })
    }))

  test('a segment that was cut off at its beginning is begun anew', () =>
    inFolder(async (folder) => {
      await using(folder, 1000, async (log) => fill(await log.write('a'), 'a', 1, 1, ['t'], 2000))
      await writeFile(join(folder, '000000000002.segment'), (await readFile(first(folder))).subarray(0, 50))
      await using(folder, 1000, async (log) => {
        await fill(await log.write('a'), 'a', 2, 3, ['t'])
        expect(await steps(log)).toEqual([1, 2, 3])
      })
    }))

  test('acknowledged steps that the disk lost are an error, and no second giving of their offsets', () =>
    inFolder(async (folder) => {
      const { size } = await using(folder, 1e9, async (log) => {
        await fill(await log.write('a'), 'a', 1, 5, ['t'])
        return stat(first(folder))
      })
      await truncate(first(folder), size - 100)
      await using(folder, 1e9, async (log) => {
        const error = await errorOf(log.write('a'))
        expect([error.code, error.where]).toEqual(['KT3003', first(folder)])
      })
    }))
})

describe('the index of a segment', () => {
  const indexed = (use: (folder: string, index: string) => Promise<void>): Promise<void> =>
    inFolder(async (folder) => {
      await using(folder, 5_000_000, async (log) => fill(await log.write('a'), 'a', 1, 60, ['t'], 100_000))
      expect((await readdir(folder)).filter((name) => name.endsWith('.index'))).toEqual([
        '000000000001.index',
      ])
      await use(folder, join(folder, '000000000001.index'))
    })

  test('a late reader does not look at what lies before', () =>
    indexed(async (folder) => {
      await flip(first(folder), 300_000)
      await using(folder, 1e9, async (log) =>
        expect(await steps(log, 't', 40)).toEqual(Array.from({ length: 20 }, (_, i) => i + 41)),
      )
    }))

  test('an index that is missing or torn is made again', () =>
    indexed(async (folder, index) => {
      const whole = await readFile(index)
      for (const spoil of [() => rm(index), () => truncate(index, 100), () => flip(index, 50)]) {
        await spoil()
        await using(folder, 1e9, async (log) => expect((await steps(log, 't', 40))[0]).toBe(41))
        expect(
          JSON.parse((await readFile(index)).subarray(20).toString().replaceAll('\0', '')),
        ).toMatchObject({
          marks: (
            JSON.parse(whole.subarray(20).toString().replaceAll('\0', '')) as { readonly marks: unknown }
          ).marks,
        })
      }
    }))
})
