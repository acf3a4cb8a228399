import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')

/** The runs of tests are not the user's last one. */
const LAST = join(tmpdir(), `kt-last-run-${process.pid}`)

export interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/**
 * A command of kt, started as a user would; the leader of its own process group, so that all of it can be
 * killed.
 */
export const start = (
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): { readonly child: ChildProcess; readonly ended: Promise<Ended> } => {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(root, 'cli/main.ts'), ...args],
    {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', KT_LAST: LAST, ...environment },
    },
  )
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const ended = new Promise<Ended>((done) =>
    child.once('close', (code, signal) => done({ code: code ?? (signal === null ? 1 : 137), out, err })),
  )
  return { child, ended }
}

/** Run a command of kt to its end. */
export const kt = (...args: readonly string[]): Promise<Ended> => start(args).ended

/** Kill a command and everything it started, at once. */
export const killTree = (child: ChildProcess): void => {
  try {
    process.kill(-child.pid!, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}

/** The process that has a word, and the folder of its run, on its command line. */
export const pidOf = (word: string, data: string): number | undefined => {
  for (const file of globSync('/proc/[0-9]*/cmdline')) {
    try {
      const line = readFileSync(file, 'utf8')
      if (line.includes(word) && line.includes(data)) return Number(file.split('/')[2])
    } catch {
      // It has ended meanwhile.
    }
  }
  return undefined
}

/** A folder that is there for the length of a test. */
export const temporary = (): { readonly path: string; readonly [Symbol.dispose]: () => void } => {
  const path = mkdtempSync(join(tmpdir(), 'kt-e2e-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
