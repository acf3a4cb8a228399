import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable, Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { failureOf, refusal } from './chdb-engine.ts'
import { decodeLz4 } from './chdb-lz4.ts'

/** SQL text longer than this is refused; ClickHouse's own bound on parsing is 256 KiB (`max_query_size`). */
const statementMaxBytes = 1 << 20

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
}

/** A body's bytes without their Content-Encoding. Never decoded as text: rows may be in a binary format. */
export const decoded = (body: Readable, encoding: string | undefined): AsyncIterable<Buffer> => {
  const name = (encoding ?? '').trim().toLowerCase()
  if (name === '' || name === 'identity') return body
  if (name === 'lz4') return decodeLz4(body)
  const decode = decoders[name]?.()
  if (decode === undefined) {
    throw refusal(
      48,
      'NOT_IMPLEMENTED',
      `Content-Encoding ${name} is not spoken here; use gzip, deflate, br, zstd or lz4`,
    )
  }
  body.on('error', (error) => decode.destroy(error))
  return body.pipe(decode)
}

export interface Body {
  /** The first bytes: a statement that brings no rows is wholly in them. */
  readonly head: Buffer
  readonly complete: boolean
  /** The bytes behind the head, once. */
  rest(): AsyncIterable<Buffer>
}

const unreadable = (thrown: unknown): Error => {
  const why = thrown instanceof Error ? thrown.message : String(thrown)
  return refusal(354, 'ZLIB_INFLATE_FAILED', `the request body could not be decompressed: ${why}`)
}

/** Read a body until its statement is known to be in hand: `enough` bytes, or its end. */
export const openBody = async (stream: AsyncIterable<Buffer>, enough: number): Promise<Body> => {
  const source = stream[Symbol.asyncIterator]()
  const chunks: Buffer[] = []
  let size = 0
  const next = () => source.next().catch((thrown: unknown) => Promise.reject(unreadable(thrown)))
  let step = await next()
  while (step.done !== true) {
    chunks.push(step.value)
    size += step.value.length
    if (size >= enough) break
    step = await next()
  }
  return {
    head: Buffer.concat(chunks),
    complete: step.done === true,
    async *rest() {
      for (let more = await next(); more.done !== true; more = await next()) yield more.value
    },
  }
}

/** All of a statement's text. @throws ClickHouse error 62 when it is too long */
export const wholeText = async (head: Buffer, body: Body): Promise<string> => {
  const chunks = [head]
  let size = head.length
  if (!body.complete) {
    for await (const chunk of body.rest()) {
      chunks.push(chunk)
      size += chunk.length
      if (size > statementMaxBytes) break
    }
  }
  if (size > statementMaxBytes)
    throw refusal(62, 'QUERY_IS_TOO_LARGE', `the statement is longer than ${statementMaxBytes} bytes`)
  return Buffer.concat(chunks).toString('utf8')
}

/** A body's rows, in a file that the engine reads. */
export interface Spooled {
  readonly file: string
  readonly bytes: number
  remove(): void
}

export interface Spool {
  keep(first: Buffer, body: Body): Promise<Spooled>
}

/**
 * A folder for rows on their way in. The engine's raw-insert entry cuts binary rows at the first blank line,
 * so rows go through a file. Leftovers of a killed process are removed.
 * @param maxBytes of one body; all bodies together may hold four times as much
 */
export const openSpool = (folder: string, maxBytes: number): Spool => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { force: true })
  let held = 0
  let number = 0
  const room = (own: number) => {
    if (own > maxBytes) {
      throw refusal(
        307,
        'TOO_MANY_BYTES',
        `the request body is larger than ${maxBytes} bytes; insert in smaller batches`,
      )
    }
    if (held > maxBytes * 4)
      throw refusal(202, 'TOO_MANY_SIMULTANEOUS_QUERIES', 'too many rows wait to be inserted; try again')
  }
  const keep = async (first: Buffer, body: Body): Promise<Spooled> => {
    const file = join(folder, `${process.pid}-${++number}`)
    let bytes = 0
    const remove = () => {
      held -= bytes
      bytes = 0
      rmSync(file, { force: true })
    }
    const take = async (out: Gathering, chunk: Buffer): Promise<void> => {
      bytes += chunk.length
      held += chunk.length
      room(bytes)
      await out.add(chunk)
    }
    try {
      const handle = await open(file, 'w', 0o600)
      try {
        const out = new Gathering(handle)
        await take(out, first)
        if (!body.complete) for await (const chunk of body.rest()) await take(out, chunk)
        await out.write()
      } finally {
        await handle.close()
      }
    } catch (thrown) {
      remove()
      throw (thrown as NodeJS.ErrnoException).code === 'ENOSPC' ? noSpace(thrown) : thrown
    }
    return { file, bytes, remove }
  }
  return { keep }
}

const WRITE_BYTES = 1 << 20

/** Chunks on their way into a file: a call for each of them costs more than writing it. */
class Gathering {
  readonly #handle: FileHandle
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async add(chunk: Buffer): Promise<void> {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes >= WRITE_BYTES) await this.write()
  }

  async write(): Promise<void> {
    const chunks = this.#chunks
    const all = this.#bytes
    this.#chunks = []
    this.#bytes = 0
    if (all === 0) return
    const { bytesWritten } = await this.#handle.writev(chunks)
    // A disk that is nearly full takes a part, and says so when it is given the rest.
    if (bytesWritten < all) await this.#handle.appendFile(Buffer.concat(chunks).subarray(bytesWritten))
  }
}

const noSpace = (thrown: unknown): Error =>
  refusal(243, 'NOT_ENOUGH_SPACE', `the disk is full: ${failureOf(thrown).text}`)
