// One listener to `bench/socket/venue.ts` that writes to Kafka, and is done when all is acknowledged:
// `node bench/socket/to-kafka.ts kt 40000 100000 127.0.0.1:9092 prefix.`
// The CPU time of this process alone counts, from half of the messages on.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { systemClock } from '../../runtime/driver/clock.ts'
import { joinHotCode } from '../../runtime/driver/engine.ts'
import { clientFolder } from '../../runtime/driver/kafka-client.ts'
import { kafkaLog } from '../../runtime/driver/kafka-log.ts'
import { openNet } from '../../sources/driver/net.ts'
import type { Heard } from '../goal/socket.ts'
import { channelsOf, ktShard, marketOf, still } from '../kt.ts'
import { ownCpuNs } from '../measure.ts'
import { naivePipeline } from '../naive.ts'
import { loadPeer } from '../peer/install.ts'

joinHotCode()
const [name = 'kt', port = '0', count = '100000', brokers = '', prefix = ''] = process.argv.slice(2)
const [wanted, address] = [Number(count), `127.0.0.1:${port}`]
const warm = Math.floor(wanted / 2)

let [heard, beganNs] = [0, 0]
const last = (): boolean => {
  heard += 1
  if (heard === warm) beganNs = ownCpuNs()
  return heard === wanted
}
const over = (ended: Heard['ended']): void => {
  const message: Heard = { cpuNs: (ownCpuNs() - beganNs) / (wanted - warm), ended }
  process.send?.(message, () => process.exit(0))
}

/** kt's own path: a shard whose steps are transactions, with its epoch and where it stands in them. */
const kt = async (): Promise<void> => {
  const log = await kafkaLog({ brokers, prefix, shardPartitions: 1 })
  const writer = await log.write('bench')
  let step = 0
  let acknowledged: Promise<unknown> = Promise.resolve()
  const { host, tick, end } = ktShard('binance.spot', 'all', (records) => {
    // What is handed over lies in memory that the next step uses again.
    const kept = records.map((record) => ({ ...record, bytes: record.bytes.slice() }))
    acknowledged = writer.append({ shard: 'bench', step: ++step, time: step, inputs: [], records: kept })
  })
  const clock = systemClock()
  marketOf('binance.spot').open(
    {
      ...{ ...still, ...host, clock, net: openNet({ clock }) },
      frame: (frame) => {
        host.frame(frame)
        tick()
        // A book's beginning comes over REST, which is connection 0.
        if (frame.connection === 0 || !last()) return
        const ended = end()
        void acknowledged.then(() => over(ended))
      },
    },
    {
      channels: channelsOf('all'),
      universe: { pairs: ['BTC-USDT'] },
      endpoint: { socket: `ws://${address}`, rest: `http://${address}` },
      owns: () => true,
    },
  )
}

interface Official {
  readonly KafkaJS: {
    readonly Kafka: new (settings: object) => {
      readonly producer: (settings: object) => {
        readonly connect: () => Promise<void>
        readonly send: (sent: object) => Promise<unknown>
        readonly flush: (options: object) => Promise<void>
      }
    }
  }
}

interface Socket {
  on(event: 'open', call: () => void): void
  on(event: 'message', call: (bytes: Buffer) => void): void
  send(text: string): void
}

/** What one writes first: `ws`, JSON.parse, and a `send` of the official client for each event. */
const each = async (): Promise<void> => {
  const official = createRequire(join(clientFolder(), 'index.js'))(
    '@confluentinc/kafka-javascript',
  ) as Official
  const { Kafka } = official.KafkaJS
  const producer = new Kafka({ kafkaJS: { brokers: [brokers] } }).producer({ kafkaJS: { idempotent: true } })
  await producer.connect()
  const sending = new Set<Promise<unknown>>()
  const pipeline = naivePipeline((line) => {
    const sent: Promise<unknown> = producer
      .send({ topic: `${prefix}events`, messages: [{ value: line }] })
      .finally(() => sending.delete(sent))
    sending.add(sent)
  })
  const { WebSocket } = (await loadPeer('ws')) as {
    readonly WebSocket: new (url: string, options: object) => Socket
  }
  const asked = await fetch(`http://${address}/api/v3/depth`)
  const seed = Buffer.from(await asked.arrayBuffer())
  pipeline.take({ received: Date.now() * 1000, symbol: 'BTCUSDT', bytes: seed, channel: 'seed' })
  const options = { perMessageDeflate: false, skipUTF8Validation: true }
  const socket = new WebSocket(`ws://${address}/stream`, options)
  socket.on('open', () => socket.send('{"method":"SUBSCRIBE","params":[],"id":1}'))
  socket.on('message', (bytes) => {
    const letter = bytes[19]
    if (letter !== 116 && letter !== 100) return
    const channel = letter === 116 ? 'trade' : 'book'
    pipeline.take({ bytes, received: Date.now() * 1000, channel, symbol: 'BTCUSDT' })
    if (last()) void Promise.all(sending).then(() => over(pipeline.end()))
  })
}

await (name === 'kt' ? kt() : each())
