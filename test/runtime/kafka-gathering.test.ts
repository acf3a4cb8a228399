import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Placed } from '../../graph/port.ts'
import { Gathering } from '../../runtime/driver/kafka-gathering.ts'
import { Records, headersOf, withOf } from '../../runtime/driver/kafka-record.ts'
import type { Found } from '../../runtime/driver/kafka-record.ts'
import { DAMAGED } from '../../runtime/log.ts'
import { S } from './steps.ts'

const TOPICS = ['t', 'u', 'v', 'w']

/** A transaction of a shard: its steps, each with the partitions that it writes. */
interface Transaction {
  readonly shard: string
  readonly steps: readonly (readonly string[])[]
  readonly time: number
}

const transaction: fc.Arbitrary<Transaction> = fc.record({
  shard: fc.constantFrom('a', 'b'),
  steps: fc.array(fc.subarray(TOPICS, { minLength: 1 }), { minLength: 1, maxLength: 3 }),
  /** How far time has gone on since the step before; it may stand still, and go back in a new process. */
  time: fc.constantFrom(0, 0, 1, 5, -20),
})

/** What lies in each partition, in the order of its offsets. */
type Lanes = ReadonlyMap<string, readonly Parameters<Records['of']>[0][]>

/** Brokers keep a transaction's records of a partition in order, and say nothing of several partitions. */
const written = (transactions: readonly Transaction[]): Lanes => {
  const lanes = new Map(TOPICS.map((topic) => [topic, [] as Parameters<Records['of']>[0][]]))
  const steps = new Map<string, number>()
  let now = S
  for (const { shard, steps: of, time } of transactions) {
    for (const topics of of) {
      const number = (steps.get(shard) ?? 0) + 1
      steps.set(shard, number)
      now += time
      const records = topics.map((topic) => {
        return { topic, partition: 0, schema: `${topic}/1`, rows: 1, bytes: new Uint8Array(8) }
      })
      const step = { shard, step: number, time: now, inputs: [], records }
      for (const record of records) {
        const lane = lanes.get(record.topic)!
        const headers = headersOf(step, 1, record, withOf(records)).map((header) => ({ ...header }))
        const value = Buffer.from(record.bytes)
        lane.push({ topic: record.topic, partition: 0, offset: lane.length, key: null, value, headers })
      }
    }
  }
  return lanes
}

/** What stands for a damaged record. */
const spoilt = (topic: string, offset: number): Found => ({
  placed: {
    ...{ topic, partition: 0, offset, schema: DAMAGED, rows: 0, bytes: new Uint8Array(8) },
    ...{ shard: '', epoch: -1, step: offset, time: S },
  },
  counts: new Map(),
})

/**
 * Read all with fetches of a size for each lane in turn; ends are looked up as a reader does. Every so manieth
 * record is damaged; 0: none is.
 */
const readAll = (lanes: Lanes, sizes: readonly number[], every: number): readonly (readonly Placed[])[] => {
  const from = TOPICS.map((topic) => ({ topic, partition: 0, offset: 0 }))
  const [records, gathering] = [new Records(''), new Gathering(from)]
  const at = new Map(TOPICS.map((topic) => [topic, 0]))
  const ends = TOPICS.map((topic) => lanes.get(topic)!.length)
  const reads: (readonly Placed[])[] = []
  let turn = 0
  for (let left = true; left; turn++) {
    left = false
    for (const [i, topic] of TOPICS.entries()) {
      const begin = at.get(topic)!
      const size = sizes[(turn + i) % sizes.length]!
      const some = lanes.get(topic)!.slice(begin, begin + size)
      for (const [n, message] of some.entries())
        gathering.add(
          every > 0 && (begin + n + i) % every === 0 ? spoilt(topic, begin + n) : records.of(message)!,
        )
      at.set(topic, begin + some.length)
      if (begin + some.length < ends[i]!) left = true
    }
    for (let found = gathering.take(1); found.length > 0; found = gathering.take(1)) reads.push(found)
    gathering.passed(ends, gathering.waiting())
    for (let found = gathering.take(1); found.length > 0; found = gathering.take(1)) reads.push(found)
  }
  expect(gathering.bytes).toBe(0)
  return reads
}

test('steps come whole, those of a shard in their order, at whatever pace partitions do', () => {
  fc.assert(
    fc.property(
      fc.array(transaction, { maxLength: 30 }),
      fc.array(fc.nat(4), { minLength: 1, maxLength: 6 }).filter((sizes) => sizes.some((one) => one > 0)),
      fc.constantFrom(0, 0, 1, 2, 5),
      (transactions, some, every) => {
        const lanes = written(transactions)
        // In each turn something comes of each.
        const reads = readAll(lanes, [...some, 1], every)
        const all = reads.flat()
        for (const [topic, lane] of lanes)
          expect(all.filter((one) => one.topic === topic).map(({ offset }) => offset)).toEqual(
            lane.map(({ offset }) => offset),
          )
        for (const shard of ['a', 'b']) {
          const steps = all.filter((one) => one.shard === shard).map(({ step }) => step)
          expect(steps).toEqual(steps.toSorted((a, b) => a - b))
          let last = 0
          for (const read of reads) {
            const own = read.filter((one) => one.shard === shard).map(({ step }) => step)
            if (own.length > 0) expect(own[0]).toBeGreaterThan(last)
            last = own.at(-1) ?? last
          }
        }
      },
    ),
    { numRuns: 500 },
  )
})

test('a partition with nothing more in it does not hold up those that have a lot', () => {
  const busy = Array.from({ length: 1000 }, () => ({ shard: 'a', steps: [['t']], time: 1 }))
  const lanes = written([{ shard: 'a', steps: [['t', 'w']], time: 1 }, ...busy])
  const gathering = new Gathering(['t', 'w'].map((topic) => ({ topic, partition: 0, offset: 0 })))
  const records = new Records('')
  for (const message of [...lanes.get('w')!, ...lanes.get('t')!.slice(0, 10)])
    gathering.add(records.of(message)!)
  expect(gathering.take(1)).toHaveLength(2)
  expect(gathering.take(1)).toHaveLength(0)
  expect(gathering.passed([1001, 1], gathering.waiting())).toBe(false)
  expect(gathering.take(1e6)).toHaveLength(9)
})
