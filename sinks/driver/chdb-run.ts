import { parentPort, workerData } from 'node:worker_threads'
import { failureOf, loadEngine, refusal } from './chdb-engine.ts'
import type { Connection, Failure, Outcome } from './chdb-engine.ts'

/** One statement for a worker thread. */
export interface Job {
  readonly number: number
  readonly sql: string
  readonly format: string
  readonly how: 'rows' | 'whole' | 'write'
  readonly database: string
  /** Settings of a fresh connection: the front's defaults. */
  readonly defaults: Readonly<Record<string, string>>
  /** Settings of this request alone. */
  readonly settings: Readonly<Record<string, string>>
  /** Keep the connection under this name, for temporary tables and SET. */
  readonly session?: { readonly id: string; readonly check: boolean }
}
export type Order =
  | { readonly kind: 'job'; readonly job: Job }
  | { readonly kind: 'more'; readonly number: number }
  | { readonly kind: 'cancel'; readonly number: number }
  | { readonly kind: 'forget'; readonly session: string }
export type Report =
  | { readonly kind: 'rows'; readonly number: number; readonly bytes: Uint8Array }
  | { readonly kind: 'done'; readonly number: number; readonly outcome: Outcome }
  | { readonly kind: 'failed'; readonly number: number; readonly failure: Failure }

/** Blocks of rows that may be on their way to a client that has not taken the last one yet. */
const ahead = 2
const zero: Outcome = { rowsRead: 0, bytesRead: 0, rowsWritten: 0, bytesWritten: 0, elapsed: 0 }

const literal = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
const assignments = (settings: Readonly<Record<string, string>>) =>
  Object.entries(settings).map(([name, value]) => `${name}=${literal(value)}`)

const apply = (connection: Connection, settings: Readonly<Record<string, string>>) => {
  const list = assignments(settings)
  if (list.length > 0) connection.set(`SET ${list.join(', ')}`)
}

/** How a kept connection gets back the settings that one request overrides. */
const remember = async (connection: Connection, names: readonly string[]): Promise<string> => {
  const plain = names.filter((name) => !name.startsWith('param_'))
  if (plain.length === 0) return ''
  const wanted = plain.map(literal).join(', ')
  const { bytes } = await connection.whole(
    `SELECT name, value, changed FROM system.settings WHERE name IN (${wanted})`,
    'JSONCompactEachRow',
  )
  const before = Buffer.from(bytes).toString('utf8').trim().split('\n').filter(Boolean)
  const rows = before.map((line) => JSON.parse(line) as readonly [string, string, number])
  return rows
    .map(([name, value, changed]) =>
      Number(changed) === 1 ? `${name}=${literal(value)}` : `${name}=DEFAULT`,
    )
    .join(', ')
}

const port = parentPort
if (port === null) throw new Error('chdb-run.ts is started by the pool, as a worker thread')
const { directory } = workerData as { readonly directory: string }
const engine = loadEngine()
const kept = new Map<string, Connection>()
let current = 0
let credit = 0
let cancelled = false
let wake: (() => void) | undefined

const report = (message: Report) => port.postMessage(message)

const send = async (number: number, bytes: Uint8Array) => {
  if (bytes.length === 0) return
  while (credit === 0 && !cancelled) await new Promise<void>((resolve) => (wake = resolve))
  credit -= 1
  report({ kind: 'rows', number, bytes })
}

const whole = async (connection: Connection, job: Job): Promise<Outcome> => {
  const { bytes, outcome } = await connection.whole(job.sql, job.format)
  await send(job.number, bytes)
  return outcome
}

/**
 * Statements that look like reads but cannot be streamed (`WITH ... INSERT`, some SHOWs) say so and run as a
 * whole.
 */
const rows = async (connection: Connection, job: Job): Promise<Outcome> => {
  let started = false
  try {
    for await (const bytes of connection.rows(job.sql, job.format)) {
      started = true
      await send(job.number, bytes)
      if (cancelled) throw refusal(394, 'QUERY_WAS_CANCELLED', 'Query was cancelled: the client went away')
    }
    return zero
  } catch (thrown) {
    if (started || !/Streaming query is not supported/.test(failureOf(thrown).text)) throw thrown
    return whole(connection, job)
  }
}

const run = (connection: Connection, job: Job): Promise<Outcome> => {
  if (job.how === 'write') return connection.write(job.sql)
  return job.how === 'whole' ? whole(connection, job) : rows(connection, job)
}

const open = (job: Job): Connection => {
  const connection = engine.open(directory)
  try {
    apply(connection, job.defaults)
    connection.set(`USE \`${job.database.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``)
  } catch (thrown) {
    connection.close()
    throw thrown
  }
  return connection
}

/**
 * A connection for this statement alone: settings, parameters and temporary tables cannot leak to the next
 * one.
 */
const alone = async (job: Job): Promise<Outcome> => {
  const connection = open(job)
  try {
    apply(connection, job.settings)
    return await run(connection, job)
  } finally {
    connection.close()
  }
}

const within = async (
  job: Job,
  session: { readonly id: string; readonly check: boolean },
): Promise<Outcome> => {
  if (session.check && !kept.has(session.id))
    throw refusal(372, 'SESSION_NOT_FOUND', `Session ${session.id} not found`)
  const connection = kept.get(session.id) ?? open(job)
  kept.set(session.id, connection)
  const before = await remember(connection, Object.keys(job.settings))
  try {
    apply(connection, job.settings)
    return await run(connection, job)
  } finally {
    if (before !== '') connection.set(`SET ${before}`)
  }
}

const work = async (job: Job) => {
  current = job.number
  credit = ahead
  cancelled = false
  try {
    const outcome = await (job.session === undefined ? alone(job) : within(job, job.session))
    report({ kind: 'done', number: job.number, outcome })
  } catch (thrown) {
    report({ kind: 'failed', number: job.number, failure: failureOf(thrown) })
  }
}

const close = (session: string) => {
  kept.get(session)?.close()
  kept.delete(session)
}

port.on('message', (order: Order) => {
  if (order.kind === 'job') return void work(order.job)
  if (order.kind === 'forget') return close(order.session)
  // A word about an earlier statement may arrive late.
  if (order.number !== current) return
  if (order.kind === 'more') credit += 1
  else cancelled = true
  wake?.()
})
