import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadGraph, planOf } from '../../cli/graph-file.ts'
import { loadRun } from '../../cli/settings.ts'
import type { LogWriter } from '../../graph/port.ts'
import { kafkaLog } from '../../runtime/driver/kafka-log.ts'
import { onBroker } from '../runtime/kafka-suite.ts'
import { sendAll } from './kafka-messages.ts'
import type { Message } from './kafka-messages.ts'
import { toldOf } from './rows.ts'
import type { Told } from './rows.ts'

/** What a release left in Kafka, and said of it. */
interface Left {
  readonly rows: Told
  readonly shard: string
  readonly last: LogWriter['last']
  readonly epoch: number
}

const plan = planOf(await loadGraph('test/history/small-graph.ts'))
const topic = plan.topics.find(({ name }) => name === 'trade')!
const releases = readdirSync(import.meta.dirname).filter((name) =>
  existsSync(join(import.meta.dirname, name, 'kafka')),
)

const broker = onBroker('what a release wrote to Kafka', () => {
  test.each(releases)(
    'of %s is read, and its shard goes on behind its last step',
    async (release) => {
      const left = join(import.meta.dirname, release, 'kafka')
      const json = <T>(name: string): T => JSON.parse(readFileSync(join(left, name), 'utf8')) as T
      const told = json<Left>('told.json')
      const { prefix } = loadRun(left)!.kafka!
      const brokers = broker.address
      const making = await kafkaLog({ brokers, prefix, topic: () => ({ partitions: topic.partitions }) })
      await making.topics.ensure([
        { topic: 'trade', partition: topic.partitions - 1 },
        { topic: 'kt.shards', partition: 15 },
      ])
      await making.close()
      await sendAll(brokers, json<readonly Message[]>('messages.json'))

      const log = await kafkaLog({ brokers, prefix })
      expect(await toldOf(log, topic, told.rows.columns)).toEqual(told.rows)
      const writer = await log.write(told.shard)
      expect(writer.last).toEqual(told.last)
      expect(writer.epoch).toBeGreaterThan(told.epoch)
      const { step, time, inputs } = told.last!
      await writer.append({ shard: told.shard, step: step + 1, time, inputs, records: [] })
      await writer.close()
      const next = await log.write(told.shard)
      expect(next.last).toEqual({ step: step + 1, time, inputs })
      await next.close()
      await log.close()
    },
    120_000,
  )
})
