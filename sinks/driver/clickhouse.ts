import { Readable } from 'node:stream'
import { createClient } from '@clickhouse/client'
import type { ClickHouseClient } from '@clickhouse/client'
import { HostError } from '../../graph/error.ts'
import { snake } from '../../graph/schema.ts'
import { stored } from '../arrow.ts'
import { NativeBlocks } from '../clickhouse/native.ts'
import { QUORUM } from '../clickhouse/replication.ts'
import type { Replication } from '../clickhouse/replication.ts'
import { quoted } from '../clickhouse/table.ts'
import type { Label, Row, Tables } from '../clickhouse/tables.ts'

export interface ClickhouseServer {
  /** `http://127.0.0.1:8123`; `https` for a server elsewhere. */
  readonly url: string
  readonly database?: string
  readonly user?: string
  readonly password?: string
  /** How long a statement may stay without an answer. Default 60000. */
  readonly timeoutMs?: number
  readonly replication?: Replication | undefined
}

/** Tables of a ClickHouse server, or of the embedded one. */
export interface ConnectedTables extends Tables {
  readonly close: () => Promise<void>
}

/**
 * One block, however many rows: a block is a part, and a part is there whole or not at all. What hangs on a
 * table is fed once under a token, too, where it has a window for tokens; servers differ in their default.
 */
const ONE_BLOCK = {
  async_insert: 0,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  max_insert_block_size: '100000000',
  min_insert_block_size_rows: '100000000',
  min_insert_block_size_bytes: '10000000000',
  input_format_parallel_parsing: 0,
  max_insert_threads: '1',
} as const

/** Talk to a ClickHouse over HTTP. Nothing is asked before the first call. */
export const connectTables = (server: ClickhouseServer): ConnectedTables => {
  const { url, database = 'kt', user = 'default', password = '', timeoutMs = 60_000, replication } = server
  const client = createClient({
    url,
    database,
    username: user,
    password,
    request_timeout: timeoutMs,
    compression: { request: !isLoopback(url) },
    application: 'kt',
    log: { level: 127 },
  })
  const blocks = new NativeBlocks()
  const replicated = replication !== undefined
  // A column is on all replicas before rows with it come to one of them.
  const changing = replicated ? { alter_sync: '2' } : {}
  const writing = replicated ? { ...ONE_BLOCK, ...QUORUM } : ONE_BLOCK
  return {
    replication,
    exec: (sql) =>
      asked(url, async () => void (await client.command({ query: sql, clickhouse_settings: changing }))),
    query: (sql, parameters) => asked(url, () => rowsOf(client, sql, parameters)),
    insert: async (table, rows, { token, comment }: Label) => {
      const block = blocks.encode(rows)
      const columns = stored(rows.schema).columns.map((column) => quoted(snake(column.name)))
      await asked(url, async () => {
        const { stream } = await client.exec({
          query: `INSERT INTO ${quoted(table)} (${columns.join(', ')}) FORMAT Native`,
          values: Readable.from([block]),
          clickhouse_settings: { ...writing, insert_deduplication_token: token, log_comment: comment },
        })
        for await (const _ of stream) void _
      })
      // The server has read it to its end. After a failure nobody knows who still reads it.
      blocks.done(block)
    },
    close: () => client.close(),
  }
}

const isLoopback = (url: string): boolean => /^https?:\/\/(127\.|localhost|\[::1\])/.test(url)

const rowsOf = async (
  client: ClickHouseClient,
  query: string,
  parameters: Readonly<Record<string, string | number>>,
) => {
  const answer = await client.query({
    query,
    query_params: { ...parameters },
    format: 'JSONEachRow',
    // Of a replica that lacks what was acknowledged elsewhere an error is wanted, and no answer.
    clickhouse_settings: { output_format_json_quote_64bit_integers: 1, select_sequential_consistency: '1' },
  })
  return answer.json<Row>()
}

/** ClickHouse's code of an error, when it answered with one: https://clickhouse.com/docs/interfaces/http */
const codeOf = (thrown: unknown): number | undefined => {
  const code = Number((thrown as { readonly code?: unknown }).code)
  return Number.isInteger(code) && code > 0 ? code : undefined
}

/**
 * Errors after which the same statement may pass: a table that was dropped, time-outs, memory, too many
 * queries or parts, read-only, shut-down, no space; of replicas, too few that live, an insert before that a
 * majority does not have yet, one of which nobody knows, a replica that lags, Keeper away.
 */
const PASSING: ReadonlySet<number> = new Set([
  60, 159, 160, 202, 210, 209, 241, 242, 243, 252, 236, 254, 285, 286, 289, 319, 394, 439, 999,
])
/** Of a full disk ClickHouse speaks in many places, under the code of what it was about to do there. */
const FULL = /No space left on device|Disk quota exceeded|errno: (?:28|122)\b/

/** It knows neither user nor password, or does not let the user do this. */
const REFUSING: ReadonlySet<number> = new Set([192, 193, 194, 497, 516])

const asked = async <T>(url: string, ask: () => Promise<T>): Promise<T> => {
  try {
    return await ask()
  } catch (thrown) {
    const code = codeOf(thrown)
    const said = thrown instanceof Error ? thrown.message : String(thrown)
    const why = said.slice(0, 500)
    if (code === undefined) {
      throw new HostError('KT6101', 'clickhouse does not answer', {
        where: url,
        why,
        fix: 'Nothing is lost: rows wait in the log, and are loaded when it answers.',
        retry: { afterMs: 200 },
        cause: thrown,
      })
    }
    if (REFUSING.has(code)) {
      throw new HostError('KT6108', 'clickhouse does not let kt in', {
        where: url,
        why,
        fix: 'Correct KT_CLICKHOUSE_USER and KT_CLICKHOUSE_PASSWORD, or grant the user what it may not do.',
        retry: 'never',
        facts: { code },
      })
    }
    throw new HostError('KT6102', `clickhouse refused a statement with its error ${code}`, {
      where: url,
      why,
      fix: 'Look the error up in https://clickhouse.com/docs/troubleshooting, and run kt doctor.',
      retry: PASSING.has(code) || FULL.test(said) ? { afterMs: 1000 } : 'never',
      facts: { code },
      cause: thrown,
    })
  }
}
