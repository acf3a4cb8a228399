import type { KtError } from '../graph/error.ts'
import { HostError } from '../graph/error.ts'
import type { Plan, SinkPlan } from '../graph/plan.ts'
import { fileStore } from '../runtime/driver/files.ts'
import type { End } from '../runtime/records.ts'
import { claimedTo, loadedTo } from '../sinks/clickhouse/position.ts'
import type { ClickhouseSink } from '../sinks/clickhouse/sink.ts'
import { parquet } from '../sinks/driver/parquet.ts'
import { DeltaLog } from '../sinks/lake/delta.ts'
import { tableName } from '../sinks/lake/schema.ts'
import type { AnyLakeSink } from '../sinks/lake.ts'
import { appIdOf } from '../sinks/lake/table.ts'
import { endOf } from './lag.ts'
import type { Reading } from './lag.ts'
import { openStore } from './lake-store.ts'
import { gone, openServer } from './server.ts'
import type { Server } from './server.ts'
import { foldersOf } from './settings.ts'

/** How far sinks have come, and what could not be asked. */
export interface SinkReadings {
  readonly readings: readonly Reading[]
  /** Engines that do not answer: of ClickHouse the positions are then those of its claims. */
  readonly silent: readonly { readonly engine: 'clickhouse' | 'lake'; readonly error: KtError }[]
}

const partitionsOf = ({ topic }: SinkPlan): readonly number[] =>
  Array.from({ length: topic.partitions }, (_, partition) => partition)

/**
 * Where each ClickHouse sink of a plan stands, as its table tells. While a run is on, only its own server is
 * asked: else the embedded one is opened for the question.
 */
export const clickhouseReadings = async (
  root: string,
  plan: Plan,
  ends: readonly End[],
  running: boolean,
): Promise<SinkReadings> => {
  const sinks = plan.sinks.filter(({ sink }) => sink.engine === 'clickhouse')
  if (sinks.length === 0) return { readings: [], silent: [] }
  const objects = fileStore(foldersOf(root).objects)
  let server: Server | undefined
  try {
    server = await openServer(root, running ? 'answering' : 'any')
    const tables = asking(server)
    const readings: Reading[] = []
    for (const { sink, topic } of sinks) {
      const nexts = await loadedTo(tables, objects, sink as ClickhouseSink, topic.name, topic.partitions)
      readings.push(reading('clickhouse', sink.name, topic.name, nexts, ends))
    }
    return { readings, silent: [] }
  } catch (thrown) {
    const error = gone(thrown, server?.url ?? '') ?? thrown
    if (!(error instanceof HostError)) throw error
    const readings: Reading[] = []
    for (const one of sinks) {
      const of = (partition: number) => claimedTo(objects, { topic: one.topic.name, partition })
      const nexts = await Promise.all(partitionsOf(one).map(of))
      readings.push(reading('clickhouse', one.sink.name, one.topic.name, nexts, ends))
    }
    return { readings, silent: [{ engine: 'clickhouse', error }] }
  } finally {
    await server?.close()
  }
}

const asking = ({ client }: Server): Parameters<typeof loadedTo>[0] => ({
  query: async (query, parameters) => {
    const settings = { output_format_json_quote_64bit_integers: 1 } as const
    const asked = { query, query_params: { ...parameters }, clickhouse_settings: settings }
    return (await client.query({ ...asked, format: 'JSONEachRow' })).json()
  },
})

/** Where each lake sink of a plan stands, as its table tells. */
export const lakeReadings = async (root: string, plan: Plan, ends: readonly End[]): Promise<SinkReadings> => {
  const sinks = plan.sinks.filter(({ sink }) => sink.engine === 'lake')
  if (sinks.length === 0) return { readings: [], silent: [] }
  const store = await openStore(foldersOf(root).lake)
  try {
    const readings = await Promise.all(
      sinks.map(async (one) => {
        const sink = one.sink as AnyLakeSink
        const log = new DeltaLog(store.objects, tableName(sink.schema), parquet.checkpoint)
        await log.refresh()
        const of = (partition: number) => log.position(appIdOf(sink, { topic: one.topic.name, partition }))
        return reading('lake', sink.name, one.topic.name, partitionsOf(one).map(of), ends)
      }),
    )
    return { readings, silent: [] }
  } catch (error) {
    if (!(error instanceof HostError)) throw error
    return { readings: [], silent: [{ engine: 'lake', error }] }
  } finally {
    store.close()
  }
}

/** A sink that holds nothing of a partition begins with the first record that is kept. */
const reading = (
  kind: 'clickhouse' | 'lake',
  reader: string,
  topic: string,
  nexts: readonly number[],
  ends: readonly End[],
): Reading => ({
  reader,
  kind,
  positions: nexts.map((next, partition) => ({
    topic,
    partition,
    offset: next === 0 ? endOf(ends, topic, partition).first : next,
  })),
})
