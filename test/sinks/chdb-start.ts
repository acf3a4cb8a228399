import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createClient } from '@clickhouse/client'
import type { ClickHouseClient, ClickHouseClientConfigOptions } from '@clickhouse/client'
import { startChdb } from '../../sinks/driver/chdb.ts'
import type { ChdbOptions } from '../../sinks/driver/chdb.ts'
import { connectTables } from '../../sinks/driver/clickhouse.ts'
import type { ClickhouseServer, ConnectedTables } from '../../sinks/driver/clickhouse.ts'
import { startListener } from './chdb-listener.ts'
import type { Embedded } from './chdb-listener.ts'

export interface Started {
  readonly chdb: Embedded
  readonly dir: string
  readonly password: () => string
  /** A plain client, as a user would make it. */
  client(options?: ClickHouseClientConfigOptions): ClickHouseClient
  /** As a sink connects. */
  tables(options?: Partial<ClickhouseServer>): ConnectedTables
  end(): Promise<void>
}

/** kt's own front, or with `KT_ENGINE=listener` the HTTP listener of ClickHouse itself. */
export const engine: string = process.env['KT_ENGINE'] ?? 'front'

const engineIn = async (dir: string, options: Partial<ChdbOptions>): Promise<Embedded | undefined> => {
  if (engine === 'listener') return startListener(dir, options)
  const chdb = await startChdb({ dir, port: 0, ...options })
  return chdb.kind === 'absent' ? undefined : chdb
}

/** A fresh embedded ClickHouse on any port, or nothing where it cannot run. */
export const start = async (options: Partial<ChdbOptions> = {}): Promise<Started | undefined> => {
  const dir = mkdtempSync(join(tmpdir(), 'kt-chdb-'))
  const chdb = await engineIn(dir, options)
  const remove = () => rmSync(dir, { recursive: true, force: true })
  if (chdb === undefined) return void remove()
  const clients: { close(): Promise<void> }[] = []
  const password = () => readFileSync(chdb.passwordFile, 'utf8').trim()
  return {
    chdb,
    dir,
    password,
    client(more = {}) {
      // 127: the client's own log stays silent about errors that a test provokes.
      const client = createClient({
        url: chdb.url,
        username: chdb.user,
        password: password(),
        database: 'kt',
        log: { level: 127 },
        ...more,
      })
      clients.push(client)
      return client
    },
    tables(more = {}) {
      const tables = connectTables({ url: chdb.url, user: chdb.user, password: password(), ...more })
      clients.push(tables)
      return tables
    },
    async end() {
      for (const client of clients) await client.close()
      await chdb.stop()
      remove()
    },
  }
}

/** Rows of a query, as JSON. */
export const rowsOf = async (
  client: ClickHouseClient,
  query: string,
  more: object = {},
): Promise<readonly unknown[]> => {
  const answer = await client.query({ query, format: 'JSONCompactEachRow', ...more })
  return (await answer.json()) as readonly unknown[]
}

/** Insert bytes in a binary format. */
export const insertBytes = async (
  client: ClickHouseClient,
  statement: string,
  bytes: Uint8Array,
  more: object = {},
) => {
  const { stream, summary } = await client.exec({
    query: statement,
    values: Readable.from([Buffer.from(bytes)]),
    ...more,
  })
  for await (const _ of stream) continue
  return summary
}

/** Basic auth, of the front's only user if none is named. */
export const basic = (password: string, user = 'default') => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})
