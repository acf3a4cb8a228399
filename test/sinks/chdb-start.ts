import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createClient } from '@clickhouse/client'
import type { ClickHouseClient, ClickHouseClientConfigOptions } from '@clickhouse/client'
import { startChdb } from '../../sinks/driver/chdb.ts'
import type { ChdbOptions, RunningChdb } from '../../sinks/driver/chdb.ts'

export interface Started {
  readonly chdb: RunningChdb
  readonly dir: string
  readonly password: () => string
  /** A plain client, as a user would make it. */
  client(options?: ClickHouseClientConfigOptions): ClickHouseClient
  end(): Promise<void>
}

/** A fresh embedded ClickHouse on any port, or nothing where chDB is not installed. */
export const start = async (options: Partial<ChdbOptions> = {}): Promise<Started | undefined> => {
  const dir = mkdtempSync(join(tmpdir(), 'kt-chdb-'))
  const chdb = await startChdb({ dir, port: 0, ...options })
  const remove = () => rmSync(dir, { recursive: true, force: true })
  if (chdb.kind === 'absent') return void remove()
  const clients: ClickHouseClient[] = []
  const password = () => readFileSync(chdb.passwordFile, 'utf8').trim()
  return {
    chdb,
    dir,
    password,
    client(more = {}) {
      // 127: the client's own log stays silent about errors that a test provokes.
      const client = createClient({
        url: chdb.url,
        password: password(),
        database: 'kt',
        log: { level: 127 },
        ...more,
      })
      clients.push(client)
      return client
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

/** Basic auth of the only user. */
export const basic = (password: string) => ({
  authorization: `Basic ${Buffer.from(`default:${password}`).toString('base64')}`,
})
