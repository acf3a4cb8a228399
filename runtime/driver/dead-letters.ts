import { createReadStream } from 'node:fs'
import { appendFile, mkdir, readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { HostError } from '../../graph/error.ts'
import type { DeadLetter, DeadLetters } from '../../graph/port.ts'
import { errnoOf, whenThere } from './disk.ts'

export interface DeadLetterOptions {
  /** A file that has reached this is followed by a new one. */
  readonly fileBytes?: number
  /** Beyond this the oldest file goes, and its letters are counted as dropped. */
  readonly bytesMax?: number
  /**
   * Letters that wait for the disk; beyond this the oldest are dropped. The longest frame that a socket takes
   * (16 MiB, a third more in base64) must fit.
   */
  readonly pendingBytesMax?: number
  /** The disk refused; it is tried again. */
  readonly refused?: (error: HostError) => void
}

/** A letter with its name: the file and the line where it lies. */
export interface StoredLetter {
  readonly id: string
  readonly letter: DeadLetter
}

const FILE = /^(\d{8})\.jsonl$/
const AGAIN_MS = 1000

const fileOf = (folder: string, number: number): string =>
  join(folder, `${String(number).padStart(8, '0')}.jsonl`)

const filesOf = async (folder: string): Promise<readonly number[]> =>
  ((await whenThere(readdir(folder))) ?? [])
    .flatMap((name) => FILE.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)

/**
 * Dead letters in a folder of one writer: files of lines, a line a letter (JSON, its bytes in base64), the
 * newest kept within a bound. `add` never waits; a letter is on the disk soon after, and `flush` says when.
 */
export class FileDeadLetters implements DeadLetters {
  readonly #folder: string
  readonly #options: Required<DeadLetterOptions>
  #lines: string[] = []
  #pendingBytes = 0
  #file = 0
  #fileBytes = 0
  #dropped = 0
  #running: Promise<void> | undefined
  #opened = false
  #closed = false

  constructor(folder: string, options: DeadLetterOptions = {}) {
    this.#folder = folder
    this.#options = {
      fileBytes: options.fileBytes ?? 8 << 20,
      bytesMax: options.bytesMax ?? 256 << 20,
      pendingBytesMax: options.pendingBytesMax ?? 64 << 20,
      refused: options.refused ?? (() => undefined),
    }
  }

  /** How many letters were dropped since this was opened. */
  get dropped(): number {
    return this.#dropped
  }

  readonly add = (letter: DeadLetter): void => {
    const line = `${JSON.stringify({ ...letter, bytes: Buffer.from(letter.bytes).toString('base64') })}\n`
    this.#lines.push(line)
    this.#pendingBytes += line.length
    while (this.#pendingBytes > this.#options.pendingBytesMax) {
      this.#pendingBytes -= this.#lines.shift()!.length
      this.#dropped++
    }
    this.#running ??= this.#run()
  }

  /** All that was added is with the system, or was refused. */
  async flush(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.flush()
  }

  async #run(): Promise<void> {
    // Letters of the same turn leave together.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#lines.length > 0) {
      const lines = this.#lines
      this.#lines = []
      try {
        await this.#write(lines.join(''))
        this.#pendingBytes -= lines.reduce((sum, line) => sum + line.length, 0)
      } catch (error) {
        if (errnoOf(error) === undefined) throw error
        this.#lines = [...lines, ...this.#lines]
        this.#options.refused(refusal(this.#folder, error))
        break
      }
    }
    this.#running = undefined
    if (this.#lines.length === 0 || this.#closed) return
    setTimeout(() => (this.#running ??= this.#run()), AGAIN_MS).unref()
  }

  async #write(text: string): Promise<void> {
    // The last file may end in half a letter: it is not written again.
    if (!this.#opened || this.#fileBytes >= this.#options.fileBytes) await this.#begin()
    const file = fileOf(this.#folder, this.#file)
    try {
      await appendFile(file, text)
      this.#fileBytes += Buffer.byteLength(text)
    } catch (error) {
      // What got through would be there twice. Where it cannot be cut off either, a new file keeps later
      // lines whole.
      this.#opened = false
      await truncate(file, this.#fileBytes).catch(() => undefined)
      throw error
    }
  }

  async #begin(): Promise<void> {
    await mkdir(this.#folder, { recursive: true })
    const files = await filesOf(this.#folder)
    const sizes = await Promise.all(files.map(async (file) => (await stat(fileOf(this.#folder, file))).size))
    let kept = sizes.reduce((sum, size) => sum + size, this.#options.fileBytes)
    for (const [i, file] of files.entries()) {
      if (kept <= this.#options.bytesMax) break
      for await (const _ of linesOf(fileOf(this.#folder, file))) this.#dropped++
      await rm(fileOf(this.#folder, file))
      kept -= sizes[i]!
    }
    this.#file = (files.at(-1) ?? 0) + 1
    this.#fileBytes = 0
    this.#opened = true
  }
}

/**
 * The letters of a folder, oldest first. A line that is cut off (the writer was killed in the middle of it)
 * is passed over.
 */
export async function* readDeadLetters(folder: string): AsyncGenerator<StoredLetter> {
  for (const file of await filesOf(folder)) {
    let line = 0
    for await (const text of linesOf(fileOf(folder, file))) {
      line++
      const letter = letterOf(text)
      if (letter !== undefined) yield { id: `${file}.${line}`, letter }
    }
  }
}

const linesOf = (file: string): AsyncIterable<string> =>
  createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Infinity })

const letterOf = (text: string): DeadLetter | undefined => {
  try {
    const { bytes, symbol, ...rest } = JSON.parse(text) as Omit<DeadLetter, 'bytes'> & {
      readonly bytes: string
    }
    return { ...rest, symbol, bytes: new Uint8Array(Buffer.from(bytes, 'base64')) }
  } catch {
    return undefined
  }
}

const refusal = (folder: string, cause: unknown): HostError =>
  new HostError('KT3012', `the disk refused dead letters (${errnoOf(cause)})`, {
    where: folder,
    why: 'They wait in memory; beyond a bound the oldest are dropped and counted.',
    fix: 'Make space, or look at the rights of the folder and at the disk.',
    retry: { afterMs: AGAIN_MS },
    cause,
  })
