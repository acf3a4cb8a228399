import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** A process under test: the lines it said, and its end. */
export class Child {
  readonly lines: string[] = []
  readonly process: ChildProcess
  #rest = ''
  #errors = ''
  readonly #closed: Promise<unknown>

  constructor(command: string, args: readonly string[]) {
    this.process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#closed = once(this.process, 'close')
    this.process.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop() ?? ''
      this.lines.push(...lines)
    })
    this.process.stderr!.setEncoding('utf8').on('data', (text: string) => void (this.#errors += text))
  }

  /** The first line that begins so. */
  async line(start: string): Promise<string> {
    for (;;) {
      const found = this.lines.find((line) => line.startsWith(start))
      if (found !== undefined) return found
      if (this.process.exitCode !== null)
        throw new Error(`the child ended without saying "${start}": ${this.#errors}`)
      await Promise.race([once(this.process.stdout!, 'data'), this.#closed])
    }
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL')
    await this.#closed
  }

  async end(): Promise<void> {
    await this.#closed
  }
}

/** Run a file beside this one. */
export const childOf = (file: string, ...args: readonly string[]): Child =>
  new Child(process.execPath, [join(import.meta.dirname, file), ...args])
