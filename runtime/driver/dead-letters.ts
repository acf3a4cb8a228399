import { createReadStream } from 'node:fs'
import { appendFile, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { HostError } from '../../graph/error.ts'
import type { DeadLetter, DeadLetters } from '../../graph/port.ts'
import { errnoOf, replaceFile, whenThere } from './disk.ts'
import { letterIn, letterPlace, letterText } from './letter.ts'
import type { LetterStore, StoredLetter } from './letter.ts'

export type { StoredLetter } from './letter.ts'

export interface DeadLetterOptions {
  /** A file that has reached this is followed by a new one. */
  readonly fileBytes?: number
  /** Beyond this the oldest file goes, and its letters are counted as dropped. */
  readonly bytesMax?: number
  /**
   * Letters that wait for the disk; beyond this the oldest are dropped. The longest frame that a socket takes
   * (8 MiB, a third more in base64) must fit.
   */
  readonly pendingBytesMax?: number
  /** The disk refused; it is tried again. */
  readonly refused?: (error: HostError) => void
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
 * Dead letters in a folder: files of lines, a line a letter (JSON, its bytes in base64), the newest kept
 * within a bound. The processes of a run write there, each to files of its own. `add` never waits; a letter
 * is on the disk soon after, and `flush` says when.
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
    const line = `${letterText(letter)}\n`
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
    this.#file = await created(this.#folder, (files.at(-1) ?? 0) + 1)
    this.#fileBytes = 0
    this.#opened = true
  }
}

/** The number of a new file: this one, or the first behind it that nobody else has taken meanwhile. */
const created = async (folder: string, number: number): Promise<number> => {
  try {
    await writeFile(fileOf(folder, number), '', { flag: 'wx' })
    return number
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
    return created(folder, number + 1)
  }
}

/**
 * The letters of a folder, oldest first, each by the name of its file and line. A line that is cut off (the
 * writer was killed in the middle of it) is passed over, and so is one that was removed.
 */
export async function* readDeadLetters(folder: string): AsyncGenerator<StoredLetter> {
  const removed = await removedIn(folder)
  for (const file of await filesOf(folder)) {
    let line = 0
    for await (const text of linesOf(fileOf(folder, file))) {
      line++
      const letter = letterIn(text)
      if (letter !== undefined && !removed.has(`${file}.${line}`)) yield { id: `${file}.${line}`, letter }
    }
  }
}

/**
 * Letters in a folder, for whoever looks after them while a run may write there: what is removed is only
 * noted as such, and a file goes when nothing is left in it and a later one is written. What two processes
 * wrote of one place is one letter.
 */
export const fileLetters = (folder: string): LetterStore => ({
  async *letters() {
    const seen = new Set<string>()
    for await (const one of readDeadLetters(folder)) {
      const place = letterPlace(one.letter)
      if (!seen.has(place)) yield one
      seen.add(place)
    }
  },
  remove: async (ids) => {
    const before = await removedIn(folder)
    const places = new Set<string>()
    for await (const { id, letter } of readDeadLetters(folder))
      if (ids.has(id)) places.add(letterPlace(letter))
    const found = new Set<string>()
    for await (const { id, letter } of readDeadLetters(folder))
      if (places.has(letterPlace(letter))) found.add(id)
    if (found.size > 0) await keepRemoved(folder, new Set([...before, ...found]))
    return places.size
  },
  close: () => Promise.resolve(),
})

/** Note what was removed, and drop the files of which nothing is left. The newest stays, for its number. */
const keepRemoved = async (folder: string, removed: ReadonlySet<string>): Promise<void> => {
  await replaceFile(join(folder, REMOVED), JSON.stringify([...removed]), true)
  const empty: number[] = []
  for (const file of (await filesOf(folder)).slice(0, -1)) {
    let line = 0
    let left = 0
    for await (const text of linesOf(fileOf(folder, file)))
      if (!removed.has(`${file}.${++line}`) && letterIn(text) !== undefined) left++
    if (left === 0) empty.push(file)
  }
  if (empty.length === 0) return
  for (const file of empty) await rm(fileOf(folder, file))
  const rest = [...removed].filter((id) => !empty.includes(Number(id.split('.')[0])))
  await replaceFile(join(folder, REMOVED), JSON.stringify(rest), true)
}

const REMOVED = 'removed.json'

const removedIn = async (folder: string): Promise<ReadonlySet<string>> => {
  const text = await whenThere(readFile(join(folder, REMOVED), 'utf8'))
  return new Set(text === undefined ? [] : (JSON.parse(text) as readonly string[]))
}

const linesOf = (file: string): AsyncIterable<string> =>
  createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Infinity })

const refusal = (folder: string, cause: unknown): HostError =>
  new HostError('KT3012', `the disk refused dead letters (${errnoOf(cause)})`, {
    where: folder,
    why: 'They wait in memory; beyond a bound the oldest are dropped and counted.',
    fix: 'Make space, or look at the rights of the folder and at the disk.',
    retry: { afterMs: AGAIN_MS },
    cause,
  })
