import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { servePart } from '../../deploy/driver/part.ts'
import type { Log } from '../../graph/port.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { runClickhouse } from '../../sinks/clickhouse/load.ts'
import type { Loading } from '../../sinks/clickhouse/load.ts'
import { connectTables } from '../../sinks/driver/clickhouse.ts'
import { loadGraph, planOf } from '../graph-file.ts'
import { openLog } from '../log.ts'
import { replicationAsked } from '../server.ts'
import { foldersOf } from '../settings.ts'
import { sinkLine, sinkStatus } from './lag.ts'
import { unreadableRecords } from './unreadable.ts'

/** The ClickHouse sinks of a run as a process. */
export interface ClickhouseSettings {
  readonly root: string
  readonly file: string
  readonly url: string
  readonly user: string
  readonly passwordFile: string | undefined
  /** When asked to stop, load what the log holds first, for at most this long. */
  readonly drainMs: number
}

/** From the death of the embedded server until every table has found it again, at most, on a slow machine. */
const EMBEDDED_BACK_MS = 20_000

await servePart<ClickhouseSettings>(async ({ root, file, url, user, passwordFile, drainMs }, parent) => {
  const folders = foldersOf(root)
  const plan = planOf(await loadGraph(file))
  const unreadable = await unreadableRecords(root)
  const log = await openLog(root, plan, unreadable)
  const password =
    passwordFile === undefined
      ? (process.env['KT_CLICKHOUSE_PASSWORD'] ?? '')
      : readFileSync(passwordFile, 'utf8').trim()
  const tables = connectTables({ url, user, password, replication: replicationAsked() })
  const loading = runClickhouse({
    log,
    tables,
    objects: fileStore(folders.objects),
    clock: systemClock(),
    sinks: plan.sinks.map(({ sink, topic }) => ({ topic: topic.name, partitions: topic.partitions, sink })),
    views: readFileSync(resolve(import.meta.dirname, '../../sql/clickhouse/views.sql'), 'utf8'),
    hold: (reader, positions) => log.hold(reader, positions),
    report: (change) => console.error(sinkLine(change)),
  })
  const tell = (): void => parent.status(statusOf(loading, unreadable.count()))
  const timer = setInterval(tell, 1000)
  return {
    facts: {},
    stop: async () => {
      const until = performance.now() + drainMs
      // The embedded server is started again when it dies, and tables that wait look for it soon.
      const patience = performance.now() + (passwordFile === undefined ? 0 : EMBEDDED_BACK_MS)
      loading.again()
      const hopeless = (): boolean => performance.now() >= patience && unreachable(loading)
      while (performance.now() < until && (await behind(loading, log)) && !hopeless()) await pause(100)
      clearInterval(timer)
      tell()
      await loading.stop()
      await tables.close()
      await log.close()
      await unreadable.close()
    },
  }
})

/**
 * Has the log records that are not in their tables? The log itself is asked: a status may be older than its
 * end.
 */
async function behind(loading: Loading, log: Log): Promise<boolean> {
  const ends = new Map((await log.ends()).map((end) => [`${end.topic}/${end.partition}`, end.next]))
  return loading
    .status()
    .some(({ topic, partitions }) =>
      partitions.some(({ partition, next }) => next < (ends.get(`${topic}/${partition}`) ?? 0)),
    )
}

/** Nothing more can be loaded now: every table waits for a server, and says why. */
function unreachable(loading: Loading): boolean {
  return loading.status().every((one) => one.state === 'waiting' && one.error !== undefined)
}

function statusOf(loading: Loading, unreadable: number): object {
  return sinkStatus(loading.status(), unreadable, ({ partitions }) => ({
    rows: partitions.reduce((sum, partition) => sum + partition.loadedRows, 0),
  }))
}
