import { Worker } from 'node:worker_threads'
import { refusal } from './chdb-engine.ts'
import type { Outcome } from './chdb-engine.ts'
import type { Job, Order, Report } from './chdb-run.ts'

/** A name under which a connection is kept between requests. */
export interface KeptSession {
  readonly id: string
  /** Refuse when it is not there yet, instead of starting it. */
  readonly check: boolean
  readonly timeoutSeconds: number
}

/** A statement for the pool: a job without its number, and who may end it. */
export type Task = Omit<Job, 'number' | 'session'> & {
  readonly signal: AbortSignal
  readonly session: KeptSession | undefined
}

interface Thread {
  readonly worker: Worker
  readonly sessions: Map<string, NodeJS.Timeout>
  free: boolean
  idle: NodeJS.Timeout | undefined
  listen: ((report: Report) => void) | undefined
  fail: ((error: Error) => void) | undefined
}

interface Waiting {
  readonly session: KeptSession | undefined
  readonly grant: (thread: Thread) => void
}

/** A thread that had nothing to do for so long gives its 15 MB back. */
const idleMs = 30_000

const tell = (thread: Thread, order: Order) => thread.worker.postMessage(order)

/** What a thread says about one statement, in order. */
const reportsOf = (thread: Thread) => {
  const reports: Report[] = []
  let wake: (() => void) | undefined
  let broken: Error | undefined
  const ended = new Promise<void>((resolve) => {
    thread.listen = (report) => {
      reports.push(report)
      wake?.()
      if (report.kind !== 'rows') resolve()
    }
    thread.fail = (error) => {
      broken = error
      wake?.()
      resolve()
    }
  })
  const next = async (): Promise<Report> => {
    for (;;) {
      const report = reports.shift()
      if (report !== undefined) return report
      if (broken !== undefined) throw broken
      await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  return { next, ended }
}

/**
 * Threads that run statements, one at a time each, started as they are needed. A kept session stays on its
 * thread.
 */
export class Pool {
  readonly #directory: string
  readonly #threadsMax: number
  readonly #waitingMax: number
  readonly #threads = new Set<Thread>()
  readonly #queue: Waiting[] = []
  readonly #gate = new Int32Array(new SharedArrayBuffer(4))
  #number = 0

  /**
   * @param threadsMax statements that run at once
   * @param waitingMax statements that may wait for a thread; one more is refused with ClickHouse error 202
   */
  constructor(directory: string, threadsMax: number, waitingMax: number) {
    this.#directory = directory
    this.#threadsMax = threadsMax
    this.#waitingMax = waitingMax
  }

  /** Statements that run or wait. */
  get busy(): number {
    return this.#queue.length + [...this.#threads].filter((thread) => !thread.free).length
  }

  /**
   * Blocks of the answer as the caller takes them, then what the statement did. Throws the engine's error.
   */
  async *run(task: Task): AsyncGenerator<Uint8Array, Outcome, undefined> {
    const { signal, session, ...job } = task
    const thread = await this.#acquire(session, signal)
    const number = ++this.#number
    const { next, ended } = reportsOf(thread)
    const cancel = () => tell(thread, { kind: 'cancel', number })
    signal.addEventListener('abort', cancel)
    tell(thread, { kind: 'job', job: { ...job, number, ...(session === undefined ? {} : { session }) } })
    try {
      for (;;) {
        const report = await next()
        if (report.kind === 'done') return report.outcome
        if (report.kind === 'failed') throw new Error(report.failure.text)
        yield report.bytes
        tell(thread, { kind: 'more', number })
      }
    } finally {
      signal.removeEventListener('abort', cancel)
      // The caller may have stopped early; the thread is free only once the engine has let go of the
      // statement.
      cancel()
      void ended.then(() => this.#release(thread))
    }
  }

  async close(): Promise<void> {
    const gone = [...this.#threads].map(
      (thread) => new Promise((resolve) => thread.worker.once('exit', resolve)),
    )
    for (const thread of this.#threads) tell(thread, { kind: 'leave' })
    await Promise.race([Promise.all(gone), new Promise((resolve) => setTimeout(resolve, 500).unref())])
  }

  #start(): Thread {
    const worker = new Worker(new URL('./chdb-run.ts', import.meta.url), {
      workerData: { directory: this.#directory, gate: this.#gate },
    })
    const thread: Thread = {
      worker,
      sessions: new Map(),
      free: false,
      idle: undefined,
      listen: undefined,
      fail: undefined,
    }
    worker.on('message', (report: Report) => thread.listen?.(report))
    worker.on('error', (error) => thread.fail?.(error instanceof Error ? error : new Error(String(error))))
    worker.on('exit', () => this.#lost(thread))
    this.#threads.add(thread)
    return thread
  }

  /** A thread has ended, on purpose or not; who waits for one gets another. */
  #lost(thread: Thread) {
    thread.fail?.(refusal(1001, 'STD_EXCEPTION', 'the thread that ran this statement has ended'))
    this.#threads.delete(thread)
    for (const timer of thread.sessions.values()) clearTimeout(timer)
    const next = this.#threads.size < this.#threadsMax ? this.#queue.shift() : undefined
    next?.grant(this.#take(this.#start(), next.session))
  }

  #owner(session: KeptSession | undefined): Thread | undefined {
    return session === undefined
      ? undefined
      : [...this.#threads].find((thread) => thread.sessions.has(session.id))
  }

  #suited(session: KeptSession | undefined): Thread | undefined {
    const owner = this.#owner(session)
    if (owner !== undefined) return owner.free ? owner : undefined
    const free = [...this.#threads].filter((thread) => thread.free)
    const best = free.find((thread) => thread.sessions.size === 0) ?? free[0]
    return best ?? (this.#threads.size < this.#threadsMax ? this.#start() : undefined)
  }

  #take(thread: Thread, session: KeptSession | undefined): Thread {
    thread.free = false
    clearTimeout(thread.idle)
    if (session !== undefined) this.#keep(thread, session)
    return thread
  }

  #acquire(session: KeptSession | undefined, signal: AbortSignal): Promise<Thread> {
    signal.throwIfAborted()
    const now = this.#suited(session)
    if (now !== undefined) return Promise.resolve(this.#take(now, session))
    if (this.#queue.length >= this.#waitingMax) {
      const full = `${this.#threadsMax} queries run and ${this.#waitingMax} wait; try again`
      throw refusal(202, 'TOO_MANY_SIMULTANEOUS_QUERIES', full)
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { session, grant: resolve }
      this.#queue.push(waiting)
      signal.addEventListener('abort', () => {
        const at = this.#queue.indexOf(waiting)
        if (at < 0) return
        this.#queue.splice(at, 1)
        reject(signal.reason)
      })
    })
  }

  #release(thread: Thread) {
    if (!this.#threads.has(thread)) return
    thread.free = true
    thread.fail = undefined
    const at = this.#queue.findIndex(({ session }) => (this.#owner(session) ?? thread) === thread)
    const next = at < 0 ? undefined : this.#queue.splice(at, 1)[0]
    if (next !== undefined) return next.grant(this.#take(thread, next.session))
    thread.idle = setTimeout(() => {
      if (!thread.free || thread.sessions.size > 0) return
      this.#threads.delete(thread)
      tell(thread, { kind: 'leave' })
    }, idleMs).unref()
  }

  #keep(thread: Thread, session: KeptSession) {
    clearTimeout(thread.sessions.get(session.id))
    const forget = () => {
      if (!thread.free) return this.#keep(thread, session)
      thread.sessions.delete(session.id)
      tell(thread, { kind: 'forget', session: session.id })
      this.#release(thread)
    }
    thread.sessions.set(session.id, setTimeout(forget, session.timeoutSeconds * 1000).unref())
  }
}
