import { describe, expect, test } from 'vitest'
import { graph } from '../../graph/graph.ts'
import { plan } from '../../graph/plan.ts'
import type { DeadLetter } from '../../graph/port.ts'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import { logged } from '../../graph/schema.ts'
import type { Card, Source } from '../../graph/source.ts'
import { topic } from '../../graph/topic.ts'
import { control } from '../../market/system.ts'
import { systemTopics } from '../../market/topics.ts'
import { MemoryLog } from '../../runtime/memory-log.ts'
import { Shard } from '../../runtime/shard.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { clickhouse } from '../../sinks/index.ts'
import { trade } from '../../market/index.ts'
import { byGroup, memoryObjects, quietReport, read, tap, tapFrame, venue } from './world.ts'
import type { Tap } from './world.ts'

const START = 1_770_000_000_000_000

/** A letter each: `x` comes while the log is behind, `.` while it is not. */
const overloaded = async (card: Partial<Card>, course = 'x') => {
  const source: Source<'venue', { tap: Tap }> = { ...venue, channels: { tap: { schemas: [tap], card: card as Card } } }
  const small = graph('small', (g) => {
    const from = g.source(source, { universe: {}, channels: ['tap'], keep: byGroup })
    from.tap.via(read).through(topic('tap', { schema: tap, key: byGroup }))
  })
  const planned = plan(small, { topics: systemTopics, sink: () => clickhouse(trade) })
  const clock = new VirtualClock(START)
  const log = new MemoryLog(clock)
  let behind = false
  const write = async (name: string) => ({ ...(await log.write(name)), pendingBytes: () => (behind ? 2 : 0) })
  const letters: DeadLetter[] = []
  const shard = new Shard({
    plan: planned.stages[0]!, shard: 'small/0/0', clock, objects: memoryObjects(),
    log: { write, read: (from) => log.read(from), ends: () => log.ends(), close: () => log.close() },
    deadLetters: { add: (letter) => letters.push(letter) }, report: quietReport(), rowsMax: 50, lingerMs: 0,
    tickMs: 250, checkpointEveryMs: 1000, pendingMaxBytes: 1, rebuild: false,
  })
  await shard.recover()
  for (const [at, one] of [...course].entries()) {
    behind = one === 'x'
    shard.frame(tapFrame(at + 1, 'a1', 7, START + 5 + at))
  }
  await shard.stop()
  const ends = await log.ends()
  const reader = await log.read(ends.map(({ topic: name, partition, first }) => ({ topic: name, partition, offset: first })))
  const records = await reader.read(1 << 20, 0)
  const said = records.filter((one) => one.topic === 'kt.control').flatMap((one) => rowsOf(readBatch(logged(control), one.bytes)))
  return { letters, said, taps: records.filter((one) => one.topic === 'tap') }
}

describe('a message that the log cannot take', () => {
  test('is kept whole where the venue cannot give it again', async () => {
    const { letters, said, taps } = await overloaded({ interaction: 'push', model: 'delta', recoverable: 'none' })
    expect(letters).toMatchObject([{ source: 'venue', channel: 'tap', received: START + 5, error: 'KT4010 the log has fallen behind' }])
    expect(said).toMatchObject([{ kind: 'drop', source: 'venue', channel: 'tap', why: 'the log has fallen behind' }])
    expect(taps).toEqual([])
  })

  test('takes trust once, until a message of its channel is taken again', async () => {
    const { letters, said } = await overloaded({ interaction: 'push', model: 'delta', recoverable: 'none' }, 'xxx.xx')
    expect(letters).toHaveLength(5)
    expect(said.map(({ received }) => Number(received) - START)).toEqual([5, 9])
  })

  test('is dropped where the venue has a history, and its hole says so', async () => {
    const { letters, said } = await overloaded({ interaction: 'push', model: 'stateless', recoverable: 'full' })
    expect(letters).toEqual([])
    expect(said).toMatchObject([{ kind: 'drop', why: "the log has fallen behind; the venue's history has it" }])
  })

  test('is dropped where the next answer says it all again', async () => {
    const { letters, said } = await overloaded({ interaction: 'poll', model: 'snapshot', recoverable: 'none' })
    expect([letters, said.map(({ why }) => why)]).toEqual([[], ['the log has fallen behind']])
  })
})
