import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { kafkaLog } from '../../runtime/driver/kafka-log.ts'
import { onBroker } from '../runtime/kafka-suite.ts'
import { kt, killTree, start, temporary } from './command.ts'

const LONG = 300_000

interface Remade {
  readonly ok: boolean
  readonly topics: readonly {
    readonly topic: string
    readonly rows: number
    readonly digest: string
    readonly run: { readonly rows: number; readonly digest: string } | null
  }[]
}

const json = async <T>(...args: readonly string[]): Promise<T> => {
  const { out, err } = await kt(...args, '--json')
  if (out === '') throw new Error(err)
  return JSON.parse(out) as T
}

const expectEqual = ({ topics, ok }: Remade): void => {
  for (const { digest, rows, run } of topics) expect({ rows, digest }).toEqual(run ?? { rows: 0, digest })
  const rows = (topic: string): number => topics.find((one) => one.topic === topic)?.rows ?? 0
  expect([ok, rows('quote') > 1000, rows('basis') > 1000]).toEqual([true, true, true])
}

/** A run with the log in Kafka. */
const run = (prefix: string, data: string, ...more: readonly string[]) =>
  start(
    [
      'graph',
      'run',
      '--source',
      'sim',
      '--data',
      data,
      '--port',
      '0',
      '--pairs',
      '8',
      '--rate',
      '800',
      ...more,
    ],
    { KT_KAFKA_BROKERS: broker.address, KT_KAFKA_PREFIX: prefix },
  )

/** Let go of all but the last rows of a topic, as retention does. */
const retain = async (prefix: string, topic: string): Promise<void> => {
  const log = await kafkaLog({ brokers: broker.address, prefix })
  const end = (await log.ends()).find((one) => one.topic === topic)!
  await log.topics.drop([{ topic, partition: end.partition, offset: end.next - 1 }])
  await log.close()
}

const broker = onBroker('what a run in Kafka made is made again', () => {
  test(
    'beside the run that goes on, killed three times; switched to, dropped, and told of retention',
    async () => {
      using folder = temporary()
      const where = ['--data', folder.path]
      const live = run('again.', folder.path)
      const rows = async (): Promise<number> => {
        const { out } = await kt('sql', 'SELECT count() AS n FROM basis', '--json', ...where)
        return out.startsWith('[') ? Number((JSON.parse(out) as { n: string }[])[0]!.n) : 0
      }
      while ((await rows()) < 2000) await pause(500)
      const again = ['replay', '--from-topic', 'trade', 'book-delta', '--into', 'second', ...where]
      for (const ms of [2500, 4000, 6000]) {
        const { child, ended } = start(again)
        await pause(ms)
        killTree(child)
        await ended
      }
      expectEqual(await json<Remade>(...again))
      expectEqual(await json<Remade>(...again, '--follow', '--for', '5s'))
      const lag = await json<readonly { readonly reader: string }[] | object>('lag', ...where)
      expect(JSON.stringify(lag)).toContain('clickhouse.basis')
      live.child.kill('SIGINT')
      expect((await live.ended).code).toBe(0)
      expectEqual(await json<Remade>(...again))
      const made = join(folder.path, 'rebuilds', 'second')
      expect((await kt('verify', '--data', made)).out).toContain('0 lost, 0 duplicated')
      expect((await kt('replay', '--into', 'second', '--switch', ...where)).code).toBe(0)
      expect((await kt('replay', '--into', 'live', '--switch', ...where)).code).toBe(0)
      expect((await kt('replay', '--into', 'second', '--drop', ...where)).code).toBe(0)
      expect(existsSync(made)).toBe(false)
      await passedBy(folder.path)
    },
    LONG,
  )

  test(
    'from the lake, all of it',
    async () => {
      using folder = temporary()
      const live = join(folder.path, 'live')
      expect((await run('lake.', live, '--for', '25s').ended).code).toBe(0)
      const other = join(folder.path, 'other')
      expectEqual(
        await json<Remade>('graph', 'run', '--source', `lake:${live}`, '--data', other, '--port', '0'),
      )
      expect((await kt('verify', '--data', other)).code).toBe(0)
    },
    LONG,
  )
})

/** Kafka keeps nothing for a rebuild: one that retention has overtaken says so, and what can be done. */
const passedBy = async (data: string): Promise<void> => {
  const again = ['replay', '--from-topic', 'trade', 'book-delta', '--into', 'late', '--data', data]
  const { child, ended } = start(again)
  while (!existsSync(join(data, 'rebuilds', 'late', 'state', 'checkpoints'))) await pause(50)
  killTree(child)
  await ended
  await retain('again.', 'book-delta')
  const late = await kt(...again)
  expect([late.code, late.err]).toEqual([1, expect.stringMatching(/KT3002[^]*lake:[^]*--drop/) as string])
  expect((await kt('replay', '--into', 'late', '--drop', '--data', data)).code).toBe(0)
  // One that begins now says that it does not have all, and ends with findings.
  const short = await kt(...again)
  expect([short.code, short.err]).toEqual([
    2,
    expect.stringContaining('first rows of book-delta/0') as string,
  ])
}
