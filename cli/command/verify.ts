import { createHash } from 'node:crypto'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import type { ClickhouseSink } from '../../sinks/clickhouse/sink.ts'
import { tableName } from '../../sinks/lake/schema.ts'
import { differences, inClickhouse, inLake, inLog } from '../compare.ts'
import type { Holding } from '../compare.ts'
import { loadGraph, planOf } from '../graph-file.ts'
import { openLake } from '../lake.ts'
import { EXIT, print, printJson } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { openServer } from '../server.ts'
import { foldersOf, oneOf, runFolder } from '../settings.ts'
import { table } from '../table.ts'

interface VerifyOptions extends GlobalOptions {
  readonly digest?: boolean
  readonly on: string
  readonly data?: string
}

interface Checked {
  readonly topic: string
  readonly log: number
  readonly clickhouse: number | undefined
  readonly lake: number | undefined
  readonly digest: string
}

/** Host times are no part of a run's identity. */
const NOT_IDENTITY = new Set(['latency'])

/**
 * Compare the log with what its sinks hold, row for row and value for value; the gap ledger is summed up
 * beside it.
 */
export const verify = async (options: VerifyOptions): Promise<number> => {
  const { root, run } = runFolder(options.data)
  const on = oneOf(options.on, '--on', ['both', 'clickhouse', 'lake'])
  const plan = planOf(await loadGraph(run.file))
  const log = await segmentLog(foldersOf(root).log)
  const server = on === 'lake' ? undefined : await openServer(root)
  const lake = on === 'clickhouse' ? undefined : await openLake(root)
  const checked: Checked[] = []
  const findings: string[] = []
  for (const topic of plan.topics) {
    const held = await inLog(log, topic)
    const sinks = plan.sinks.filter((one) => one.topic.name === topic.name)
    const found: { clickhouse?: Holding; lake?: Holding } = {}
    for (const { sink } of sinks) {
      if (sink.engine === 'clickhouse' && server !== undefined)
        found.clickhouse = await inClickhouse(server, topic, (sink as ClickhouseSink).table, held.first)
      if (sink.engine === 'lake' && lake !== undefined)
        found.lake = await inLake(lake, topic, tableName(topic.schema), held.first)
    }
    for (const [engine, other] of Object.entries(found))
      findings.push(...differences(topic.name, engine, held, other))
    checked.push({
      topic: topic.name,
      log: held.rows,
      clickhouse: found.clickhouse?.rows,
      lake: found.lake?.rows,
      digest: held.digest,
    })
  }
  lake?.close()
  await server?.close()
  await log.close()
  return report(checked, findings, options)
}

const report = (checked: readonly Checked[], findings: readonly string[], options: VerifyOptions): number => {
  const identity = createHash('sha256')
  for (const { topic, digest } of checked)
    if (!NOT_IDENTITY.has(topic.replace(/^kt\./, ''))) identity.update(`${topic} ${digest}\n`)
  const digest = identity.digest('hex')
  if (options.json === true) printJson({ ok: findings.length === 0, digest, topics: checked, findings })
  else {
    const cell = (count: number | undefined): unknown => count ?? '-'
    const rows = checked.map((one) => [
      one.topic,
      one.log,
      cell(one.clickhouse),
      cell(one.lake),
      ...(options.digest === true ? [one.digest.slice(0, 16)] : []),
    ])
    print(table(['topic', 'log', 'clickhouse', 'lake', ...(options.digest === true ? ['digest'] : [])], rows))
    for (const finding of findings) print(`! ${finding}`)
    if (options.digest === true) print(`digest ${digest}`)
    print(
      findings.length === 0
        ? 'log = ClickHouse = lake, row for row: 0 lost, 0 duplicated'
        : `${findings.length} findings`,
    )
  }
  return findings.length === 0 ? EXIT.ok : EXIT.findings
}
