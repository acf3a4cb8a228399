import { expect, test } from 'vitest'
import type { LogReader, Placed } from '../../graph/port.ts'
import { loadClient } from '../../runtime/driver/kafka-client.ts'
import { kafkaLog } from '../../runtime/driver/kafka-log.ts'
import type { KafkaLog } from '../../runtime/driver/kafka-log.ts'
import type { IdStore } from '../../runtime/driver/kafka-topic-ids.ts'
import { DAMAGED } from '../../runtime/log.ts'
import { remove } from './kafka-remove.ts'
import { memory } from './kafka-home.ts'
import { onBroker } from './kafka-suite.ts'
import { spoil } from './spoil.ts'
import { codeOf, drain, fill, from, stepOf } from './steps.ts'

const open = (prefix: string, ids?: IdStore): Promise<KafkaLog> =>
  kafkaLog({ brokers: broker.address, prefix, shardPartitions: 1, commitEveryMs: 0, ids })

/** Read until a record of this offset or a later one has come from each of some topics. */
const readTo = async (
  reader: LogReader,
  topics: readonly string[],
  last: number,
): Promise<readonly Placed[]> => {
  const found: Placed[] = []
  const done = (topic: string): boolean => found.some((one) => one.topic === topic && one.offset >= last)
  while (!topics.every(done)) found.push(...(await reader.read(1 << 20, 100)))
  return found
}

type Assign = (this: unknown, places: readonly { readonly offset: number }[]) => void
type Back = (error: unknown, messages: readonly unknown[]) => void
type Consume = (this: unknown, most: number, back: Back) => void

/** What the error of a reader says, once it has one, and what it read before. */
const failureOf = async (reader: LogReader, before: Placed[] = []): Promise<unknown> => {
  for (;;) {
    try {
      before.push(...(await reader.read(1 << 20, 100)))
    } catch (error) {
      return error
    }
  }
}

const broker = onBroker('Kafka, whose disk fails or whose topics vanish', () => {
  damaged()
  vanished()
})

function damaged(): void {
  test('says which records are damaged, and gives all others: those of their steps, before and after', async () => {
    const writing = await open('spoilt.')
    await fill(await writing.write('a'), 'a', 1, 10, ['t', 'u'], 500)
    await writing.close()
    // The first one, two behind each other, and the last.
    await spoil(broker, 'spoilt.t', [
      [0, 'tail'],
      [4, 'head'],
      [5, 'tail'],
      [-1, 'head'],
    ])
    const log = await open('spoilt.')
    expect((await log.ends()).map(({ topic, next }) => [topic, next])).toEqual([
      ['t', 19],
      ['u', 19],
    ])
    for (const topics of [['t'], ['t', 'u'], ['u', 't']]) {
      const reader = await log.read(from(...topics))
      const found = await readTo(reader, topics, 18)
      const of = (topic: string) => found.filter((one) => one.topic === topic)
      expect(of('t').map(({ offset }) => offset)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18])
      expect(
        of('t')
          .filter((one) => one.schema === DAMAGED)
          .map(({ offset }) => offset),
      ).toEqual([0, 8, 10, 18])
      const whole = of('t').filter((one) => one.schema !== DAMAGED)
      expect(whole.map(({ step, bytes }) => [step, bytes])).toEqual(
        [2, 3, 4, 7, 8, 9].map((step) => [step, stepOf('a', step, ['t'], 500).records[0]!.bytes]),
      )
      if (topics.length > 1) expect(of('u').map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
      await reader.close()
    }
    // Its writer goes on behind what is damaged.
    const writer = await log.write('a')
    await fill(writer, 'a', 11, 12, ['t', 'u'], 500)
    expect(
      (await drain(await log.read([{ topic: 't', partition: 0, offset: 19 }]))).map(({ step }) => step),
    ).toEqual([11, 12])
    await log.close()
  }, 120_000)

  test('says so also while a lot comes from a partition beside it', async () => {
    const log = await open('beside.')
    await fill(await log.write('a'), 'a', 1, 5, ['t', 'u'], 500)
    await log.close()
    await spoil(broker, 'beside.t', [[2, 'tail']])
    const busy = await open('beside.')
    const writer = await busy.write('a')
    let going = true
    let step = 5
    const writing = (async () => {
      while (going)
        await Promise.all(Array.from({ length: 100 }, () => writer.append(stepOf('a', ++step, ['u']))))
    })()
    const reader = await busy.read(from('t', 'u'))
    const found = await readTo(reader, ['t', 'u'], 8)
    going = false
    await writing
    const own = found.filter(({ topic }) => topic === 't')
    expect(own.map(({ schema, offset }) => [schema === DAMAGED, offset])).toEqual([
      [false, 0],
      [false, 2],
      [true, 4],
      [false, 6],
      [false, 8],
    ])
    await busy.close()
  }, 120_000)

  test('says so also when the client loses all errors, and is begun anew when it is silent', async () => {
    const log = await open('silent.')
    await fill(await log.write('a'), 'a', 1, 5, ['t', 'u'], 500)
    await log.close()
    await spoil(broker, 'silent.t', [[2, 'tail']])
    const consumer = loadClient().KafkaConsumer.prototype as { assign: Assign; consume: Consume }
    const { assign, consume } = consumer
    consumer.consume = function (most, back) {
      return consume.call(this, most, (error, messages) => back(undefined, error ? [] : messages))
    }
    // The first time it is sent where nothing is.
    consumer.assign = function (places) {
      consumer.assign = assign
      return assign.call(
        this,
        places.map((one) => ({ ...one, offset: 1000 })),
      )
    }
    try {
      const reading = await open('silent.')
      const found = await readTo(await reading.read(from('t', 'u')), ['t', 'u'], 8)
      expect(
        found.filter(({ schema }) => schema === DAMAGED).map(({ topic, offset }) => [topic, offset]),
      ).toEqual([['t', 4]])
      expect(found).toHaveLength(10)
      await reading.close()
    } finally {
      Object.assign(consumer, { assign, consume })
    }
  }, 120_000)

  test('says so of where shards stand, before a writer could write a step twice', async () => {
    const log = await open('stand.')
    await fill(await log.write('a'), 'a', 1, 3, ['t'])
    await log.close()
    await spoil(broker, 'stand.kt.shards', [[3, 'tail']])
    const again = await open('stand.')
    await expect(again.write('a')).rejects.toMatchObject({ code: 'KT3003' })
    await again.close()
  }, 120_000)
}

function vanished(): void {
  test('a topic that is deleted under a reader is KT3035, and not silence', async () => {
    const log = await open('gone.')
    await fill(await log.write('a'), 'a', 1, 3, ['t', 'u'])
    const reader = await log.read(from('t', 'u'))
    expect(await readTo(reader, ['t', 'u'], 4)).toHaveLength(6)
    await remove(broker.address, 'gone.t')
    expect(await failureOf(reader)).toMatchObject({
      code: 'KT3035',
      where: 'gone.t',
      fix: expect.stringContaining('KT_KAFKA_PREFIX'),
    })
    await log.close()
  }, 120_000)

  test('so is one that was made anew, and holds less than was read', async () => {
    const log = await open('anew.')
    await fill(await log.write('a'), 'a', 1, 3, ['t'])
    const reader = await log.read(from('t'))
    expect(await readTo(reader, ['t'], 4)).toHaveLength(3)
    await remove(broker.address, 'anew.t')
    const other = await open('anew.')
    await fill(await other.write('b'), 'b', 1, 1, ['t'])
    expect(await failureOf(reader)).toMatchObject({ code: 'KT3035' })
    await other.close()
    await log.close()
  }, 120_000)

  /** For so long a reader takes it that a topic is what it was. */
  const SEEN_MS = 1000

  /** Another program deletes a topic, and writes more to it than was in it before. */
  const replace = async (prefix: string): Promise<void> => {
    await remove(broker.address, `${prefix}t`)
    const other = await open(prefix)
    await fill(await other.write('b'), 'b', 1, 20, ['t'])
    await other.close()
  }

  test('so is one that was made anew and holds more, of which nothing is handed out', async () => {
    const log = await open('more.')
    const writer = await log.write('a')
    await fill(writer, 'a', 1, 3, ['t', 'u'])
    const reader = await log.read(from('t'))
    expect(await readTo(reader, ['t'], 4)).toHaveLength(3)
    const until = performance.now() + SEEN_MS
    await replace('more.')
    while (performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10))
    const read: Placed[] = []
    expect(await failureOf(reader, read)).toMatchObject({ code: 'KT3035', where: 'more.t' })
    expect(read).toEqual([])
    // Sinks begin anew where they were.
    const again = await log.read([{ topic: 't', partition: 0, offset: 6 }])
    expect(await failureOf(again, read)).toMatchObject({ code: 'KT3035' })
    expect(read).toEqual([])
    // Who writes learns it too, and others go on.
    await expect(
      (async () => {
        for (let step = 4; ; step++) await writer.append(stepOf('a', step, ['t']))
      })(),
    ).rejects.toMatchObject({ code: 'KT3035' })
    expect(await readTo(await log.read(from('u')), ['u'], 4)).toHaveLength(3)
    await log.close()
  }, 120_000)

  test('who writes to one that is deleted learns it too, though the client waits for it', async () => {
    const log = await open('writer.')
    const writer = await log.write('a')
    await fill(writer, 'a', 1, 3, ['t'])
    await remove(broker.address, 'writer.t')
    await expect(fill(writer, 'a', 4, Number.POSITIVE_INFINITY, ['t'])).rejects.toMatchObject({
      code: 'KT3035',
      where: 'writer.t',
    })
    await log.close()
  }, 120_000)

  test('a restart knows it, whether it reads or writes, until it is told to forget', async () => {
    const ids = memory()
    const before = await open('later.', ids)
    await fill(await before.write('a'), 'a', 1, 3, ['t'])
    await before.close()
    expect([...ids.kept.keys()]).toEqual(['kafka/later.kt.shards', 'kafka/later.t'])
    await replace('later.')
    const position = { topic: 't', partition: 0, offset: 6 }
    const log = await open('later.', ids)
    const said = {
      code: 'KT3035',
      why: expect.stringMatching(/its id was [\w-]{22}, and is [\w-]{22} now/),
      fix: expect.stringContaining('remove state/kafka/later.t '),
    }
    await expect(log.read([position])).rejects.toMatchObject(said)
    const writer = await log.write('a')
    await expect(writer.append(stepOf('a', 4, ['t']))).rejects.toMatchObject({ code: 'KT3035' })
    await log.close()
    ids.kept.delete('kafka/later.t')
    const told = await open('later.', ids)
    expect((await drain(await told.read([position])))[0]).toMatchObject({ shard: 'b', offset: 6 })
    await told.close()
  }, 120_000)

  test('who asks where partitions end hears of one that is gone, and gets the others where it is not his', async () => {
    const ids = memory()
    const writing = await open('uses.', ids)
    await fill(await writing.write('a'), 'a', 1, 3, ['t', 'u'])
    const other = await open('uses.')
    expect(await other.ends()).toHaveLength(2)
    await writing.close()
    await remove(broker.address, 'uses.t')
    await expect.poll(async () => (await other.ends()).map(({ topic }) => topic)).toEqual(['u'])
    await other.close()
    const own = await kafkaLog({ brokers: broker.address, prefix: 'uses.', ids, uses: ['t', 'u', 'v'] })
    expect(await codeOf(own.ends())).toBe('KT3035')
    await own.close()
  }, 60_000)

  test('a restart does not make a topic anew that it has used', async () => {
    const ids = memory()
    const before = await open('absent.', ids)
    await fill(await before.write('a'), 'a', 1, 3, ['t'])
    await before.close()
    await remove(broker.address, 'absent.t')
    const log = await open('absent.', ids)
    await expect(log.read(from('t'))).rejects.toMatchObject({ code: 'KT3035', where: 'absent.t' })
    expect(await log.topics.all()).toEqual([])
    await log.close()
  }, 120_000)
}
