import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { brokerDown, brokerUp } from '../../bin/kafka.ts'
import type { ReadFrom, Step } from '../../graph/port.ts'
import { kafkaLog } from '../../runtime/driver/kafka-log.ts'
import { overtakenLake } from '../sinks/lake-overtaken.ts'
import { kafkaHome, memory } from './kafka-home.ts'
import { onBroker } from './kafka-suite.ts'
import { logConformance } from './log.conformance.ts'
import { codeOf, drain, fill, from, stepOf } from './steps.ts'

const broker = onBroker('Kafka', () => {
  // A topic is four files and a log of its own to Kafka: two thousand would be a test of the brokers.
  logConformance('Kafka log', () => kafkaHome(broker.address), 60)
  offsets()
  overtaken()
  zombies()
  kills()
})

/** What only a log has whose offsets have holes. */
function offsets(): void {
  test('`next` of the ends is behind the last record, whatever lies behind it', async () => {
    const log = await kafkaLog({ brokers: broker.address, prefix: 'ends.', commitEveryMs: 0 })
    const writer = await log.write('a')
    for (let step = 1; step <= 5; step++) await writer.append(stepOf('a', step, ['t']))
    const found = await drain(await log.read(from('t')))
    const [end] = await log.ends()
    expect(found).toHaveLength(5)
    expect(end!.next).toBe(found.at(-1)!.offset + 1)
    expect(end!.next).toBeGreaterThan(5)
    const last = await log.read([{ topic: 't', partition: 0, offset: end!.next - 1 }])
    expect((await last.read(1, 0)).map(({ step }) => step)).toEqual([5])
    await log.close()
  })

  test('one whose records are all gone goes on where readers were who missed nothing', async () => {
    const ids = memory()
    const options = { brokers: broker.address, prefix: 'week.', commitEveryMs: 0, ids }
    const before = await kafkaLog(options)
    const writer = await before.write('a')
    await fill(writer, 'a', 1, 3, ['t', 'u'])
    const [end] = await before.ends()
    await before.close()
    const after = await kafkaLog(options)
    // Markers are let go of, too: the partitions begin behind them.
    const gone = { partition: 0, offset: end!.next + 1 }
    await after.topics.drop(['t', 'u'].map((topic) => ({ topic, ...gone })))
    const at = { partition: 0, first: end!.next, next: end!.next, rows: -1, bytes: -1 }
    expect(await after.ends()).toEqual(['t', 'u'].map((topic) => ({ topic, ...at })))
    const where = ['t', 'u'].map((topic) => ({ topic, partition: 0, offset: end!.next }))
    const reader = await after.read(where)
    expect(await reader.read(1000, 2000)).toEqual([])
    await fill(await after.write('a'), 'a', 4, 5, ['t', 'u'])
    const rest = [...(await drain(reader)), ...(await drain(await after.read(where)))]
    expect(rest.map(({ topic, step }) => `${topic}${step}`)).toEqual([
      't4',
      'u4',
      't5',
      'u5',
      't4',
      'u4',
      't5',
      'u5',
    ])
    expect((await after.ends()).map(({ first }) => first)).toEqual([end!.next, end!.next])
    // Who has not read the last record has missed it.
    const late = await after.read(where.map((one) => ({ ...one, offset: one.offset - 1 })))
    await expect.poll(() => codeOf(late.read(1, 0)), { timeout: 10_000 }).toBe('KT3002')
    await after.close()
  })

  test('a partition that retention has passed is KT3002 also beside a busy one', async () => {
    const log = await kafkaLog({ brokers: broker.address, prefix: 'beside.', commitEveryMs: 10 })
    const writer = await log.write('a')
    await fill(writer, 'a', 1, 10, ['t', 'u'])
    await log.topics.drop([{ topic: 't', partition: 0, offset: 8 }])
    let busy = true
    let step = 10
    const writing = (async () => {
      while (busy)
        await Promise.all(Array.from({ length: 200 }, () => writer.append(stepOf('a', ++step, ['u']))))
    })()
    // So many that the error of the one comes together with records of the other.
    while (step < 5000) await new Promise((resolve) => setTimeout(resolve, 10))
    for (const topics of [
      ['t', 'u'],
      ['u', 't'],
      ['u', 't'],
      ['u', 't'],
    ]) {
      const reader = await log.read(from(...topics))
      const begun = performance.now()
      let code = 'no error'
      while (code === 'no error' && performance.now() - begun < 5000)
        code = await codeOf(reader.read(1e6, 50))
      expect(code).toBe('KT3002')
      expect(await codeOf(reader.read(1, 50))).toBe('KT3002')
      await reader.close()
    }
    busy = false
    await writing
    await log.close()
  })

  test('steps of two shards that lie across each other in two partitions come whole', async () => {
    const log = await kafkaLog({ brokers: broker.address, prefix: 'across.', commitEveryMs: 5 })
    const shards = await Promise.all(['a', 'b', 'c'].map((shard) => log.write(shard)))
    const topics = ['t', 'u', 'v']
    const reader = await log.read(from(...topics))
    let written = false
    const writing = Promise.all(
      shards.map((writer, i) => fill(writer, 'abc'[i]!, 1, 60, i === 1 ? [...topics].reverse() : topics)),
    ).then(() => (written = true))
    const open = new Map<string, number>()
    const offsetsOf = new Map<string, number>()
    let seen = 0
    for (;;) {
      const ended = written
      const found = await reader.read(1, 20)
      for (const { shard, step, topic, offset } of found) {
        open.set(`${shard}${step}`, (open.get(`${shard}${step}`) ?? 0) + 1)
        expect(offset).toBeGreaterThan(offsetsOf.get(topic) ?? -1)
        offsetsOf.set(topic, offset)
      }
      seen += found.length
      expect([...open.values()].filter((count) => count !== 3)).toEqual([])
      if (ended && found.length === 0) break
    }
    expect(seen).toBe(3 * 60 * 3)
    await writing
    await log.close()
  })
}

/** Writers of two processes, which do not know of each other. */
function zombies(): void {
  test('a writer that another process has overtaken cannot commit, and nothing of it is seen', async () => {
    const options = { brokers: broker.address, prefix: 'zombie.', commitEveryMs: 0 }
    const [one, two] = [await kafkaLog(options), await kafkaLog(options)]
    const old = await one.write('a')
    await fill(old, 'a', 1, 3, ['t'])
    const fresh = await two.write('a')
    expect([fresh.epoch, fresh.last?.step]).toEqual([2, 3])
    expect(await codeOf(old.append(stepOf('a', 4, ['t'], 99)))).toBe('KT3004')
    expect(await codeOf(old.append(stepOf('a', 4, ['t'], 99)))).toBe('KT3004')
    await fill(fresh, 'a', 4, 5, ['t'])
    const found = await drain(await two.read(from('t')))
    expect(found.map(({ epoch, step, bytes }) => [epoch, step, bytes.length])).toEqual([
      [1, 1, 64],
      [1, 2, 64],
      [1, 3, 64],
      [2, 4, 64],
      [2, 5, 64],
    ])
    await one.close()
    await two.close()
  })

  test('a record that is too large is refused at once, and nothing of its step is seen', async () => {
    const log = await kafkaLog({ brokers: broker.address, prefix: 'large.', commitEveryMs: 0 })
    const writer = await log.write('a')
    await fill(writer, 'a', 1, 1, ['t', 'u'])
    const [small, large] = stepOf('a', 2, ['t', 'u']).records
    const bytes = new Uint8Array(65 << 20)
    const step = { ...stepOf('a', 2, []), records: [small!, { ...large!, bytes }] }
    expect(await codeOf(writer.append(step))).toBe('KT3031')
    const again = await log.write('a')
    expect(again.last?.step).toBe(1)
    await fill(again, 'a', 2, 2, ['t', 'u'])
    expect(await drain(await log.read(from('t', 'u')))).toHaveLength(4)
    await log.close()
  })

  test('an address where nobody answers is KT3031, and not a wait for ever', async () => {
    const log = await kafkaLog({ brokers: '127.0.0.1:1' })
    const codes = await Promise.all([codeOf(log.write('a')), codeOf(log.read(from('t'))), codeOf(log.ends())])
    expect(codes).toEqual(['KT3031', 'KT3031', 'KT3031'])
    await log.close()
  })
}

interface Writing {
  readonly child: ChildProcess
  /** The steps that were acknowledged, in the order in which that was said. */
  readonly acked: number[]
  readonly began: Promise<void>
}

const writing = (prefix: string): Writing => {
  const script = join(import.meta.dirname, 'kafka-child.ts')
  const child = spawn(process.execPath, [script, broker.address, prefix], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const acked: number[] = []
  let begin: () => void
  const began = new Promise<void>((resolve) => (begin = resolve))
  let rest = ''
  child.stdout.on('data', (bytes: Buffer) => {
    const lines = (rest + bytes.toString()).split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      if (line.startsWith('acked ')) acked.push(Number(line.slice(6)))
      else begin()
    }
  })
  return { child, acked, began }
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Every step once, in order, in both topics; and all that was acknowledged. */
const check = async (prefix: string, acked: readonly number[]): Promise<number> => {
  const log = await kafkaLog({ brokers: broker.address, prefix, shardPartitions: 1 })
  const writer = await log.write('a')
  const last: Step['step'] = writer.last?.step ?? 0
  const both: readonly ReadFrom[] = from('t', 'u')
  const found = await drain(await log.read(both))
  const steps = Array.from({ length: last }, (_, i) => i + 1)
  expect(found.filter(({ topic }) => topic === 't').map(({ step }) => step)).toEqual(steps)
  expect(found.filter(({ topic }) => topic === 'u').map(({ step }) => step)).toEqual(steps)
  expect(Math.max(...acked)).toBeLessThanOrEqual(last)
  expect(new Set(acked).size).toBe(acked.length)
  await log.close()
  return last
}

/** kill -9 of either side. */
function kills(): void {
  test('of a writer that is killed ten times nothing is lost and nothing is there twice', async () => {
    const acked: number[] = []
    const readyMs: number[] = []
    for (let round = 0; round < 10; round++) {
      const begun = performance.now()
      const one = writing('killed.')
      await one.began
      readyMs.push(Math.round(performance.now() - begun))
      await sleep(100 + round * 60)
      await ended(one.child)
      acked.push(...one.acked)
    }
    const last = await check('killed.', acked)
    process.stdout.write(`${last} steps, ${acked.length} acknowledged; ready after ${readyMs.join(' ')} ms\n`)
    expect(acked.length).toBeGreaterThan(100)
  }, 120_000)

  test('of brokers that are killed three times nothing is lost and nothing is there twice', async () => {
    const one = writing('broker.')
    await one.began
    const gapsMs: number[] = []
    for (let round = 0; round < 3; round++) {
      await sleep(500)
      await brokerDown(broker.folder, 'SIGKILL')
      const before = one.acked.length
      const begun = performance.now()
      await brokerUp(broker.folder)
      while (one.acked.length <= before + 8) await sleep(20)
      gapsMs.push(Math.round(performance.now() - begun))
    }
    await ended(one.child)
    const last = await check('broker.', one.acked)
    process.stdout.write(
      `${last} steps, ${one.acked.length} acknowledged; again after ${gapsMs.join(' ')} ms\n`,
    )
    expect(one.acked.length).toBeGreaterThan(50)
  }, 180_000)
}

/** Retention of Kafka asks nobody. */
function overtaken(): void {
  let runs = 0
  overtakenLake('with Kafka', async () => {
    const log = await kafkaLog({ brokers: broker.address, prefix: `lake${runs++}.`, commitEveryMs: 0 })
    const pass = async (): Promise<void> => {
      const ends = await log.ends()
      const half = ends.map(({ first, next, ...at }) => ({ ...at, offset: Math.ceil((first + next) / 2) }))
      await log.topics.drop(half)
    }
    return { log, pass }
  })
}
