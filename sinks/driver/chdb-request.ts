import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { refusal } from './chdb-engine.ts'
import { queryIdSetting } from './chdb-statement.ts'

/** Bounds of one query. A request may ask for less, never for more. */
export interface Limits {
  readonly queryMemoryMaxBytes: number
  readonly queryMaxSeconds: number
  /** Of an answer that is made whole before it is sent (JSON, Parquet, Arrow), in the engine's memory. */
  readonly documentMaxBytes: number
}

/** A request's URL and headers, read; the SQL may still be in its body. */
export interface Request {
  readonly queryId: string
  readonly query: string
  readonly database: string
  /** Format of an answer, and of rows to insert, when the statement names none. */
  readonly format: string | undefined
  /** Settings of the front, for a fresh connection. */
  readonly defaults: Readonly<Record<string, string>>
  /** Settings and `param_` values of this request. */
  readonly settings: Readonly<Record<string, string>>
  readonly session:
    { readonly id: string; readonly check: boolean; readonly timeoutSeconds: number } | undefined
  readonly readonly: boolean
  /** The revision of the native protocol in which the client wants Native blocks; 0 is the plain one. */
  readonly revision: number
}

/**
 * URL parameters that are not settings of the engine. Those without effect here are accepted, as a server
 * accepts them.
 */
const http = new Set(
  `query database default_format query_id session_id session_timeout session_check user password
  quota_key compress decompress enable_http_compression http_zlib_compression_level
  wait_end_of_query buffer_size role stacktrace send_progress_in_http_headers
  http_headers_progress_interval_ms http_response_buffer_size client_protocol_version
  add_http_cors_header http_write_exception_in_output_format
  cancel_http_readonly_queries_on_client_close http_response_headers`.split(/\s+/),
)

const one = (header: string | readonly string[] | undefined): string | undefined =>
  typeof header === 'string' ? header : header?.[0]

/**
 * The lower of what is asked and the bound; 0 means unbounded in ClickHouse, and a non-number is the engine's
 * to refuse.
 */
export const atMost = (asked: string | undefined, bound: number): string => {
  const number = Number(asked)
  if (asked !== undefined && Number.isNaN(number)) return asked
  return String(asked !== undefined && number > 0 && number < bound ? number : bound)
}

const settingsOf = (url: URLSearchParams, queryId: string, limits: Limits) => {
  const settings: Record<string, string> = {}
  for (const [name, value] of url) {
    if (http.has(name)) continue
    if (!/^[A-Za-z_][\w.]*$/.test(name)) throw refusal(115, 'UNKNOWN_SETTING', `Unknown setting '${name}'`)
    settings[name] = value
  }
  const { max_memory_usage: memory, max_execution_time: seconds } = settings
  if (memory !== undefined) settings['max_memory_usage'] = atMost(memory, limits.queryMemoryMaxBytes)
  if (seconds !== undefined) settings['max_execution_time'] = atMost(seconds, limits.queryMaxSeconds)
  settings['log_comment'] ??= queryId
  settings[queryIdSetting] = queryId
  return settings
}

/**
 * Read a request's URL and headers, see https://clickhouse.com/docs/interfaces/http.
 * @throws ClickHouse error 48 where a client needs something this front does not speak
 */
export const readRequest = (incoming: IncomingMessage, url: URLSearchParams, limits: Limits): Request => {
  const { headers } = incoming
  if (url.get('compress') === '1' || url.get('decompress') === '1') {
    throw refusal(
      48,
      'NOT_IMPLEMENTED',
      'compress=1 and decompress=1 (LZ4 blocks) are not spoken here; use gzip, zstd or no compression',
    )
  }
  const queryId = url.get('query_id') || one(headers['x-clickhouse-query-id']) || randomUUID()
  const session = url.get('session_id')
  const timeoutSeconds = Math.min(Number(url.get('session_timeout') ?? 60) || 60, 3600)
  return {
    queryId,
    query: url.get('query') ?? '',
    database: url.get('database') || one(headers['x-clickhouse-database']) || 'kt',
    format: url.get('default_format') || one(headers['x-clickhouse-format']),
    defaults: {
      async_insert: '0',
      // As on a server: the library would take a misspelt keyword for a column.
      implicit_select: '0',
      output_format_json_quote_64bit_integers: '1',
      output_format_json_quote_decimals: '1',
      max_memory_usage: String(limits.queryMemoryMaxBytes),
      max_execution_time: String(limits.queryMaxSeconds),
    },
    settings: settingsOf(url, queryId, limits),
    session: session ? { id: session, check: url.get('session_check') === '1', timeoutSeconds } : undefined,
    readonly: incoming.method === 'GET' || incoming.method === 'HEAD',
    revision: Number(url.get('client_protocol_version') ?? 0) || 0,
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest()

const given = (headers: IncomingHttpHeaders, url: URLSearchParams): readonly [string, string] => {
  const basic = /^basic\s+(.+)$/i.exec(headers.authorization ?? '')?.[1]
  if (basic !== undefined) {
    const text = Buffer.from(basic, 'base64').toString('utf8')
    const colon = text.indexOf(':')
    return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
  }
  const user = one(headers['x-clickhouse-user'])
  const key = one(headers['x-clickhouse-key'])
  if (user !== undefined || key !== undefined) return [user ?? 'default', key ?? '']
  return [url.get('user') ?? 'default', url.get('password') ?? '']
}

/**
 * Check user and password, from Basic auth, `X-ClickHouse-User` and `-Key`, or `user` and `password` in the
 * URL.
 * @throws ClickHouse error 516
 */
export const authenticate = (
  headers: IncomingHttpHeaders,
  url: URLSearchParams,
  password: string,
  passwordFile: string,
): void => {
  const [user, key] = given(headers, url)
  if (timingSafeEqual(digest(key), digest(password)) && user === 'default') return
  const hint = `the user is default and its password is in ${passwordFile}; delete that file for a new one`
  throw refusal(
    516,
    'AUTHENTICATION_FAILED',
    `${user}: Authentication failed: password is incorrect, or there is no user with such name (${hint})`,
  )
}

/** The names of this machine, to itself. */
const local = /^(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?$/i

/**
 * Whether a request was meant for this machine. A web page can make a browser call loopback under a name of
 * its own (DNS rebinding, seen in Host) or from its own origin (seen in Origin); no other client sends such a
 * header.
 */
export const meantForUs = ({ host, origin }: IncomingHttpHeaders): boolean => {
  if (host === undefined || !local.test(host)) return false
  return origin === undefined || local.test(origin.replace(/^https?:\/\//i, ''))
}
