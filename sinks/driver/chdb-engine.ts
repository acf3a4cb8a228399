import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/**
 * What a statement did, as the engine counted it. Rows written include those of materialized views, as on a
 * server.
 */
export interface Outcome {
  readonly rowsRead: number
  readonly bytesRead: number
  readonly rowsWritten: number
  readonly bytesWritten: number
  /** Seconds. */
  readonly elapsed: number
}

/**
 * One connection to the embedded engine: its own settings, parameters and temporary tables. One statement at
 * a time.
 */
export interface Connection {
  /** Run a statement without rows (`SET`, `USE`). Blocks the thread, for tens of microseconds. */
  set(sql: string): void
  /**
   * Rows in blocks. Planning blocks the thread, and it runs scalar subqueries: never on a thread that serves
   * others.
   */
  rows(sql: string, format: string): AsyncIterable<Uint8Array>
  /** The whole answer at once, for statements that cannot be streamed. */
  whole(sql: string, format: string): Promise<{ readonly bytes: Uint8Array; readonly outcome: Outcome }>
  /** An INSERT without inline data; counts what was written. */
  write(sql: string): Promise<Outcome>
  close(): void
}

export interface Engine {
  readonly version: string
  /** @param arguments_ of `clickhouse local`; only the first connection of a process may set the server's. */
  open(directory: string, arguments_?: readonly string[]): Connection
}

interface Raw {
  readonly bytes: Uint8Array
  readonly elapsed: number
  readonly rowsRead: number
  readonly bytesRead: number
}
interface RawWritten {
  readonly elapsed: number
  readonly rowsWritten: number
  readonly bytesWritten: number
}
interface Addon {
  QueryAsyncConnection(connection: unknown, sql: string, format: string): Promise<Raw>
  InsertRawAsyncConnection(
    connection: unknown,
    sql: string,
    rows: Buffer,
    countLines: boolean,
  ): Promise<RawWritten>
}
interface Session {
  readonly connection: unknown
  query(sql: string, format: string): string
  queryStream(sql: string, options: { readonly format: string }): AsyncIterable<{ raw(): Uint8Array }>
  close(): void
}
interface Package {
  readonly Session: new (
    directory: string,
    options?: { readonly connectionArgs?: readonly string[] },
  ) => Session
}

// The addon counts rows written only on its raw-insert entry, which sends this after the statement's text.
const nothing = Buffer.from(' ')

const connect = (session: Session, addon: Addon): Connection => ({
  set: (sql) => void session.query(sql, 'Null'),
  async *rows(sql, format) {
    for await (const block of session.queryStream(sql, { format })) yield block.raw()
  },
  async whole(sql, format) {
    const { bytes, rowsRead, bytesRead, elapsed } = await addon.QueryAsyncConnection(
      session.connection,
      sql,
      format,
    )
    return { bytes, outcome: { rowsRead, bytesRead, elapsed, rowsWritten: 0, bytesWritten: 0 } }
  },
  async write(sql) {
    const { rowsWritten, bytesWritten, elapsed } = await addon.InsertRawAsyncConnection(
      session.connection,
      sql,
      nothing,
      false,
    )
    return { rowsRead: rowsWritten, bytesRead: bytesWritten, rowsWritten, bytesWritten, elapsed }
  },
  close: () => session.close(),
})

/**
 * Load chDB, ClickHouse as a library (https://github.com/chdb-io/chdb-node). Loading maps 550 MB and takes
 * 0.3 to 0.7 s. One process opens one directory; many connections may share it, also from worker threads.
 * @throws when the optional package is not installed or has no build for this machine
 */
export const loadEngine = (): Engine => {
  const require = createRequire(import.meta.url)
  const main = require.resolve('chdb')
  const { Session } = require(main) as Package
  const { loadNative } = require(join(dirname(main), 'dist', 'loader.js')) as { loadNative(): Addon }
  const { version } = require('chdb/package.json') as { readonly version: string }
  return {
    version,
    open: (directory, arguments_) =>
      connect(
        new Session(directory, arguments_ === undefined ? undefined : { connectionArgs: arguments_ }),
        loadNative(),
      ),
  }
}

/** A failure as ClickHouse words it: `Code: N. DB::Exception: ... (NAME)`. */
export interface Failure {
  readonly code: number
  readonly text: string
}

/** The code and text of anything the engine, or this front, threw. */
export const failureOf = (thrown: unknown): Failure => {
  const text = (thrown instanceof Error ? thrown.message : String(thrown)).replace(/^Query failed: /, '')
  const code = Number(/^Code: (\d+)\./.exec(text)?.[1] ?? 0)
  if (code > 0) return { code, text }
  return { code: 1001, text: `Code: 1001. DB::Exception: ${text} (STD_EXCEPTION)` }
}

/** An error in ClickHouse's own form, so that every client's error type is filled. */
export const refusal = (code: number, name: string, text: string): Error =>
  new Error(`Code: ${code}. DB::Exception: ${text} (${name})`)
