import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { snake } from '../../graph/schema.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { parseInstrument, quote, trade } from '../../market/index.ts'
import { loadClient } from '../../runtime/driver/kafka-client.ts'
import { answer } from '../../runtime/driver/kafka-library.ts'
import type { KafkaMessage } from '../../runtime/driver/kafka-library.ts'
import { peerType } from '../runtime/avro-peer.ts'
import { onBroker } from '../runtime/kafka-suite.ts'
import { registryServer } from '../runtime/registry-server.ts'
import type { RegistryServer } from '../runtime/registry-server.ts'
import { pidOf, start, temporary } from './command.ts'
import { graphInFormats } from './formats-graph.ts'

const LONG = 300_000

let registry: RegistryServer
type Row = Readonly<Record<string, unknown>>

/** All that a plain consumer is given of a topic, as anybody would write one. */
const consumed = async (topic: string, atLeast: number): Promise<readonly KafkaMessage[]> => {
  const { KafkaConsumer } = loadClient()
  const consumer = new KafkaConsumer(
    {
      'bootstrap.servers': broker.address,
      'group.id': 'somebody',
      'isolation.level': 'read_committed',
      'enable.auto.commit': false,
    },
    { 'auto.offset.reset': 'earliest' },
  )
  await answer<unknown>((back) => consumer.connect({ timeout: 10_000 }, back))
  consumer.assign([{ topic, partition: 0, offset: 0 }])
  const all: KafkaMessage[] = []
  for (const until = Date.now() + 60_000; all.length < atLeast && Date.now() < until; await pause(5))
    all.push(...(await answer<readonly KafkaMessage[]>((back) => consumer.consume(1000, back))))
  await new Promise<void>((done) => consumer.disconnect(() => done()))
  return all
}

const headersOf = ({ headers = [] }: KafkaMessage): Readonly<Record<string, string>> =>
  Object.fromEntries(
    headers.flatMap((one) => Object.entries(one)).map(([key, value]) => [key, String(value)]),
  )

/** The rows of a table, as the log has them, by their offsets. */
const stored = async (of: AnySchema, data: string): Promise<ReadonlyMap<number, Row>> => {
  const columns = of.columns.map((column) =>
    column.kind === 'micros'
      ? `toUnixTimestamp64Micro(${snake(column.name)}) AS "${column.name}"`
      : `${snake(column.name)} AS "${column.name}"`,
  )
  const query = `SELECT _off, ${columns.join(', ')} FROM ${snake(of.name)}`
  const { out, err } = await start(['sql', query, '--format', 'json', '--data', data]).ended
  if (out === '') throw new Error(err)
  const rows = JSON.parse(out) as readonly Row[]
  return new Map(rows.map(({ _off, ...row }) => [Number(_off), plain(of, row)]))
}

/** SQL may have 64-bit numbers as texts. */
const plain = (of: AnySchema, row: Row): Row =>
  Object.fromEntries(
    of.columns.map(({ name: column, kind }) => {
      const value = row[column] ?? null
      return [column, value !== null && (kind === 'count' || kind === 'micros') ? Number(value) : value]
    }),
  )

const broker = onBroker('topics in JSON and Avro in Kafka', () => {
  beforeAll(async () => void (registry = await registryServer()))
  afterAll(() => registry.close())

  test(
    'are read by a plain consumer, row for row what ClickHouse holds, after a kill of the shard',
    async () => {
      using folder = temporary()
      const file = graphInFormats(folder.path, 'basis.ts', { trade: 'json', quote: 'avro' })
      const data = join(folder.path, 'data')
      const environment = {
        KT_KAFKA_BROKERS: broker.address,
        KT_KAFKA_PREFIX: 'open.',
        KT_SCHEMA_REGISTRY_URL: registry.url,
      }
      const sim = ['--source', 'sim', '--port', '0', '--pairs', '8', '--rate', '500', '--for', '25s']
      const { ended } = start(['graph', 'run', file, ...sim, '--data', data], environment)
      while (pidOf('part/shard.ts', data) === undefined) await pause(100)
      await pause(9000)
      process.kill(pidOf('part/shard.ts', data)!, 'SIGKILL')
      const { code, err } = await ended
      expect(code, err).toBe(0)
      const verified = await start(['verify', '--data', data]).ended
      expect(verified.code, verified.out + verified.err).toBe(0)

      const trades = await stored(trade, data)
      expect(trades.size).toBeGreaterThan(1000)
      const texts = await consumed('open.trade', trades.size)
      expect(texts).toHaveLength(trades.size)
      for (const message of texts) {
        const { _order, ...event } = JSON.parse(String(message.value)) as Row
        expect(event).toEqual(trades.get(message.offset))
        expect(String(message.key)).toBe(parseInstrument(String(event['instrument'])).pair)
        expect(headersOf(message)).toMatchObject({ 'kt-schema': 'trade/1+json', 'kt-rows': '1' })
        expect(_order).toBeTypeOf('number')
      }

      const quotes = await stored(quote, data)
      expect(quotes.size).toBeGreaterThan(500)
      const [version] = registry.versions('open.quote-value')
      const type = peerType(JSON.parse(version!.schema))
      const bytes = await consumed('open.quote', quotes.size)
      expect(bytes).toHaveLength(quotes.size)
      for (const { value, offset } of bytes) {
        expect([value![0], value!.readUInt32BE(1)]).toEqual([0, version!.id])
        const { _order, ...event } = { ...(type.fromBuffer(value!.subarray(5)) as Row) }
        expect(event).toEqual(quotes.get(offset))
        expect(_order).toBeTypeOf('number')
      }
      console.log(`${texts.length} trades in JSON and ${bytes.length} quotes in Avro, as ClickHouse has them`)
    },
    LONG,
  )
})
