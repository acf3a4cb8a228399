import type { ChildProcess } from 'node:child_process'
import { globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect } from 'vitest'
import { killTree, kt, start, temporary } from './command.ts'
import type { Ended } from './command.ts'

export const root = resolve(import.meta.dirname, '../..')
export const SMALL = ['--port', '0', '--pairs', '2', '--rate', '60']

export interface Verified {
  readonly ok: boolean
  readonly findings: readonly string[]
  readonly topics: readonly { readonly topic: string; readonly log: number }[]
}

/** A run whose words are read while it goes on. */
interface Run {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  readonly said: () => string
  readonly pid: (part: string) => number
}

export const children: ChildProcess[] = []
const folders: { readonly [Symbol.dispose]: () => void }[] = []
afterEach(async () => {
  for (const child of children.splice(0)) killTree(child)
  await pause(300)
  for (const folder of folders.splice(0)) folder[Symbol.dispose]()
})

export const folder = (): string => {
  const made = temporary()
  folders.push(made)
  return made.path
}

export const begin = async (data: string, ...flags: readonly string[]): Promise<Run> => {
  const { child, ended } = start(['dev', '--data', data, ...SMALL, ...flags])
  children.push(child)
  let text = ''
  child.stderr!.on('data', (part: string) => (text += part))
  const run: Run = {
    child,
    ended,
    said: () => text,
    pid: (part) => Number(new RegExp(`^ +${part} .*process (\\d+)`, 'm').exec(text)?.[1]),
  }
  await says(run, /kt verify/)
  return run
}

/** Wait until a run has said something. */
export const says = async (run: Pick<Run, 'said'>, what: RegExp, withinMs = 60_000): Promise<void> => {
  for (const until = Date.now() + withinMs; !what.test(run.said());) {
    if (Date.now() > until) throw new Error(`no word of ${String(what)} in:\n${run.said()}`)
    await pause(50)
  }
}

export const drained = async (run: Run): Promise<Ended> => {
  process.kill(run.child.pid!, 'SIGINT')
  return run.ended
}

/** Processes that name this folder on their command line. */
const alive = (data: string): readonly string[] =>
  readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        return line.includes(data) ? [line.replaceAll('\0', ' ')] : []
      } catch {
        return []
      }
    })

/** What a command started ends with it, within a moment: nothing is left running. */
export const nothingRuns = async (data: string): Promise<void> => {
  for (const until = Date.now() + 5000; alive(data).length > 0 && Date.now() < until;) await pause(100)
  expect(alive(data)).toEqual([])
}

export const verified = async (data: string): Promise<Verified> => {
  const { out, err } = await kt('verify', '--json', '--data', data)
  if (!out.startsWith('{')) throw new Error(`${err}${out}`)
  return JSON.parse(out) as Verified
}

export const rowsOf = ({ topics }: Verified, name: string): number =>
  topics.find(({ topic }) => topic === name)!.log

export const flip = (file: string, at: number): void => {
  const bytes = readFileSync(file)
  for (let i = at; i < at + 4; i++) bytes[i]! ^= 0xff
  writeFileSync(file, bytes)
}

export const checkpoints = (data: string): readonly string[] =>
  globSync(join(data, 'state/checkpoints/*/*.ckpt')).toSorted()
export const logOf = (data: string, part: string): string =>
  readFileSync(join(data, 'logs', `${part}.log`), 'utf8')
