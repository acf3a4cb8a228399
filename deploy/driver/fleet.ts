import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { KtError } from '../../graph/error.ts'

/** A process of the local fleet: what stands in for a pod on a laptop. */
export interface Part {
  readonly name: string
  /** The TypeScript file it runs. */
  readonly file: string
  readonly settings: object
  /**
   * A part that dies is started again after this pause, which doubles up to 5 s; `never` ends the run
   * instead.
   */
  readonly restart: 'always' | 'never'
  /**
   * It has something to finish when it is asked to stop, such as the backlog of a sink: then it is asked once
   * it is ready, and is started again for that when it is down.
   */
  readonly finishes?: boolean
}

/** What a part tells its parent. */
export type PartMessage =
  | { readonly kind: 'ready'; readonly facts: Readonly<Record<string, unknown>> }
  | { readonly kind: 'status'; readonly status: unknown }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: unknown; readonly retry: 'never' | 'passing' | undefined }

interface Running {
  readonly part: Part
  child: ChildProcess
  /** All of them, and those in a row that nobody could explain as passing. */
  restarts: number
  streak: number
  launchedAt: number
  /** It was ready once: before that, `start` says what went wrong. */
  ready: boolean
  /** It is ready now. */
  up: boolean
  readonly hear: (message: PartMessage) => void
  /** Why it is about to end, as it said itself. */
  last: Extract<PartMessage, { readonly kind: 'failed' }> | undefined
  stopping: boolean
  ended: Promise<number>
  /** It ended before it was ever ready, and whoever started it is to know. */
  refuse: (code: number) => void
}

export interface FleetOptions {
  /** Where each part's log goes: one file a part. */
  readonly logs: string
  readonly message: (part: string, message: PartMessage) => void
  /** A part died that may not be started again, or could not be. */
  readonly failed: (part: string, error: unknown) => void
  readonly restarted: (part: string, restarts: number) => void
}

/**
 * Child processes that live and die together. Each holds an IPC channel to this process; one whose parent
 * vanishes,
 * even by kill -9, sees the channel close and stops by itself.
 */
export class Fleet {
  readonly #options: FleetOptions
  readonly #running = new Map<string, Running>()

  constructor(options: FleetOptions) {
    this.#options = options
  }

  /** Start a part and wait until it says that it is ready. */
  start(part: Part): Promise<Readonly<Record<string, unknown>>> {
    return new Promise((ready, refused) => {
      const hear = (message: PartMessage): void => {
        if (message.kind === 'ready') settle(() => ready(message.facts))
        else if (message.kind === 'failed' && waiting) settle(() => refused(revive(part.name, message.error)))
        else this.#options.message(part.name, message)
      }
      const running: Running = {
        part,
        child: undefined as never,
        restarts: 0,
        streak: 0,
        launchedAt: 0,
        ready: false,
        up: false,
        hear,
        last: undefined,
        stopping: false,
        ended: Promise.resolve(0),
        refuse: (code) =>
          settle(() =>
            refused(
              new KtError('KT5001', `part "${part.name}" ended with ${code} before it was ready`, {
                fix: `Read ${this.#logOf(part.name)}.`,
              }),
            ),
          ),
      }
      this.#running.set(part.name, running)
      let waiting = true
      const settle = (settled: () => void): void => {
        if (waiting) settled()
        waiting = false
      }
      this.#launch(running)
    })
  }

  pid(name: string): number | undefined {
    return this.#running.get(name)?.child.pid
  }

  /**
   * Ask a part to finish what it holds, and wait. False: it did not within `deadlineMs`, and was killed, or
   * it failed.
   */
  async stop(name: string, deadlineMs = 60_000): Promise<boolean> {
    const running = this.#running.get(name)
    if (running === undefined) return true
    const finishes = running.part.finishes === true && running.ready
    const down = running.child.exitCode !== null || running.child.signalCode !== null
    running.stopping = true
    let late = false
    const timer = setTimeout(() => {
      late = true
      running.child.kill('SIGKILL')
    }, deadlineMs)
    if (running.up || !finishes) ask(running)
    let code = await running.ended
    for (let tries = 0; finishes && code !== 0 && mayFinish(running, tries); tries++) {
      await pause(FINISH_AGAIN_MS)
      if (late) break
      this.#launch(running)
      code = await running.ended
    }
    clearTimeout(timer)
    this.#running.delete(name)
    return code === 0 || (down && !finishes)
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.stop(name)))
  }

  #logOf(name: string): string {
    return join(this.#options.logs, `${name.replaceAll('/', '-')}.log`)
  }

  #launch(running: Running): void {
    const { part } = running
    mkdirSync(this.#options.logs, { recursive: true })
    const log = openSync(this.#logOf(part.name), 'a')
    const child = fork(part.file, [JSON.stringify(part.settings)], {
      stdio: ['ignore', log, log, 'ipc'],
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
    closeSync(log)
    running.child = child
    running.up = false
    running.launchedAt = performance.now()
    running.last = undefined
    running.ended = new Promise((ended) =>
      child.once('exit', (code, signal) => ended(code ?? (signal === null ? 1 : KILLED))),
    )
    child.on('message', (message: PartMessage) => {
      if (message.kind === 'ready') {
        running.ready = true
        running.up = true
        if (running.stopping) ask(running)
      }
      if (message.kind === 'failed') running.last = message
      running.hear(message)
    })
    void running.ended.then((code) => this.#ended(running, code))
  }

  #ended(running: Running, code: number): void {
    const { part, last } = running
    if (running.stopping && running.ready) return
    const again = part.restart === 'always' && code === KILLED && running.streak < STREAK_MAX
    if (!running.ready && (running.stopping || !again)) return running.refuse(code)
    if (performance.now() - running.launchedAt > STEADY_MS) running.streak = 0
    const hopeless =
      last === undefined || last.retry === undefined ? running.streak >= STREAK_MAX : last.retry === 'never'
    if (part.restart === 'never' || hopeless) {
      const died = new KtError('KT5002', `part "${part.name}" ended with ${code}`, {
        fix: `Read ${this.#logOf(part.name)}.`,
      })
      return this.#options.failed(part.name, last === undefined ? died : revive(part.name, last.error))
    }
    running.restarts++
    running.streak++
    this.#options.restarted(part.name, running.restarts)
    const pauseMs = Math.min(5000, 100 * 2 ** running.streak)
    setTimeout(() => !running.stopping && this.#launch(running), pauseMs)
  }
}

/** By a signal: nothing is wrong with the part, as when memory was short. */
const KILLED = 137

const ask = ({ child }: Running): void => void (child.connected && child.send({ kind: 'stop' }))

/** What nobody could explain as passing will hardly pass. */
const mayFinish = ({ last }: Running, tries: number): boolean =>
  last?.retry === 'passing' || (last?.retry !== 'never' && tries < FINISH_TRIES_MAX)

const FINISH_TRIES_MAX = 3
/** From the failure of a part that has something to finish to its next attempt. */
const FINISH_AGAIN_MS = 500
/** A part that lived this long did not die of its start. */
const STEADY_MS = 60_000
const STREAK_MAX = 50

/** An error as it crossed the channel between two processes. */
const revive = (part: string, error: unknown): KtError => {
  const { code = 'KT5002', message = 'unknown', where = part, why, fix } = error as Partial<KtError>
  return new KtError(code, message, {
    where,
    ...(why === undefined ? {} : { why }),
    ...(fix === undefined ? {} : { fix }),
  })
}
