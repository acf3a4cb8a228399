import { describe, expect, test } from 'vitest'
import { HostError } from '../../graph/error.ts'
import type { Log, ObjectStore, Placed } from '../../graph/port.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { rowsInLake, rowsInLog, runOf } from './lake-check.ts'
import type { Given } from './lake-check.ts'
import { memoryObjects, tradeRecords } from './lake-world.ts'

const REGISTERED = 'positions/lake/sinks/lake.trade.json'
const PARTITIONS = [0, 1]

/** A log of one kind, and retention that lets go of some of it, whoever needs it. */
export interface Passing {
  readonly log: Log
  readonly pass: () => Promise<void>
}

/** Forty records of trades in two partitions, of which it has some no more once retention has passed. */
const write = async (log: Log, steps = 20): Promise<void> => {
  const writer = await log.write('a')
  const begin = (writer.last?.step ?? -1) + 1
  const records = PARTITIONS.map((partition) => tradeRecords(partition, begin + steps, 10))
  for (let step = begin; step < begin + steps; step++) {
    const its = records.map((some) => some[step]!)
    await writer.append({ shard: 'a', step, time: its[0]!.time, inputs: [], records: its })
  }
  await writer.close()
}

const firsts = async (log: Log): Promise<readonly number[]> =>
  (await log.ends()).toSorted((a, b) => a.partition - b.partition).map(({ first }) => first)

/** The rows that are still there, once all of them have come. */
const left = async (log: Log): Promise<Record<string, string[]>> => {
  const ends = await log.ends()
  const reader = await log.read(
    ends.map(({ topic, partition, first }) => ({ topic, partition, offset: first })),
  )
  const records: Placed[] = []
  const whole = (): boolean =>
    ends.every(({ partition, next }) =>
      records.some((record) => record.partition === partition && record.offset === next - 1),
    )
  while (!whole()) records.push(...(await reader.read(1 << 20, 100)))
  await reader.close()
  return rowsInLog(records)
}

const away: ObjectStore['get'] = () =>
  Promise.reject(new HostError('KT9999', 'the lake is away', { retry: { afterMs: 1 } }))

/** A run that finds no lake, until it is known where it is to begin. */
const inVain = async (given: Given): Promise<void> => {
  const objects: ObjectStore = { ...given.objects, get: away, list: away as never }
  const load = runLake(runOf({ ...given, objects }))
  await expect.poll(() => load.status()[0]!.state, { timeout: 20_000 }).toBe('waiting')
  await expect.poll(() => given.positions!.get(REGISTERED), { timeout: 20_000 }).toBeDefined()
  await load.stop()
}

/** A sink of the lake that comes too late says so, and begins where somebody tells it to. */
export const overtakenLake = (where: string, open: () => Promise<Passing>): unknown =>
  describe(`a lake that retention has overtaken, ${where}`, () => {
    test('a table that is new begins with the first rows there are', async () => {
      const { log, pass } = await open()
      await write(log)
      await pass()
      const [objects, positions] = [memoryObjects(), memoryObjects()]
      expect(Math.min(...(await firsts(log)))).toBeGreaterThan(0)
      for (const cut of ['clock', 'events'] as const) {
        const load = runLake(runOf({ log, objects, positions, cut }))
        await load.drain()
        expect(await rowsInLake(objects)).toEqual(await left(log))
        expect(load.status()[0]!.partitions.map(({ lagRecords }) => lagRecords)).toEqual([0, 0])
        await write(log, 5)
      }
      await log.close()
    })

    test('one that has loaded nothing says what is gone, until somebody takes what is left', async () => {
      const { log, pass } = await open()
      const [objects, positions] = [memoryObjects(), memoryObjects()]
      await write(log)
      const kept: number[] = []
      const given = { log, objects, positions }
      await inVain({ ...given, keep: (_sink, _topic, partition, offset) => void (kept[partition] = offset) })
      expect(kept).toEqual(await firsts(log))
      await pass()
      const first = await firsts(log)
      const late = runLake(runOf(given))
      await expect(late.drain()).rejects.toMatchObject({
        code: 'KT3002',
        facts: { wanted: 0, first: first[0] },
      })
      expect(objects.objects.size).toBe(0)
      expect(late.status()[0]!.error?.fix).toContain(`remove state/${REGISTERED}`)
      await positions.remove(REGISTERED)
      await runLake(runOf(given)).drain()
      expect(await rowsInLake(objects)).toEqual(await left(log))
      const written = JSON.parse(new TextDecoder().decode(await positions.get(REGISTERED))) as unknown
      expect(written).toEqual({ from: first })
      await log.close()
    })

    test('one that has loaded some says how to begin a new table', async () => {
      const { log, pass } = await open()
      const [objects, positions] = [memoryObjects(), memoryObjects()]
      const given = { log, objects, positions }
      await write(log, 2)
      await runLake(runOf(given)).drain()
      const before = [...objects.objects.keys()]
      await write(log)
      await pass()
      const fix = expect.stringContaining('move "trade"') as string
      await expect(runLake(runOf(given)).drain()).rejects.toMatchObject({ code: 'KT3002', fix })
      expect([...objects.objects.keys()]).toEqual(before)
      for (const path of before) objects.objects.delete(path)
      await expect(runLake(runOf(given)).drain()).rejects.toMatchObject({ code: 'KT3002' })
      await positions.remove(REGISTERED)
      await runLake(runOf(given)).drain()
      expect(await rowsInLake(objects)).toEqual(await left(log))
      await log.close()
    })
  })
