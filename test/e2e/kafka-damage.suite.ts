import { join } from 'node:path'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { kafkaLog } from '../../runtime/driver/kafka-log.ts'
import { remove } from '../runtime/kafka-remove.ts'
import { onBroker } from '../runtime/kafka-suite.ts'
import { spoil } from '../runtime/spoil.ts'
import { stepOf } from '../runtime/steps.ts'
import { start, temporary } from './command.ts'

interface Verified {
  readonly findings: readonly string[]
  readonly topics: readonly {
    readonly topic: string
    readonly log: number
    readonly clickhouse?: number
    readonly lake?: number
  }[]
}

interface Letter {
  readonly source: string
  readonly channel: string
  readonly frame: number
  readonly error: string
  readonly bytes: number
}

const run = (prefix: string, data: string, seconds: number) => {
  const environment = { KT_KAFKA_BROKERS: broker.address, KT_KAFKA_PREFIX: `${prefix}.` }
  const where = ['--source', 'sim', '--data', data, '--port', '0', '--pairs', '4']
  const { child, ended } = start(
    ['graph', 'run', ...where, '--rate', '400', '--for', `${seconds}s`],
    environment,
  )
  return { child, ended }
}
const told = async <T>(...args: readonly string[]): Promise<T> => {
  const { out, err } = await start([...args, '--json']).ended
  if (out === '') throw new Error(err)
  return JSON.parse(out) as T
}
const logOf = (data: string, part: string): string => readFileSync(join(data, `logs/${part}.log`), 'utf8')

/** A record of trades by another program, which says that it is of this version. Returns where it lies. */
const strange = async (prefix: string, schema: string): Promise<number> => {
  const log = await kafkaLog({ brokers: broker.address, prefix: `${prefix}.` })
  const writer = await log.write('strange')
  const records = [{ topic: 'trade', partition: 0, schema, rows: 3, bytes: new Uint8Array(100).fill(7) }]
  const time = Date.now() * 1000
  const step = (writer.last?.step ?? 0) + 1
  const [offset] = await writer.append({ shard: 'strange', step, time, inputs: [], records })
  await log.close()
  return offset!
}

/** Delete a topic, and make it anew with more records than it had. Returns where it ends. */
const replace = async (prefix: string, topic: string): Promise<{ readonly next: number }> => {
  const log = await kafkaLog({ brokers: broker.address, prefix: `${prefix}.`, commitEveryMs: 0 })
  const before = (await log.ends()).find((one) => one.topic === topic)!.next
  await log.close()
  await remove(broker.address, `${prefix}.${topic}`)
  const other = await kafkaLog({ brokers: broker.address, prefix: `${prefix}.`, commitEveryMs: 0 })
  const writer = await other.write('strange')
  const topics = Array.from({ length: 100 }, () => topic)
  let next = 0
  for (let step = 1; next < before + 100; step++)
    next = (await writer.append(stepOf('strange', step, topics))).at(-1)! + 1
  await other.close()
  return { next }
}

const broker = onBroker('a run with records in Kafka that cannot be read', () => {
  test('keeps them as dead letters, loads all others, and says so', async () => {
    using folder = temporary()
    expect((await run('bad', folder.path, 6).ended).code).toBe(0)
    const offset = await strange('bad', 'trade/1')
    // These were loaded before; who comes back to them knows them by their offsets.
    await spoil(broker, 'bad.quote', [[-1, 'tail']])
    const { code, out, err } = await run('bad', folder.path, 6).ended
    expect(code, `${out}${err}`).toBe(0)
    expect(out).toMatch(/sink-clickhouse: \d+ rows, 0 batches behind, \d+ unreadable\n/)
    expect(out).toMatch(/sink-lake: \d+ rows, 0 batches behind, 1 unreadable\n/)
    const letters = (await told<readonly Letter[]>('dlq', 'list', '--data', folder.path)).filter(
      ({ source }) => source === 'log',
    )
    const own = letters.filter(({ channel }) => channel === 'trade')
    expect(new Set(own.map(({ frame, bytes }) => `${frame} ${bytes}`))).toEqual(new Set([`${offset} 100`]))
    const { findings, topics } = await told<Verified>('verify', '--data', folder.path)
    const [trade, quote] = [`trade/0 at ${offset}: `, /^quote\/0 at \d+: .*checksum/]
    expect(findings.filter((one) => one.startsWith(trade))).toHaveLength(1)
    expect(findings.filter((one) => quote.test(one)).length).toBeGreaterThan(0)
    for (const { topic, log, clickhouse, lake } of topics)
      if (topic !== 'quote') expect([topic, clickhouse ?? log, lake ?? log]).toEqual([topic, log, log])
  }, 180_000)

  test('waits at a record of a newer version, says so, and loads all other topics', async () => {
    using folder = temporary()
    expect((await run('newer', folder.path, 6).ended).code).toBe(0)
    await strange('newer', 'trade/9')
    const { child, ended } = run('newer', folder.path, 60)
    for (const part of ['sink-clickhouse', 'sink-lake'])
      await expect
        .poll(() => logOf(folder.path, part), { timeout: 40_000 })
        .toMatch(/"state":"failed","code":"KT6001","error":"a record of \\"trade\\" is \\"trade\/9\\"/)
    process.kill(-child.pid!, 'SIGKILL')
    await ended
    const told = await start(['verify', '--data', folder.path, '--json']).ended
    expect([told.code, told.out]).toEqual([1, expect.stringMatching(/KT6001[^]*trade\/9/)])
  }, 180_000)

  test('does not go on where a topic was made anew, whatever it holds now', async () => {
    using folder = temporary()
    expect((await run('anew', folder.path, 6).ended).code).toBe(0)
    const { next } = await replace('anew', 'trade')
    const ended = await run('anew', folder.path, 120).ended
    expect([ended.code, ended.err]).toEqual([1, expect.stringMatching(/anew\.trade[^]*KT3035/)])
    // Nobody who reads it believes it either.
    const verified = await start(['verify', '--data', folder.path]).ended
    expect([verified.code, verified.err]).toEqual([1, expect.stringContaining('KT3035')])
    const log = await kafkaLog({ brokers: broker.address, prefix: 'anew.' })
    expect((await log.ends()).find(({ topic }) => topic === 'trade')?.next).toBe(next)
    await log.close()
  }, 180_000)
})
