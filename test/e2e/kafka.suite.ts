import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { brokerDown, brokerUp } from '../../bin/kafka.ts'
import { alterTopics } from '../../runtime/driver/kafka-settings.ts'
import { randomOf } from '../random.ts'
import { onBroker } from '../runtime/kafka-suite.ts'
import { pidOf, start, temporary } from './command.ts'
import type { Ended } from './command.ts'

const KILLS = Number(process.env['KT_KILLS'] ?? 5)
const LONG = 300_000

interface Verified {
  readonly ok: boolean
  readonly findings: readonly string[]
  readonly topics: readonly { readonly topic: string; readonly log: number; readonly lake: number }[]
}

/** A command with the broker, and the topics of one test. */
const kafka = (prefix: string, more: Readonly<Record<string, string>> = {}) => {
  const environment = { KT_KAFKA_BROKERS: broker.address, KT_KAFKA_PREFIX: `${prefix}.`, ...more }
  return (...args: readonly string[]) => start(args, environment)
}
const sim = (graph: string, data: string, rate: number, seconds: number): readonly string[] => {
  const where = ['--source', 'sim', '--data', data, '--port', '0']
  return ['graph', 'run', graph, ...where, '--rate', String(rate), '--pairs', '12', '--for', `${seconds}s`]
}
const verify = async (data: string): Promise<Verified> => {
  // Without any variable: a run says itself where its log is.
  const { out, err } = await start(['verify', '--data', data, '--json']).ended
  if (out === '') throw new Error(err)
  return JSON.parse(out) as Verified
}
const rowsOf = ({ topics }: Verified, topic: string): number =>
  topics.find((one) => one.topic === topic)?.log ?? 0

const failed = ({ code, err }: Ended, data: string): string =>
  `${code} ${err}\n${readFileSync(join(data, 'logs/shard.log'), 'utf8').slice(-2000)}`

const broker = onBroker('a run whose log is in Kafka', () => {
  exactly()
  killed()
  refused()
})

function exactly(): void {
  test(
    'has every row once in ClickHouse and in the lake, and other commands find it',
    async () => {
      using folder = temporary()
      const run = kafka('plain')
      const ended = await run(...sim('graph/basis.ts', folder.path, 1500, 20)).ended
      expect(ended.code, failed(ended, folder.path)).toBe(0)
      const verified = await verify(folder.path)
      expect(verified.findings).toEqual([])
      expect(rowsOf(verified, 'trade')).toBeGreaterThan(5000)
      const where = ['--data', folder.path]
      const listed = JSON.parse((await start(['topic', 'ls', '--json', ...where]).ended).out) as object[]
      expect(listed.length).toBeGreaterThan(5)
      const { out: tail } = await start(['topic', 'tail', 'trade', '-n', '3', ...where]).ended
      expect(
        tail
          .trim()
          .split('\n')
          .map((line) => (JSON.parse(line) as { venue?: string }).venue),
      ).toHaveLength(3)
      const { out: doctor } = await run('doctor', ...where).ended
      expect(doctor).toMatch(/kafka +1 brokers at/)
      expect(doctor).toMatch(/log +\d+ partitions in Kafka, topics plain\.\*/)
      expect((await run('topic', 'plan').ended).code).toBe(0)
      console.log(`${verified.topics.reduce((sum, { log }) => sum + log, 0)} rows in Kafka, all of them once`)
    },
    LONG,
  )

  test(
    'goes on through stages that follow each other, also when they are killed',
    async () => {
      using folder = temporary()
      const run = kafka('stages')
      const args = sim('graph/candles.ts', folder.path, 800, 25)
      const { ended } = run(...args)
      // Brokers that have just begun take some seconds to make the topics.
      while (pidOf('part/shard.ts', folder.path) === undefined) await pause(100)
      await pause(6000)
      process.kill(pidOf('part/shard.ts', folder.path)!, 'SIGKILL')
      const end = await ended
      expect(end.code, failed(end, folder.path)).toBe(0)
      const verified = await verify(folder.path)
      expect(verified.findings).toEqual([])
      expect(rowsOf(verified, 'trade')).toBeGreaterThan(3000)
      expect(rowsOf(verified, 'trade-by-asset')).toBe(rowsOf(verified, 'trade'))
      expect(rowsOf(verified, 'candle')).toBeGreaterThan(20)
    },
    LONG,
  )
}

function killed(): void {
  test(
    `loses and doubles nothing when its shard is killed ${KILLS} times`,
    async () => {
      using folder = temporary()
      const draw = randomOf(Number(process.env['KT_SEED'] ?? 1))
      const seconds = 15 + KILLS * 8
      const { ended } = kafka('kills')(...sim('graph/basis.ts', folder.path, 1500, seconds))
      await pause(6000)
      let kills = 0
      for (const until = Date.now() + (seconds - 14) * 1000; kills < KILLS && Date.now() < until;) {
        const pid = pidOf('part/shard.ts', folder.path)
        if (pid !== undefined && ++kills > 0) process.kill(pid, 'SIGKILL')
        await pause(2500 + draw(5000))
      }
      const end = await ended
      expect(end.code, failed(end, folder.path)).toBe(0)
      const verified = await verify(folder.path)
      expect(verified.findings).toEqual([])
      expect([kills, rowsOf(verified, 'trade') > 5000]).toEqual([KILLS, true])
      console.log(`${kills} kills of the shard: ${rowsOf(verified, 'trade')} trades, all of them once`)
    },
    LONG + KILLS * 10_000,
  )

  test(
    'loses and doubles nothing when the broker is killed and comes back',
    async () => {
      using folder = temporary()
      const { ended } = kafka('broker')(...sim('graph/basis.ts', folder.path, 1000, 40))
      await pause(14_000)
      await brokerDown(broker.folder, 'SIGKILL')
      await pause(2000)
      await brokerUp(broker.folder)
      const end = await ended
      expect(end.code, failed(end, folder.path)).toBe(0)
      const verified = await verify(folder.path)
      expect(verified.findings).toEqual([])
      expect(rowsOf(verified, 'trade')).toBeGreaterThan(5000)
    },
    LONG,
  )

  test(
    'is fenced by a second one on the same topics, which goes on exactly',
    async () => {
      using one = temporary()
      using two = temporary()
      const run = kafka('zombie')
      const zombie = run(...sim('graph/basis.ts', one.path, 500, 60))
      await pause(9000)
      const fresh = await run(...sim('graph/basis.ts', two.path, 500, 12)).ended
      expect(fresh.code, failed(fresh, two.path)).toBe(0)
      const { code, err } = await zombie.ended
      expect([code !== 0, err.includes('overtaken')]).toEqual([true, true])
      expect((await verify(two.path)).findings).toEqual([])
    },
    LONG,
  )
}

/** What is wrong is said before anything starts, with its exit code. */
function refused(): void {
  const first = async (environment: Readonly<Record<string, string>>, data: string) => {
    const { code, out } = await start([...sim('graph/basis.ts', data, 500, 5), '--json'], {
      KT_KAFKA_BROKERS: broker.address,
      KT_KAFKA_PREFIX: 'refused.',
      ...environment,
    }).ended
    return [code, (JSON.parse(out) as { error: { code: string } }).error.code]
  }

  test(
    'does not begin where brokers, the client, a variable or the folder is wrong',
    async () => {
      using folder = temporary()
      const { path } = folder
      expect(await first({ KT_KAFKA_BROKERS: '127.0.0.1:1' }, path)).toEqual([69, 'KT3031'])
      expect(await first({ KT_KAFKA_BROKERS: 'no.such.host.invalid:9092' }, path)).toEqual([69, 'KT3031'])
      expect(await first({ KT_KAFKA_BROKERS: '127.0.0.1' }, path)).toEqual([64, 'KT6430'])
      expect(await first({ KT_KAFKA_TLS: '1' }, path)).toEqual([1, 'KT3032'])
      const sasl = { KT_KAFKA_SASL: 'PLAIN', KT_KAFKA_USER: 'a', KT_KAFKA_PASSWORD: 'b' }
      expect(await first(sasl, path)).toEqual([1, 'KT3032'])
      expect(await first({ XDG_CACHE_HOME: path }, path)).toEqual([1, 'KT3030'])
      const data = join(path, 'segment')
      mkdirSync(data)
      expect((await start(sim('graph/basis.ts', data, 500, 2)).ended).code).toBe(0)
      expect(await first({}, data)).toEqual([1, 'KT5012'])
    },
    LONG,
  )

  test(
    'does not begin on topics that it could not be exact on, and kt topic apply mends them',
    async () => {
      using folder = temporary()
      const run = kafka('topics')
      expect((await run('topic', 'plan').ended).code).toBe(2)
      expect((await run('topic', 'apply').ended).code).toBe(0)
      const access = { brokers: broker.address, tls: false }
      const config = { 'cleanup.policy': 'compact', 'retention.ms': '1000' }
      await alterTopics(access, [
        { name: 'topics.quote', config },
        { name: 'topics.kt.shards', config: { 'cleanup.policy': 'delete' } },
      ])
      expect(await first({ KT_KAFKA_PREFIX: 'topics.' }, folder.path)).toEqual([1, 'KT3034'])
      const { code, out } = await run('topic', 'plan', '--json').ended
      expect(code).toBe(2)
      const { differences } = JSON.parse(out) as {
        differences: readonly { topic: string; what: string; breaks?: string }[]
      }
      expect(differences.map(({ topic, what, breaks }) => [topic, what, breaks !== undefined])).toEqual([
        ['quote', 'cleanup.policy', true],
        ['quote', 'retention.ms', false],
        ['kt.shards', 'cleanup.policy', true],
      ])
      expect((await run('topic', 'apply').ended).code).toBe(0)
      expect((await run('topic', 'plan').ended).code).toBe(0)
    },
    LONG,
  )
}
