import { writeSync } from 'node:fs'
import { HostError, KtError } from '../../graph/error.ts'
import type { PartMessage } from './fleet.ts'

/** What a started part can be asked. */
export interface Served {
  readonly facts: Readonly<Record<string, unknown>>
  readonly stop: () => Promise<void>
}

/** How a part speaks to its parent. */
export interface Parent {
  readonly status: (status: unknown) => void
  /** All there was to do is done: the parent decides what follows. */
  readonly done: () => void
  /** This part cannot go on: the parent hears why, and the process ends. */
  readonly failed: (error: unknown) => void
}

const send = (message: PartMessage): void => void (process.connected && process.send?.(message))

/** An error as plain data, for a channel or for `--json`. */
export const plainError = (error: unknown): Readonly<Record<string, unknown>> => {
  if (error instanceof KtError) {
    const { code, message, where, why, fix } = error
    return { code, message, where, why, fix: fix === undefined ? [] : [fix] }
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error))
  return {
    code: 'KT9001',
    message,
    where: stack?.split('\n')[1]?.trim(),
    why: undefined,
    fix: ['Report this with the lines above.'],
  }
}

/**
 * Be a part: read the settings, start, stop when the parent says so or is gone. A terminal's Ctrl-C,
 * `timeout` and systemd reach every process of a group, so parts leave signals to their parent, who knows in
 * what order they can stop.
 */
export const servePart = async <S>(
  start: (settings: S, parent: Parent) => Promise<Served>,
): Promise<void> => {
  unbreakable(process.stdout)
  unbreakable(process.stderr)
  let served: Served | undefined
  let stopping = false
  const stop = async (): Promise<void> => {
    if (stopping) return
    stopping = true
    try {
      await served?.stop()
      process.exit(0)
    } catch (error) {
      fail(error)
    }
  }
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => process.connected || void stop())
  process.on('disconnect', () => void stop())
  process.on('message', (message) => (message as { kind?: string }).kind === 'stop' && void stop())
  process.on('uncaughtException', fail)
  process.on('unhandledRejection', fail)
  try {
    const settings = JSON.parse(process.argv[2] ?? '{}') as S
    served = await start(settings, {
      status: (status) => send({ kind: 'status', status }),
      done: () => send({ kind: 'done' }),
      failed: fail,
    })
    send({ kind: 'ready', facts: served.facts })
  } catch (error) {
    fail(error)
  }
}

/** A log on a full disk loses lines; the process that writes them must go on. */
const unbreakable = (stream: NodeJS.WriteStream & { readonly fd: number }): void => {
  stream.write = (text: string | Uint8Array): boolean => {
    try {
      writeSync(stream.fd, typeof text === 'string' ? Buffer.from(text) : text)
    } catch {
      return false
    }
    return true
  }
}

const fail = (error: unknown): void => {
  console.error(error)
  send({ kind: 'failed', error: plainError(error), retry: retryOf(error) })
  setTimeout(() => process.exit(1), 50)
}

/** Whether the same start would fail the same way: a full disk passes, a damaged log does not. */
const retryOf = (error: unknown): 'never' | 'passing' | undefined => {
  if (!(error instanceof HostError)) return undefined
  return error.retry === 'never' ? 'never' : 'passing'
}
