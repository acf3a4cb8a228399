import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { brokerDown, brokerUp } from '../../bin/kafka.ts'
import { loadGraph, planOf } from '../../cli/graph-file.ts'
import { foldersOf } from '../../cli/settings.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { kafkaLog } from '../../runtime/driver/kafka-log.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { shardOf } from '../../runtime/producer.ts'
import { startChdb } from '../../sinks/driver/chdb.ts'
import { connectTables } from '../../sinks/driver/clickhouse.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { start } from '../e2e/command.ts'
import { messagesOf } from './kafka-messages.ts'
import { toldOf } from './rows.ts'

/**
 * What a release leaves in a data folder and in Kafka beside its log: `node test/history/make-sinks.ts`, once
 * for each version, as make.ts. A run of a small graph, of which the topic of trades is kept.
 */
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string }
const to = join(import.meta.dirname, version)
const FILE = 'test/history/small-graph.ts'
const plan = planOf(await loadGraph(FILE))
const topic = plan.topics.find(({ name }) => name === 'trade')!
const columns = topic.schema.columns.map((column) => column.name)

const text = (path: string, value: unknown): void =>
  writeFileSync(path, `${JSON.stringify(value, null, 1)}\n`, { flag: 'wx' })

const RUN = '--source sim --port 0 --pairs 2 --rate 120 --for 6s --faults malformed=0.1'.split(' ')

const runOf = async (folder: string, environment: Readonly<Record<string, string>> = {}): Promise<void> => {
  const { code, err } = await start(['graph', 'run', FILE, '--data', folder, ...RUN], environment).ended
  if (code !== 0) throw new Error(err)
}

/** Where this machine keeps things is nobody's business. */
const keepRun = (folder: string, kept: string): void => {
  const run = readFileSync(join(folder, 'run.json'), 'utf8')
  const named = run.replaceAll(folder, '/run').replaceAll(resolve('.'), '/kt')
  writeFileSync(join(kept, 'run.json'), named, { flag: 'wx' })
}

/** The statement that makes the table of trades, with its identity. */
const tableOf = async (folder: string): Promise<Readonly<Record<string, unknown>>> => {
  const chdb = await startChdb({ dir: foldersOf(folder).clickhouse, port: 0 })
  if (chdb.kind === 'absent') throw new Error('no embedded ClickHouse')
  const tables = connectTables({ url: chdb.url, password: readFileSync(chdb.passwordFile, 'utf8').trim() })
  const sql = `SELECT toString(uuid) AS uuid, create_table_query AS made FROM system.tables
    WHERE database = 'kt' AND name = 'trade'`
  const [row] = await tables.query(sql, {})
  await tables.close()
  await chdb.stop()
  return row!
}

const localOf = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'kt-history-'))
  const kept = join(to, 'small')
  if (existsSync(kept)) throw new Error(`${kept} is there`)
  await runOf(folder)
  const table = await tableOf(folder)
  const parts = ['log', 'dead-letters', 'state/positions/clickhouse/sinks']
  for (const part of [...parts, `state/positions/clickhouse/${String(table['uuid'])}`])
    cpSync(join(folder, part), join(kept, part), { recursive: true })
  for (const gone of ['holds', 'lock.1']) rmSync(join(kept, 'log', gone), { recursive: true, force: true })
  keepRun(folder, kept)
  const log = await segmentLog(foldersOf(folder).log)
  const sinks = plan.sinks
    .filter(({ sink }) => sink.name === 'lake.trade')
    .map(({ sink }) => ({ topic: 'trade', partitions: topic.partitions, sink: { ...sink, rollMs: 2000 } }))
  const places = { objects: fileStore(join(kept, 'lake')), positions: fileStore(foldersOf(kept).objects) }
  const run = { ...places, graph: plan.name, log, clock: systemClock(), format: parquet, sinks }
  const load = runLake({ ...run, cut: 'events', checkpointEvery: 3 })
  await load.drain()
  const lake = load.status()[0]!.partitions.map(({ next }) => next)
  text(join(kept, 'told.json'), { rows: await toldOf(log, topic, columns), table, lake })
  await log.close()
  rmSync(folder, { recursive: true, force: true })
}

const kafkaOf = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'kt-history-'))
  const kept = join(to, 'kafka')
  const { port } = await brokerUp(join(folder, 'broker'))
  const brokers = `127.0.0.1:${port}`
  await runOf(join(folder, 'run'), { KT_KAFKA_BROKERS: brokers, KT_KAFKA_PREFIX: 'h.' })
  const log = await kafkaLog({ brokers, prefix: 'h.' })
  const rows = await toldOf(log, topic, columns)
  const messages = await messagesOf(brokers, [
    { name: 'h.trade', partitions: topic.partitions },
    { name: 'h.kt.shards', partitions: 16 },
  ])
  const shard = shardOf(plan.stages[0]!)
  const writer = await log.write(shard)
  mkdirSync(kept)
  text(join(kept, 'messages.json'), messages)
  text(join(kept, 'told.json'), { rows, shard, last: writer.last, epoch: writer.epoch - 1 })
  keepRun(join(folder, 'run'), kept)
  await writer.close()
  await log.close()
  await brokerDown(join(folder, 'broker'))
  rmSync(folder, { recursive: true, force: true })
}

const asked = process.argv.slice(2)
if (asked.length === 0 || asked.includes('small')) await localOf()
if (asked.length === 0 || asked.includes('kafka')) await kafkaOf()
