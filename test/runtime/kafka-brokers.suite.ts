import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { brokerDown, brokerUp, clusterUp } from '../../bin/kafka.ts'
import type { Broker } from '../../bin/kafka.ts'
import { kafkaLog } from '../../runtime/driver/kafka-log.ts'
import type { KafkaOptions } from '../../runtime/driver/kafka-log.ts'
import type { OutageChange } from '../../runtime/driver/kafka-outage.ts'
import { alterTopics } from '../../runtime/driver/kafka-settings.ts'
import { leaderOf } from './kafka-leader.ts'
import { describeKafka } from './kafka-suite.ts'
import { codeOf, drain, fill, from, stepOf } from './steps.ts'

let folder: string
let nodes: readonly Broker[]
const brokers = (): string => nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')
const kill = (node: Broker): Promise<void> => brokerDown(node.folder, 'SIGKILL')
const killAll = (): Promise<void> => brokerDown(folder, 'SIGKILL')
/** The node that leads the first partition of a topic, once one does. */
const leader = async (topic: string): Promise<Broker> => {
  for (;;) {
    const port = await leaderOf(brokers(), topic)
    const found = nodes.find((node) => node.port === port)
    if (found !== undefined) return found
    await sleep(50)
  }
}
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A log on all three, transactions as soon as there is a step, and what it said of its brokers. */
const open = async (prefix: string, more: Partial<KafkaOptions> = {}) => {
  const said: OutageChange[] = []
  const outage = (change: OutageChange): void => void said.push(change)
  const own = { brokers: brokers(), prefix, shardPartitions: 1, commitEveryMs: 0, outage }
  return { log: await kafkaLog({ ...own, ...more }), said }
}

/** Append one step after the other, each once the one before is durable, until told to end. */
const load = (writer: Awaited<ReturnType<Awaited<ReturnType<typeof kafkaLog>>['write']>>) => {
  const acked: number[] = []
  let going = true
  const running = (async () => {
    for (let step = (writer.last?.step ?? 0) + 1; going; step++) {
      await writer.append(stepOf('a', step, ['t', 'u'], 200))
      acked.push(step)
    }
  })()
  // Looked at when it is ended.
  running.catch(() => undefined)
  const end = (): Promise<void> => {
    going = false
    return running
  }
  const more = async (count: number): Promise<void> => {
    for (const before = acked.length; acked.length < before + count; await sleep(10))
      await Promise.race([running, sleep(0)])
  }
  return { acked, more, end }
}

/** Every step once, in order, in both topics; and all that was acknowledged. */
const check = async (prefix: string, acked: readonly number[]): Promise<void> => {
  const { log } = await open(prefix)
  const found = await drain(await log.read(from('t', 'u')))
  const last = (await log.write('a')).last?.step ?? 0
  const steps = Array.from({ length: last }, (_, i) => i + 1)
  expect(found.filter(({ topic }) => topic === 't').map(({ step }) => step)).toEqual(steps)
  expect(found.filter(({ topic }) => topic === 'u').map(({ step }) => step)).toEqual(steps)
  expect(acked).toEqual(steps.slice(0, acked.length))
  await log.close()
}

describeKafka('three brokers, some of them away', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kt-kafka-'))
    nodes = await clusterUp(folder, 3)
  }, 180_000)

  beforeEach(() => clusterUp(folder, 3), 90_000)

  afterAll(async () => {
    await killAll()
    await rm(folder, { recursive: true, force: true })
  })

  leaders()
  few()
  none()
})

function leaders(): void {
  test('the leader of a partition is killed four times under load: nothing is lost or there twice', async () => {
    const { log } = await open('leader.')
    const loading = load(await log.write('a'))
    await loading.more(5)
    const gapsMs: number[] = []
    for (let round = 0; round < 4; round++) {
      const dead = await leader(round % 2 === 0 ? 'leader.t' : 'leader.kt.shards')
      const begun = performance.now()
      await kill(dead)
      await loading.more(5)
      gapsMs.push(Math.round(performance.now() - begun))
      await brokerUp(dead.folder)
    }
    await loading.end()
    await log.close()
    await check('leader.', loading.acked)
    console.log(`${loading.acked.length} steps; again after ${gapsMs.join(' ')} ms`)
  }, 180_000)

  test('one broker is away the whole time, the first of those that are named', async () => {
    await kill(nodes[0]!)
    const { log } = await open('away.')
    const writer = await log.write('a')
    const loading = load(writer)
    await loading.more(50)
    await loading.end()
    expect((await log.ends()).map(({ topic }) => topic)).toEqual(['t', 'u'])
    await log.close()
    await check('away.', loading.acked)
  }, 90_000)
}

/** Fewer than may acknowledge: nothing is taken, nothing waits without bound, and all goes on by itself. */
function few(): void {
  test('two brokers are away: what waits is bounded and said, and is there when they are', async () => {
    const { log, said } = await open('two.', { pendingBytesMax: 64 << 10 })
    const writer = await log.write('a')
    await fill(writer, 'a', 1, 3, ['t', 'u'])
    const rest = (await leader('two.t')).folder
    const dead = nodes.filter((node) => node.folder !== rest)
    await Promise.all(dead.map(kill))
    const waiting: Promise<unknown>[] = []
    let refused = 'no error'
    let step = 3
    while (refused === 'no error') {
      const appended = writer.append(stepOf('a', step + 1, ['t', 'u'], 4000))
      const code = await Promise.race([codeOf(appended), sleep(20).then(() => 'waits')])
      if (code === 'KT3007') refused = code
      else waiting.push(appended) && step++
    }
    expect(writer.pendingBytes()).toBeLessThanOrEqual(64 << 10)
    await until(() => said.length > 0)
    await Promise.all(dead.map(({ folder: where }) => brokerUp(where)))
    await Promise.all(waiting)
    await fill(writer, 'a', step + 1, step + 3, ['t', 'u'])
    await log.close()
    await check('two.', [])
  }, 180_000)

  test('brokers that lack a replica refuse, and what was refused is there when they have it', async () => {
    const { log, said } = await open('isr.')
    const writer = await log.write('a')
    await fill(writer, 'a', 1, 3, ['t', 'u'])
    const access = { brokers: brokers(), tls: false }
    await alterTopics(access, [{ name: 'isr.u', config: { 'min.insync.replicas': '3' } }])
    // A new leader would not know yet where the partition ends.
    const leads = await leader('isr.u')
    const dead = nodes.find((node) => node !== leads)!
    await kill(dead)
    const appended = writer.append(stepOf('a', 4, ['t', 'u']))
    await until(() => said.length > 0)
    expect((await drain(await log.read(from('u')))).map(({ step }) => step)).toEqual([1, 2, 3])
    await brokerUp(dead.folder)
    await appended
    await fill(writer, 'a', 5, 6, ['t', 'u'])
    await log.close()
    await check('isr.', [])
  }, 180_000)
}

const until = async (is: () => boolean): Promise<void> => {
  while (!is()) await sleep(20)
}

/** The brokers end a transaction that was open while they were away, and fence its writer. */
function none(): void {
  test('no broker for longer than a transaction may be open: its writer takes the shard again', async () => {
    const { log, said } = await open('none.', { transactionMs: 2000 })
    const writer = await log.write('a')
    await fill(writer, 'a', 1, 3, ['t', 'u'])
    await killAll()
    // Transactions are open when the brokers die as well as when they are away.
    const waiting = [4, 5, 6].map((step) => writer.append(stepOf('a', step, ['t', 'u'])))
    await sleep(3000)
    await clusterUp(folder, 3)
    await Promise.all(waiting)
    await fill(writer, 'a', 7, 9, ['t', 'u'])
    expect(said.slice(0, 2).map(({ state }) => state)).toEqual(['begun', 'over'])
    await log.close()
    await check('none.', [])
  }, 120_000)
}
