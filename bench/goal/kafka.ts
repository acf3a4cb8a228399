import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brokerDown, brokerUp, hasJava } from '../../bin/kafka.ts'
import { hasClient, loadClient } from '../../runtime/driver/kafka-client.ts'
import { KafkaTopics } from '../../runtime/driver/kafka-topics.ts'
import { measuredOf, resultOf } from '../measure.ts'
import { agree } from '../pipeline.ts'
import type { Ended } from '../pipeline.ts'
import type { Result } from './result.ts'
import type { Heard } from './socket.ts'

const TIMEOUT_MS = 180_000
const WHAT = 'Binance spot BTCUSDT, socket to Kafka, acknowledged'

const start = (file: string, ...words: readonly string[]): ChildProcess =>
  fork(join(import.meta.dirname, '..', 'socket', file), words, {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  })

const hear = async (words: readonly string[]): Promise<Heard> => {
  const child = start('to-kafka.ts', ...words)
  const timer = setTimeout(() => child.kill(), TIMEOUT_MS)
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${words[0]} did not write what it heard`)
  })
  try {
    return ((await Promise.race([once(child, 'message'), ended])) as [Heard])[0]
  } finally {
    ended.catch(() => {})
    clearTimeout(timer)
    child.kill()
  }
}

/**
 * G7: kt's socket, shard and transactions, beside a `send` of the official client for each event, until all is
 * acknowledged by one real broker on the same machine. Told and not measured where there is none.
 */
export const kafka = async (quick: boolean): Promise<readonly Result[]> => {
  if (!hasClient() || !hasJava()) {
    const peer = 'not measured: needs npm run setup:kafka and Java'
    return [{ goal: 'G7', what: WHAT, ours: NaN, peer, theirs: NaN, unit: 'CPU ns/message' }]
  }
  const messages = quick ? 20_000 : 60_000
  const folder = mkdtempSync(join(tmpdir(), 'kt-bench-kafka-'))
  const { port } = await brokerUp(folder)
  const brokers = `127.0.0.1:${port}`
  const venue = start('venue.ts', 'binance.spot', 'trade,book', String(messages))
  const found = { kt: [] as number[], each: [] as number[] }
  try {
    const [at] = (await once(venue, 'message')) as [number]
    for (let round = 0; round < (quick ? 2 : 5); round++) {
      const prefix = `round${round}.`
      const topics = new KafkaTopics(loadClient(), { 'bootstrap.servers': brokers }, prefix, () => ({}))
      await topics.ensure(
        ['events', 'trade', 'book-delta', 'quote'].map((topic) => ({ topic, partition: 0 })),
      )
      topics.close()
      const ends = new Map<string, Ended>()
      for (const name of round % 2 === 0 ? (['kt', 'each'] as const) : (['each', 'kt'] as const)) {
        const { cpuNs, ended } = await hear([name, String(at), String(messages), brokers, prefix])
        found[name].push(cpuNs)
        ends.set(name, ended)
      }
      agree(WHAT, ends.get('kt')!, ends.get('each')!, ['trades', 'bid', 'ask'])
    }
  } finally {
    venue.kill()
    await brokerDown(folder, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  const about = { goal: 'G7', what: WHAT, unit: 'CPU ns/message' }
  return [
    resultOf(
      about,
      measuredOf('kt', found.kt),
      measuredOf('send of the official client, each event', found.each),
    ),
  ]
}
