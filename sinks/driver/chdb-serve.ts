import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { answerTo } from './chdb-answer.ts'
import type { Answer, Identity } from './chdb-answer.ts'
import { failureOf, refusal } from './chdb-engine.ts'
import type { Connection, Outcome } from './chdb-engine.ts'
import { withRevision } from './chdb-native.ts'
import type { Pool, Task } from './chdb-pool.ts'
import { atMost, authenticate, meantForUs, readRequest } from './chdb-request.ts'
import type { Limits, Request } from './chdb-request.ts'
import { decoded, openBody, wholeText } from './chdb-spool.ts'
import type { Body, Spool } from './chdb-spool.ts'
import type { Writes } from './chdb-writes.ts'
import {
  formatOf,
  headLines,
  queryIdSetting,
  readStatement,
  streams,
  withQueryIds,
} from './chdb-statement.ts'

/** What requests are served with. */
export interface Service {
  readonly identity: Identity
  readonly pool: Pool
  /** A connection for killing queries, which must work when every thread is busy. */
  readonly root: Connection
  readonly spool: Spool
  readonly writes: Writes
  readonly password: () => string
  readonly passwordFile: string
  readonly limits: Limits
}

/** A statement, and what to call its answer's format. */
interface Prepared {
  readonly sql: string
  readonly how: Task['how']
  readonly format: string
  readonly settings: Readonly<Record<string, string>>
  done(): void
}

const nothing: Outcome = { rowsRead: 0, bytesRead: 0, rowsWritten: 0, bytesWritten: 0, elapsed: 0 }
const statementBytes = 64 << 10

/**
 * One insert is one block and so one part, which appears whole or not at all: no bound of the engine may cut
 * it. The size of a body is bounded instead.
 */
const oneBlock: Readonly<Record<string, string>> = {
  max_insert_block_size: String(1 << 30),
  min_insert_block_size_rows: String(1 << 30),
  min_insert_block_size_bytes: String(2 ** 40),
  max_insert_threads: '1',
}

const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** Fields of a form are URL parameters that were too long for the URL. */
const withForm = async (incoming: IncomingMessage, url: URLSearchParams): Promise<void> => {
  const type = incoming.headers['content-type'] ?? ''
  const body = await openBody(decoded(incoming, incoming.headers['content-encoding']), statementBytes)
  const text = await wholeText(body.head, body)
  const form = await new Response(text, { headers: { 'content-type': type } }).formData()
  for (const [name, value] of form) {
    if (typeof value !== 'string')
      throw refusal(48, 'NOT_IMPLEMENTED', 'external tables in a form are not available')
    url.set(name, value)
  }
}

const prepare = async (service: Service, request: Request, body: Body): Promise<Prepared | undefined> => {
  const query = Buffer.from(request.query === '' ? '' : `${request.query}\n`)
  const head = Buffer.concat([query, body.head])
  const statement = readStatement(head.toString('latin1'), query.length)
  if (request.readonly && statement.kind !== 'rows') {
    throw refusal(164, 'READONLY', 'GET is for reading. Use POST for statements that change something')
  }
  const { settings } = request
  const format = request.format ?? 'TabSeparated'
  if (statement.kind !== 'rows') service.writes.room()
  if (statement.kind !== 'insert') {
    const sql = withQueryIds(await wholeText(head, body))
    if (sql.trim() === '') throw refusal(62, 'SYNTAX_ERROR', 'the query is empty')
    const own = formatOf(sql) ?? format
    if (statement.kind !== 'rows' || streams(own))
      return { sql, how: statement.kind, format: own, settings, done: () => {} }
    const bounded = {
      ...settings,
      max_result_bytes: atMost(settings['max_result_bytes'], service.limits.documentMaxBytes),
    }
    return { sql, how: 'whole', format: own, settings: bounded, done: () => {} }
  }
  const spooled = await service.spool.keep(head.subarray(statement.rowsAt), body)
  if (spooled.bytes === 0) {
    spooled.remove()
    return undefined
  }
  const from = `FROM INFILE ${quoted(spooled.file)} COMPRESSION 'none' ${statement.settings}`
  const sql = `${statement.into} ${from} FORMAT ${statement.format ?? request.format ?? 'Values'}`
  return { sql, how: 'write', format, settings: { ...oneBlock, ...settings }, done: spooled.remove }
}

/**
 * Send an answer as it comes. Statements without a stream are over before the first byte, so their summary is
 * known.
 */
const deliver = async (
  answer: Answer,
  blocks: AsyncGenerator<Uint8Array, Outcome>,
  prepared: Prepared,
  revision: number,
  writes: Writes,
) => {
  const { how, format } = prepared
  const ready = (bytes: Uint8Array) => (format === 'Native' ? withRevision(bytes, revision) : bytes)
  let step = await blocks.next()
  const first = step.done === true ? undefined : ready(step.value)
  if (step.done !== true && how !== 'rows') step = await blocks.next()
  if (how !== 'rows') await writes.sound()
  answer.head(format, step.done === true ? step.value : undefined)
  if (first !== undefined) await answer.write(first)
  if (step.done !== true && how === 'rows') step = await blocks.next()
  while (step.done !== true) {
    await answer.write(ready(withoutLines(step.value, how === 'rows' ? headLines(format) : 0)))
    step = await blocks.next()
  }
  answer.end()
}

const withoutLines = (bytes: Uint8Array, lines: number): Uint8Array => {
  let from = 0
  for (let left = lines; left > 0; left--) from = bytes.indexOf(10, from) + 1
  return bytes.subarray(from)
}

/** Kills by query id, one after the other: a connection runs one statement at a time. */
const killer = (root: Connection) => {
  let last: Promise<unknown> = Promise.resolve()
  return (queryId: string) => {
    const sql = `KILL QUERY WHERE Settings['${queryIdSetting}'] = ${quoted(queryId)} ASYNC`
    last = last.then(() => root.whole(sql, 'Null')).catch(() => undefined)
    return last
  }
}

const run = async (
  service: Service,
  kill: (id: string) => Promise<unknown>,
  request: Request,
  body: Body,
  answer: Answer,
  gone: AbortSignal,
) => {
  const prepared = await prepare(service, request, body)
  if (prepared === undefined) {
    answer.head(request.format ?? 'TabSeparated', nothing)
    return answer.end()
  }
  const late = AbortSignal.timeout((service.limits.queryMaxSeconds + 2) * 1000)
  const signal = AbortSignal.any([gone, late])
  let running = true
  // A kill finds nothing while the statement is still on its way to the engine, so it is repeated.
  signal.addEventListener('abort', async () => {
    for (; running; await pause(100)) await kill(request.queryId)
  })
  const { sql, how, settings } = prepared
  const { database, defaults, session } = request
  const format = request.format ?? 'TabSeparated'
  const rows = service.pool.run({ sql, how, format, database, defaults, settings, session, signal })
  try {
    await deliver(answer, rows, prepared, request.revision, service.writes)
  } catch (thrown) {
    if (!late.aborted) throw thrown
    throw refusal(159, 'TIMEOUT_EXCEEDED', `the query ran longer than ${service.limits.queryMaxSeconds} s`)
  } finally {
    running = false
    await rows.return(nothing)
    prepared.done()
  }
}

const plain = (response: ServerResponse, status: number, text: string) =>
  void response.writeHead(status, { 'Content-Type': 'text/plain; charset=UTF-8' }).end(text)

/** A client may still be sending when it is refused: read on for a moment, so that it gets to see why. */
const drain = (incoming: IncomingMessage) => {
  if (incoming.complete || incoming.destroyed) return
  incoming.unpipe()
  incoming.removeAllListeners('readable')
  incoming.resume()
  setTimeout(() => incoming.destroy(), 2000).unref()
}

/**
 * Answer requests as a ClickHouse server does (https://clickhouse.com/docs/interfaces/http), as far as one
 * user needs it.
 */
export const serve = (service: Service): RequestListener => {
  const kill = killer(service.root)
  const running = new Set<string>()

  const query = async (incoming: IncomingMessage, response: ServerResponse, url: URLSearchParams) => {
    const gone = new AbortController()
    response.on('close', () => {
      if (!response.writableFinished) gone.abort(new Error('the client went away'))
    })
    const accepted =
      url.get('enable_http_compression') === '1' ? String(incoming.headers['accept-encoding'] ?? '') : ''
    let answer = answerTo(response, service.identity, url.get('query_id') ?? '', accepted, gone.signal)
    let started = ''
    try {
      authenticate(incoming.headers, url, service.password(), service.passwordFile)
      const form = /^multipart\/form-data/i.test(incoming.headers['content-type'] ?? '')
      if (form) await withForm(incoming, url)
      const request = readRequest(incoming, url, service.limits)
      answer = answerTo(response, service.identity, request.queryId, accepted, gone.signal)
      if (running.has(request.queryId)) {
        throw refusal(
          216,
          'QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING',
          `Query with id = ${request.queryId} is already running`,
        )
      }
      running.add((started = request.queryId))
      const body = form
        ? empty
        : await openBody(decoded(incoming, incoming.headers['content-encoding']), statementBytes)
      await run(service, kill, request, body, answer, gone.signal)
    } catch (thrown) {
      if (!gone.signal.aborted) answer.fail(failureOf(thrown))
    } finally {
      running.delete(started)
      drain(incoming)
    }
  }

  return (incoming, response) => {
    const url = URL.parse(incoming.url ?? '/', 'http://front')
    if (url === null) return plain(response, 400, 'the URL cannot be read\n')
    if (!meantForUs(incoming.headers)) {
      return plain(
        response,
        403,
        'Code: 497. DB::Exception: only requests to localhost are answered (ACCESS_DENIED)\n',
      )
    }
    const { pathname, searchParams } = url
    const reading = incoming.method === 'GET' || incoming.method === 'HEAD'
    if (reading && (pathname === '/ping' || pathname === '/replicas_status'))
      return plain(response, 200, 'Ok.\n')
    if (pathname !== '/') return plain(response, 404, `there is nothing at ${pathname}; queries go to /\n`)
    if (reading && !searchParams.has('query')) return plain(response, 200, 'Ok.\n')
    void query(incoming, response, searchParams)
  }
}

const empty: Body = { head: Buffer.alloc(0), complete: true, async *rest() {} }
