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
  listen: ((report: Report) => void) | undefined
}

interface Waiting {
  readonly session: KeptSession | undefined
  readonly grant: (thread: Thread) => void
}

const tell = (thread: Thread, order: Order) => thread.worker.postMessage(order)

/** What a thread says about one statement, in order. */
const reportsOf = (thread: Thread) => {
  const reports: Report[] = []
  let wake: (() => void) | undefined
  const ended = new Promise<void>((resolve) => {
    thread.listen = (report) => {
      reports.push(report)
      wake?.()
      if (report.kind !== 'rows') resolve()
    }
  })
  const next = async (): Promise<Report> => {
    for (;;) {
      const report = reports.shift()
      if (report !== undefined) return report
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
  readonly #lost: () => void
  #number = 0

  /**
   * Threads stay until the process ends. When a thread that used the engine ends, the engine closes the
   * connections of all threads, and from then on opens and shuts itself with every query, gathering threads.
   * @param lost must end the process: a thread has ended all the same
   * @param threadsMax statements that run at once, for 15 MB each
   * @param waitingMax statements that may wait for a thread; one more is refused with ClickHouse error 202
   */
  constructor(directory: string, threadsMax: number, waitingMax: number, lost: () => void) {
    this.#lost = lost
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

  #start(): Thread {
    const worker = new Worker(new URL('./chdb-run.ts', import.meta.url), {
      workerData: { directory: this.#directory },
    })
    const thread: Thread = {
      worker,
      sessions: new Map(),
      free: false,
      listen: undefined,
    }
    worker.on('message', (report: Report) => thread.listen?.(report))
    worker.on('error', (error) => console.error(error))
    worker.on('exit', this.#lost)
    this.#threads.add(thread)
    return thread
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
    thread.free = true
    const at = this.#queue.findIndex(({ session }) => (this.#owner(session) ?? thread) === thread)
    const next = at < 0 ? undefined : this.#queue.splice(at, 1)[0]
    if (next !== undefined) return next.grant(this.#take(thread, next.session))
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
