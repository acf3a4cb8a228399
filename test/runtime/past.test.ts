import { expect, test } from 'vitest'
import type { Placed } from '../../graph/port.ts'
import { MemoryLog } from '../../runtime/memory-log.ts'
import { partitionKey } from '../../runtime/log.ts'
import { Bounded, pointOf } from '../../runtime/past.ts'
import type { Past } from '../../runtime/past.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { randomOf } from '../random.ts'
import { drain, fill, from } from './steps.ts'

/** All of a log. */
const pastOf = (log: MemoryLog): Past => ({
  read: log.read.bind(log),
  close: log.close.bind(log),
  ends: log.ends.bind(log),
  has: () => true,
})

test('a point holds whole steps also where a log looks at one partition after the other', async () => {
  const log = new MemoryLog(new VirtualClock(0))
  const writer = await log.write('a')
  await fill(writer, 'a', 1, 5, ['t', 'u'])
  let looks = 0
  const past = {
    ...pastOf(log),
    // When it looked at `t`, steps 4 and 5 were not there yet.
    ends: async () =>
      (await log.ends()).map((end) => (looks++ === 0 && end.topic === 't' ? { ...end, next: 3 } : end)),
  }
  const places = ['t', 'u'].map((topic) => ({ topic, partition: 0 }))
  const { step, nexts } = await pointOf(past, [places])
  const found = await drain(await log.read(from('t', 'u')))
  const stepsIn = (topic: string): readonly number[] =>
    found
      .filter((one: Placed) => one.topic === topic && one.offset < nexts.get(partitionKey(topic, 0))!)
      .map((one) => one.step)
  expect([step, stepsIn('t'), stepsIn('u')]).toEqual([5, [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]])
})

test('a point ends behind a record, whatever holes lie between it and the next one', async () => {
  const log = new MemoryLog(new VirtualClock(0), { holes: 1 })
  await fill(await log.write('a'), 'a', 1, 5, ['t'])
  await fill(await log.write('b'), 'b', 1, 3, ['u'])
  const past = pastOf(log)
  const writers = ['t', 'u'].map((topic) => [{ topic, partition: 0 }])
  const { step, nexts } = await pointOf(past, writers)
  const found = await drain(await log.read(from('t')))
  const last = found.find((one) => one.step === 3)!
  expect([step, nexts.get(partitionKey('t', 0))]).toEqual([3, last.offset + 1])
})

test('all up to a point is read, in order, wherever a slower writer has put it, and nothing beyond', async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const below = randomOf(seed)
    const log = new MemoryLog(new VirtualClock(0))
    const topics = ['t', 'u', 'v']
    const writers = await Promise.all(topics.map((topic) => log.write(topic)))
    const steps = topics.map(() => 0)
    const write = async (most: number): Promise<void> => {
      for (let left = 60; left > 0; left--) {
        const one = below(3)
        if (steps[one]! >= most) continue
        steps[one]!++
        await fill(writers[one]!, topics[one]!, steps[one]!, steps[one]!, [topics[one]!])
      }
    }
    await write(30)
    const past = pastOf(log)
    const point = (): ReadonlyMap<string, number> =>
      new Map(topics.map((topic) => [partitionKey(topic, 0), Math.min(...steps)]))
    const bounded = new Bounded(past, point(), () => Promise.resolve())
    const reader = await bounded.read(from(...topics))
    const found: Placed[] = []
    for (let turn = 0; turn < 3; turn++) {
      for (let empty = 0; empty < 100;) {
        const some = await reader.read(1 + below(300), 0)
        found.push(...some)
        empty = some.length === 0 ? empty + 1 : 0
      }
      for (const [at, topic] of topics.entries()) {
        const ours = found.filter((one) => one.topic === topic).map(({ offset }) => offset)
        expect(ours, `${seed} ${at}`).toEqual(
          Array.from({ length: point().get(partitionKey(topic, 0))! }, (_, offset) => offset),
        )
      }
      await write(30 * (turn + 2))
      bounded.moveTo(point())
    }
    await reader.close()
  }
})

test('a past that has no more waits, though who keeps it does not', async () => {
  const log = new MemoryLog(new VirtualClock(0))
  await fill(await log.write('a'), 'a', 1, 3, ['t'])
  const past = pastOf(log)
  const pauses: number[] = []
  const pause = (ms: number): Promise<void> => Promise.resolve(void pauses.push(ms))
  const none = {
    ...past,
    read: async () => ({ read: () => Promise.resolve([]), close: () => Promise.resolve() }),
  }
  const beyond = new Map([[partitionKey('t', 0), 9]])
  for (const [of, waited] of [
    [past, []],
    [none, [40, 40]],
  ] as const) {
    pauses.length = 0
    const reader = await new Bounded(of, beyond, pause).read(from('t'))
    await reader.read(1, 40)
    await reader.read(1, 40)
    expect(pauses).toEqual(waited)
    await reader.close()
  }
})
