import { createClient } from '@clickhouse/client'
import type { ClickHouseClient } from '@clickhouse/client'
import { existsSync, readFileSync } from 'node:fs'
import { HostError } from '../graph/error.ts'
import { replicationOf } from '../sinks/clickhouse/replication.ts'
import type { Replication } from '../sinks/clickhouse/replication.ts'
import { startChdb } from '../sinks/driver/chdb.ts'
import { foldersOf, loadRun } from './settings.ts'

/**
 * A ClickHouse to ask: the one of a live run, the one that is named, or the embedded one, opened for this
 * command.
 */
export interface Server {
  readonly client: ClickHouseClient
  readonly url: string
  readonly user: string
  readonly password: string
  readonly close: () => Promise<void>
}

/** How the tables of a server that is named are replicated, as it was asked. The embedded one is alone. */
export const replicationAsked = (): Replication | undefined =>
  process.env['KT_CLICKHOUSE_URL'] === undefined
    ? undefined
    : replicationOf(process.env['KT_CLICKHOUSE_REPLICATED'])

/**
 * As `replicationAsked`, for a database of its own that is made beside: only the statement for a cluster can
 * make one that is replicated.
 */
export const replicationBeside = (): Replication | undefined => {
  const asked = replicationAsked()
  return asked?.cluster === undefined ? undefined : asked
}

/** `answering`: the embedded one is not opened, because a run has it, or is just starting it again. */
export const openServer = async (root: string, which: 'any' | 'answering' = 'any'): Promise<Server> => {
  const own = loadRun(root)?.clickhouse
  const { database = 'kt', of = root } = own ?? {}
  // What was made again beside a run lies in the server of that run, wherever it listens now.
  const run = of === root ? { clickhouse: own } : loadRun(of)
  const url = process.env['KT_CLICKHOUSE_URL'] ?? run?.clickhouse?.url
  const user = process.env['KT_CLICKHOUSE_USER'] ?? run?.clickhouse?.user ?? 'default'
  const password = (): string => {
    const file = run?.clickhouse?.passwordFile
    return file !== undefined && existsSync(file)
      ? readFileSync(file, 'utf8').trim()
      : (process.env['KT_CLICKHOUSE_PASSWORD'] ?? '')
  }
  if (url !== undefined) {
    const client = connect(url, user, password(), database)
    if ((await client.ping()).success)
      return { client, url, user, password: password(), close: () => client.close() }
    await client.close()
  }
  if (which === 'answering') throw silent(url)
  const chdb = await startChdb({ dir: foldersOf(of).clickhouse, port: 0 })
  if (chdb.kind === 'absent') {
    throw new HostError('KT6901', 'there is no ClickHouse to ask', {
      why: `${url ?? 'no server was named'} does not answer, and the embedded one is absent: ${chdb.why}`,
      fix: 'Ask the lake with --on lake, or set KT_CLICKHOUSE_URL.',
      retry: 'never',
    })
  }
  const secret = readFileSync(chdb.passwordFile, 'utf8').trim()
  const client = connect(chdb.url, chdb.user, secret, database)
  return {
    client,
    url: chdb.url,
    user: chdb.user,
    password: secret,
    close: async () => {
      await client.close()
      await chdb.stop()
    },
  }
}

const silent = (url: string | undefined): HostError =>
  new HostError('KT6903', 'the ClickHouse of the run does not answer', {
    ...(url === undefined ? {} : { where: url }),
    why: 'It died and is being started again, or the machine is too busy.',
    fix: 'Ask again in a moment; rows wait in the log meanwhile.',
    retry: { afterMs: 1000 },
  })

/** A server that was there a moment ago; undefined: the error is about something else. */
export const gone = (error: unknown, url: string): HostError | undefined => {
  const { code } = error as { readonly code?: unknown }
  if (code !== 'ECONNREFUSED' && code !== 'ECONNRESET') return undefined
  return new HostError('KT6902', 'ClickHouse went away while it was asked', {
    where: url,
    why: 'The run that it belongs to ended, or it died and is being started again.',
    fix: 'Run the same command again: it opens the embedded one itself when no run has it.',
    retry: { afterMs: 1000 },
    cause: error,
  })
}

const connect = (url: string, username: string, password: string, database: string): ClickHouseClient =>
  createClient({
    url,
    username,
    password,
    database,
    request_timeout: 300_000,
    application: 'kt',
    log: { level: 127 },
  })
