import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LogWriter, Placed, ReadFrom, Step } from '../../graph/port.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import type { PassedOver } from '../../runtime/driver/segment-reader.ts'
import { DAMAGED } from '../../runtime/log.ts'
import type { KeptLog } from '../../runtime/log.ts'
import { damagedIn, flip, inFolder, offsets, segmentsIn, upTo } from './segment-home.ts'
import { bytesFor, drain } from './steps.ts'

/** What was appended, and what a kill would leave of it. */
interface Written {
  readonly records: ReadonlyMap<string, readonly Uint8Array[]>
  readonly last: ReadonlyMap<string, Step>
  readonly epoch: number
}

interface Work {
  /** Of each step: its shard, how many records of which topics, how long they are, and what it has read. */
  readonly steps: readonly (readonly [
    shard: number,
    topics: readonly number[],
    length: number,
    read: number,
  ])[]
  readonly segmentBytes: number
  /** Where damage lies, as a part of the files, and how long it is. */
  readonly damage: readonly (readonly [at: number, length: number])[]
  readonly killed: boolean
}

const works: fc.Arbitrary<Work> = fc.record({
  steps: fc.array(
    fc.tuple(
      fc.nat(2),
      fc.array(fc.nat(4), { maxLength: 4 }),
      fc.oneof(
        { weight: 5, arbitrary: fc.integer({ min: 1, max: 300 }) },
        fc.integer({ min: 1, max: 90_000 }),
      ),
      fc.nat(3),
    ),
    { minLength: 1, maxLength: 40 },
  ),
  segmentBytes: fc.constantFrom(500, 5000, 1e9),
  damage: fc.array(
    fc.tuple(
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.constantFrom(1, 1, 8, 200, 5000),
    ),
    { minLength: 1, maxLength: 2 },
  ),
  killed: fc.boolean(),
})

const write = async (log: KeptLog, { steps }: Work): Promise<Written> => {
  const writers: LogWriter[] = []
  const records = new Map<string, Uint8Array[]>()
  const last = new Map<string, Step>()
  for (const [i, [shard, topics, length, read]] of steps.entries()) {
    const name = `shard ${shard}`
    const writer = (writers[shard] ??= await log.write(name))
    const before = last.get(name)
    const inputs =
      shard === 0 ? [] : [{ topic: 'raw', partition: 0, next: (before?.inputs[0]?.next ?? 0) + read }]
    const made = topics.map((topic, at) => ({
      ...{ topic: `t${topic}`, partition: 0, schema: `t${topic}/${(i % 2) + 1}`, rows: 1 },
      bytes: bytesFor(i, at, length),
    }))
    const step = { shard: name, step: (before?.step ?? 0) + 1, time: 1e15 + i * 1000, inputs, records: made }
    await writer.append(step)
    last.set(name, step)
    for (const { topic, bytes } of made) records.set(topic, [...(records.get(topic) ?? []), bytes])
  }
  return { records, last, epoch: 1 }
}

const spoil = async (folder: string, damage: Work['damage']): Promise<void> => {
  const files = await segmentsIn(folder)
  for (const [part, length] of damage) {
    let at = Math.floor(part * files.reduce((sum, [, size]) => sum + size, 0))
    for (const [file, size] of files) {
      if (at >= 0 && at < size) await flip(file, at, Math.min(length, size - at))
      at -= size
    }
  }
}

const topicsOf = ({ records }: Written): readonly ReadFrom[] =>
  Array.from(records.keys(), (topic) => ({ topic, partition: 0, offset: 0 }))

/** Every offset once, in order, as it was written or as damaged. Returns how many are. */
const checkRead = (found: readonly Placed[], { records }: Written, whole: boolean): number => {
  for (const [topic, all] of records) {
    const mine = found.filter((one) => one.topic === topic)
    expect(offsets(mine)).toEqual(upTo(whole ? all.length : mine.length))
    for (const { schema, offset, bytes } of mine)
      if (schema !== DAMAGED) expect(Buffer.compare(bytes, all[offset]!)).toBe(0)
  }
  return damagedIn(found).length
}

/** The log goes on exactly where it was, or nobody may write. */
const checkWrite = async (log: KeptLog, { records, last }: Written): Promise<boolean> => {
  for (const [name, step] of last) {
    const writer = await log.write(name).catch((error: unknown) => error as Error)
    if (writer instanceof Error) {
      expect(writer).toMatchObject({ code: 'KT3003' })
      return false
    }
    expect(writer.epoch).toBe(2)
    expect(writer.last).toEqual({ step: step.step, time: step.time, inputs: step.inputs })
    const made = Array.from(records.keys(), (topic) => ({
      ...{ topic, partition: 0, schema: `${topic}/1`, rows: 1, bytes: bytesFor(1, 1) },
    }))
    const given = await writer.append({ ...step, step: step.step + 1, records: made })
    const before = [...last.keys()].indexOf(name)
    expect(given).toEqual(Array.from(records.values(), ({ length }) => length + before))
  }
  return true
}

/** The log of some work, and where it ended before it was closed. */
const worked = async (folder: string, work: Work): Promise<Written> => {
  const log = await segmentLog(folder, { segmentBytes: work.segmentBytes })
  const written = await write(log, work)
  const sizes = work.killed ? await segmentsIn(folder) : []
  const durable = await readFile(join(folder, 'durable'))
  await log.close()
  for (const [file, size] of sizes) await truncate(file, size)
  if (work.killed) await writeFile(join(folder, 'durable'), durable)
  return written
}

describe('a log with damage anywhere', () => {
  let refused = 0
  test('gives every other record, stands for those that are lost, and gives no offset twice', async () => {
    const runs = Number(process.env['KT_RUNS'] ?? 150)
    await fc.assert(
      fc.asyncProperty(works, (work) =>
        inFolder(async (folder) => {
          const written = await worked(folder, work)
          await spoil(folder, work.damage)
          const told: PassedOver[] = []
          const passedOver = (over: PassedOver): void => void told.push(over)
          const log = await segmentLog(folder, { segmentBytes: work.segmentBytes, passedOver })
          try {
            const before = checkRead(await drain(await log.read(topicsOf(written))), written, false)
            if (before > 0) expect(told.length).toBeGreaterThan(0)
            if (!(await checkWrite(log, written))) {
              refused++
              return
            }
            const after = await drain(await log.read(topicsOf(written)))
            const old = after.filter(({ topic, offset }) => offset < written.records.get(topic)!.length)
            checkRead(old, written, true)
            for (const [topic, all] of written.records) {
              const mine = after.filter((one) => one.topic === topic)
              expect(offsets(mine)).toEqual(upTo(all.length + written.last.size))
            }
          } finally {
            await log.close()
          }
        }),
      ),
      { numRuns: runs },
    )
    expect(refused).toBeLessThan(runs / 2)
  }, 120_000)
})
