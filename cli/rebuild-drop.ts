import { rmSync } from 'node:fs'
import { KtError } from '../graph/error.ts'
import { shardOf } from '../runtime/producer.ts'
import { claimFolder } from './claim.ts'
import { lookAtLog } from './look.ts'
import { planned } from './rebuild.ts'
import { onCluster } from '../sinks/clickhouse/replication.ts'
import { replicationBeside } from './server.ts'
import type { Server } from './server.ts'
import type { RunFile } from './settings.ts'

/**
 * Remove what was made again: its database, its folder, and what the run's log keeps for it. Throws KT6416
 * while views read it.
 */
export const dropRebuild = async (
  server: Server | undefined,
  database: string,
  folder: string,
  { file, rebuild: made }: RunFile,
): Promise<void> => {
  const release = await claimFolder(folder)
  try {
    if (server !== undefined) {
      const query = `SELECT name FROM system.tables
        WHERE database = 'kt' AND engine = 'View' AND position(create_table_query, '${database}.') > 0`
      const [view] = await (
        await server.client.query({ query, format: 'JSONEachRow' })
      ).json<{ readonly name: string }>()
      if (view !== undefined) throw isRead(view.name, database)
      await server.client.command({
        query: `DROP DATABASE IF EXISTS ${database}${onCluster(replicationBeside())}`,
      })
    }
    const { rebuild, sinks } = await planned(file, made?.topics ?? [])
    const readers = [...rebuild.runs.map(shardOf), ...sinks.map(({ sink }) => sink.name)]
    const log = await lookAtLog(made?.where ?? folder)
    for (const reader of readers) await log.hold(`${folder}/${reader}`, undefined)
    await log.close()
  } finally {
    await release()
  }
  rmSync(folder, { recursive: true, force: true })
}

const isRead = (view: string, database: string): KtError =>
  new KtError('KT6416', `view "${view}" reads what would be dropped`, {
    where: database,
    fix: 'Point the views elsewhere first: kt replay --into live --switch.',
  })
