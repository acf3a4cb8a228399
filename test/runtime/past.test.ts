import { expect, test } from 'vitest'
import type { Placed } from '../../graph/port.ts'
import { MemoryLog } from '../../runtime/memory-log.ts'
import { partitionKey } from '../../runtime/log.ts'
import { pointOf } from '../../runtime/past.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { drain, fill, from } from './steps.ts'

test('a point holds whole steps also where a log looks at one partition after the other', async () => {
  const log = new MemoryLog(new VirtualClock(0))
  const writer = await log.write('a')
  await fill(writer, 'a', 1, 5, ['t', 'u'])
  let looks = 0
  const past = {
    read: log.read.bind(log),
    close: log.close.bind(log),
    has: () => true,
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
  const past = {
    read: log.read.bind(log),
    close: log.close.bind(log),
    ends: log.ends.bind(log),
    has: () => true,
  }
  const writers = ['t', 'u'].map((topic) => [{ topic, partition: 0 }])
  const { step, nexts } = await pointOf(past, writers)
  const found = await drain(await log.read(from('t')))
  const last = found.find((one) => one.step === 3)!
  expect([step, nexts.get(partitionKey('t', 0))]).toEqual([3, last.offset + 1])
})
