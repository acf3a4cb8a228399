import { writeSync } from 'node:fs'
import { kafkaLog } from '../../runtime/driver/kafka-log.ts'
import { stepOf } from './steps.ts'

/** A process that can be killed: steps without end, up to 8 on their way, each said when it is durable. */
const [brokers, prefix] = process.argv.slice(2) as [string, string]
const say = (line: string): void => void writeSync(1, `${line}\n`)
const log = await kafkaLog({ brokers, prefix, commitEveryMs: 20, shardPartitions: 1 })
const writer = await log.write('a')
say(`began ${writer.epoch} ${writer.last?.step ?? 0}`)
let step = writer.last?.step ?? 0
const flight: Promise<void>[] = []
for (;;) {
  const next = ++step
  flight.push(writer.append(stepOf('a', next, ['t', 'u'], 200)).then(() => say(`acked ${next}`)))
  if (flight.length >= 8) await flight.shift()
}
