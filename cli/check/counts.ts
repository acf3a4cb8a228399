import type { Plan } from '../../graph/plan.ts'
import type { AnyTopic } from '../../graph/topic.ts'
import type { Log } from '../../graph/port.ts'
import type { End } from '../../runtime/records.ts'
import type { ClickhouseSink } from '../../sinks/clickhouse/sink.ts'
import type { LakeReader } from '../../sinks/driver/duckdb.ts'
import { tableName } from '../../sinks/lake/schema.ts'
import {
  differences,
  inClickhouse,
  inLake,
  inLog,
  loadedInClickhouse,
  loadedInLake,
  rangesOf,
  there,
  within,
} from '../compare.ts'
import type { Holding, Loaded, Range } from '../compare.ts'
import type { Server } from '../server.ts'

/** What each holds of a topic. */
export interface Counted {
  readonly topic: string
  /** Rows that each holds; undefined where the topic is not sent to an engine. */
  readonly log: number
  readonly clickhouse: number | undefined
  readonly lake: number | undefined
  readonly digest: string
}

/** Who is asked; an engine that the graph has no sink for is not opened. */
export interface Engines {
  readonly log: Log
  readonly clickhouse: Server | undefined
  readonly lake: LakeReader | undefined
}

/** What the comparison of all topics came to. */
export interface Counts {
  readonly checked: readonly Counted[]
  readonly findings: readonly string[]
  /** Rows of the log that are on their way, summed over the engines. */
  readonly behind: number
}

/**
 * Compare the records of the log that lie between these ends with what the engines hold of them. `running`: a
 * run goes on, whose sinks are a little behind; then the rows that they have loaded are compared.
 */
export const compareCounts = async (
  plan: Plan,
  engines: Engines,
  ends: readonly End[],
  running: boolean,
  note: (text: string) => void,
): Promise<Counts> => {
  const checked: Counted[] = []
  const findings: string[] = []
  let behind = 0
  for (const topic of plan.topics) {
    note(`comparing ${topic.name}, ${checked.length + 1} of ${plan.topics.length}`)
    const ranges = rangesOf(ends, topic)
    const whole = await inLog(engines.log, topic, ranges)
    const rows: { clickhouse?: number; lake?: number } = {}
    for (const { engine, loaded, holding } of askedOf(plan, topic, engines)) {
      const cut = running ? cutAt(ranges, await loaded()) : ranges
      const held = running ? await inLog(engines.log, topic, cut) : whole
      const found = await holding(running ? cut : openEnded(cut))
      findings.push(...differences(topic.name, engine, held, found))
      rows[engine] = found.rows
      behind += whole.rows - held.rows
    }
    const { clickhouse, lake } = rows
    checked.push({ topic: topic.name, log: whole.rows, clickhouse, lake, digest: whole.digest })
  }
  return { checked, findings, behind }
}

/** What is compared while a run goes on: the records that the log had, and an engine has loaded. */
const cutAt = (ranges: readonly Range[], loaded: Loaded): readonly Range[] =>
  ranges.map((one) => ({ ...one, next: Math.min(one.next, loaded.get(one.partition) ?? one.first) }))

interface Asked {
  readonly engine: 'clickhouse' | 'lake'
  readonly table: string
  readonly ask: Ask
  readonly loaded: () => Promise<Loaded>
  readonly holding: (ranges: readonly Range[]) => Promise<Holding>
}

/** The engines that a topic is sent to, and how each is asked for its rows. */
const askedOf = ({ sinks }: Plan, topic: AnyTopic, { clickhouse, lake }: Engines): readonly Asked[] =>
  sinks
    .filter((one) => one.topic.name === topic.name)
    .flatMap(({ sink }): readonly Asked[] => {
      if (sink.engine === 'lake') {
        const table = tableName(topic.schema)
        if (lake === undefined) return []
        const loaded = () => loadedInLake(lake, topic, table)
        const holding = (ranges: readonly Range[]) => inLake(lake, topic, table, ranges)
        return [{ engine: 'lake', table, ask: lakeRows(lake), loaded, holding }]
      }
      const { table } = sink as ClickhouseSink
      if (clickhouse === undefined) return []
      const loaded = () => loadedInClickhouse(clickhouse, topic, table)
      const holding = (ranges: readonly Range[]) => inClickhouse(clickhouse, topic, table, ranges)
      return [{ engine: 'clickhouse', table, ask: clickhouseRows(clickhouse), loaded, holding }]
    })

/**
 * What a table has twice: rows in one place of the log, and rows that a venue gave one id (trades). Each
 * engine looks through all of its own rows of these records.
 */
export const twiceIn = async (
  plan: Plan,
  engines: Engines,
  ends: readonly End[],
): Promise<readonly string[]> => {
  const found: string[] = []
  for (const topic of plan.topics)
    for (const { engine, table, ask } of askedOf(plan, topic, engines)) {
      const where = `_topic = '${topic.name}' AND (${within(openEnded(rangesOf(ends, topic)))})`
      for (const key of keysOf(topic)) {
        const twice = `SELECT ${key} FROM "${table}" WHERE ${where} GROUP BY ${key} HAVING count(*) > 1`
        const rows = (await ask(`${twice} LIMIT ${SAID_MAX + 1}`)).map((row) => Object.values(row).join(' '))
        const said = [...rows.slice(0, SAID_MAX), ...(rows.length > SAID_MAX ? ['and more'] : [])]
        if (rows.length > 0) found.push(`${topic.name}: ${engine} has twice, by ${key}: ${said.join(', ')}`)
      }
    }
  return found
}

const SAID_MAX = 5

const openEnded = (ranges: readonly Range[]): readonly Range[] =>
  ranges.map((one) => ({ ...one, next: Infinity }))

const keysOf = ({ schema }: AnyTopic): readonly string[] =>
  schema.name === 'trade' ? ['_part, _off, _row', 'instrument, id'] : ['_part, _off, _row']

type Ask = (query: string) => Promise<readonly Readonly<Record<string, unknown>>[]>

const lakeRows =
  (lake: LakeReader): Ask =>
  async (query) =>
    (await lake.query(query)).rows

const clickhouseRows =
  (server: Server): Ask =>
  async (query) => {
    const settings = { max_bytes_before_external_group_by: '268435456' } as const
    const asked = server.client.query({ query, format: 'JSONEachRow', clickhouse_settings: settings })
    return (await (await there(asked))?.json()) ?? []
  }
