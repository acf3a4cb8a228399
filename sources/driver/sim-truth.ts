import {
  closeSync, createReadStream, existsSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseTruth, type Truth, TruthCounter, type TruthSummary } from '../sim/truth.ts'

/** An open truth log. */
export interface TruthFile {
  readonly write: (line: string) => void
  /** Writes what is buffered. */
  readonly flush: () => void
  readonly close: () => void
}

const parts = 16
const bufferLetters = 1 << 18
const leastPartBytes = 1 << 16
const restBytesMax = 1 << 26

/**
 * Opens a truth log for appending: JSON lines in `path`, older parts in `path.000001`, `path.000002`, ...
 * in order of age. Lines are buffered and written by `flush`, `close`, and whenever a quarter of a megabyte
 * has gathered.
 */
export function openTruth(path: string, maxBytes = 1 << 30): TruthFile {
  mkdirSync(dirname(path), { recursive: true })
  const partBytes = Math.max(leastPartBytes, Math.floor(maxBytes / (parts + 1)))
  const patience = Math.min(bufferLetters, partBytes / 4)
  let file = openSync(path, 'a')
  let size = statSync(path).size
  let buffer: string[] = []
  let rest: Uint8Array = new Uint8Array()
  let letters = 0
  const flush = (): void => {
    if (buffer.length === 0) return
    const bytes = Buffer.concat([rest, Buffer.from(`${buffer.join('\n')}\n`)])
    buffer = []
    letters = 0
    let written = 0
    try {
      while (written < bytes.length) written += writeSync(file, bytes, written)
    } catch (error) {
      // A full disk does not stop the exchange: what it would not take is written with the next lines.
      if (bytes.length - written > restBytesMax) throw error
    }
    rest = bytes.subarray(written)
    size += written
    if (size < partBytes || rest.length > 0) return
    closeSync(file)
    const older = olderParts(path)
    const number = Number(older.at(-1)?.slice(-6) ?? 0) + 1
    renameSync(path, `${path}.${String(number).padStart(6, '0')}`)
    for (const part of older.slice(0, Math.max(0, older.length + 2 - parts))) rmSync(part)
    file = openSync(path, 'a')
    size = 0
  }
  return {
    write: (line) => {
      buffer.push(line)
      letters += line.length
      if (letters >= patience) flush()
    },
    flush,
    close: () => {
      flush()
      closeSync(file)
    },
  }
}

/**
 * Reads a truth log back, oldest record first, through all its parts. A line cut off by a crash is left
 * out.
 */
export async function* readTruth(path: string): AsyncGenerator<Truth> {
  const files = [...olderParts(path), path].filter((file) => existsSync(file))
  if (files.length === 0) throw new Error(`there is no truth log at ${path}`)
  for (const file of files) {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      const truth = parseTruth(line)
      if (truth !== undefined) yield truth
    }
  }
}

/** Counts a truth log by venue, symbol and kind: what `kt sim truth` prints. */
export async function truthSummary(path: string): Promise<TruthSummary> {
  const counter = new TruthCounter()
  for await (const truth of readTruth(path)) counter.add(truth)
  return counter.summary()
}

function olderParts(path: string): readonly string[] {
  const folder = dirname(path)
  if (!existsSync(folder)) return []
  const prefix = `${basename(path)}.`
  return readdirSync(folder)
    .filter((name) => name.startsWith(prefix) && /^\d{6}$/.test(name.slice(prefix.length)))
    .sort().map((name) => join(folder, name))
}
