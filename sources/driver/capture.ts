import { createWriteStream, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { constants, createZstdCompress } from 'node:zlib'
import type { ZstdCompress } from 'node:zlib'
import type { AnySource, SourceHost } from '../../graph/source.ts'
import type { Recorded } from '../replay.ts'

/** The first line of every tape. */
const HEADER = '{"kt":"tape/1"}'

interface CaptureOptions {
  /** The folder of the tapes; made when it is not there. */
  readonly folder: string
  /** A tape of this many bytes before packing is ended, and the next begun. */
  readonly rollBytes?: number
  /** How file names begin; the time in them is that of the first message. */
  readonly name?: string
}

/**
 * Writes kt's own tapes: every message as it came, and every row of kt's own between them. Lines are
 * `<received> <stream> <bytes>`, a stream being declared by a line `<received> + {...}`; a message with a
 * line break in it is `<received> <stream>= <base64>`, a row is `<received> ! {...}`. Packed by zstd.
 */
interface Capture extends Pick<SourceHost, 'frame' | 'system'> {
  readonly counts: { frames: number; bytes: number; files: number }
  readonly close: () => Promise<void>
}

export const openCapture = (
  { folder, rollBytes = 512 << 20, name = 'tape' }: CaptureOptions,
  source: AnySource,
): Capture => {
  mkdirSync(folder, { recursive: true })
  const writer = new TapeWriter(join(folder, `${name}-${source.name}`), rollBytes)
  return {
    counts: writer.counts,
    frame: (frame) => {
      // Its readers keep track of books while they map, and a snapshot says how deep it was asked for.
      let limit = 0
      try {
        frame.read((_, row) => {
          limit = (row as { readonly horizon?: number }).horizon ?? limit
        })
      } catch {
        limit = 0
      }
      const { channel, symbol, connection, epoch, received, bytes } = frame
      const asked = connection === 0 && symbol !== undefined && limit > 0 ? { limit } : {}
      const stream = writer.stream(
        received,
        JSON.stringify({ source: source.name, channel, symbol, connection, epoch, ...asked }),
      )
      writer.counts.frames += 1
      if (bytes.includes(LINE_BREAK)) {
        writer.line(received, `${stream}=`, Buffer.from(bytes).toString('base64'))
      }
      // The bytes are valid only now, and are packed later.
      else writer.line(received, String(stream), Buffer.from(bytes))
    },
    system: (schema, row) => {
      const { received } = row as { readonly received: number }
      writer.line(received, '!', JSON.stringify({ source: source.name, schema, row }))
    },
    close: () => writer.close(),
  }
}

const LINE_BREAK = 10

/** Lines of tapes, one file after another. */
class TapeWriter {
  readonly counts = { frames: 0, bytes: 0, files: 0 }
  readonly #prefix: string
  readonly #rollBytes: number
  readonly #ended: Promise<unknown>[] = []
  #packer: ZstdCompress | undefined
  #written = 0
  /** Numbers of what was declared in this file. */
  #streams = new Map<string, number>()

  constructor(prefix: string, rollBytes: number) {
    this.#prefix = prefix
    this.#rollBytes = rollBytes
  }

  /** The number of a stream, which is declared where the file does not know it yet. */
  stream(received: number, declared: string): number {
    this.#roll(received)
    const known = this.#streams.get(declared)
    if (known !== undefined) return known
    this.line(received, '+', declared)
    const number = this.#streams.size + 1
    this.#streams.set(declared, number)
    return number
  }

  line(received: number, kind: string, body: Uint8Array | string): void {
    const packer = this.#packer ?? this.#roll(received)
    packer.write(`${received} ${kind} `)
    packer.write(body)
    packer.write('\n')
    this.#written += body.length
    this.counts.bytes += body.length
  }

  async close(): Promise<void> {
    this.#packer?.end()
    this.#packer = undefined
    await Promise.all(this.#ended)
  }

  #roll(received: number): ZstdCompress {
    if (this.#packer !== undefined && this.#written < this.#rollBytes) return this.#packer
    this.#packer?.end()
    this.counts.files += 1
    const at = new Date(received / 1000).toISOString().replace(/[-:]|\..*/g, '')
    const file = createWriteStream(`${this.#prefix}-${at}-${this.counts.files}.tape.zst`)
    const packer = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 6 } })
    this.#ended.push(finished(packer.pipe(file)))
    packer.write(`${HEADER}\n`)
    this.#packer = packer
    this.#written = 0
    this.#streams = new Map()
    return packer
  }
}

interface Declared {
  readonly source: string
  readonly channel: string
  readonly symbol?: string
  readonly connection: number
  readonly epoch: number
  readonly limit?: number
}

/** Reads the lines of a tape, one after another. */
export const tapeReader = (): ((line: Buffer) => Recorded | undefined) => {
  const streams: Declared[] = []
  return (line) => {
    if (line[0] === 0x7b) return undefined
    const space = line.indexOf(32)
    const second = line.indexOf(32, space + 1)
    const received = Number(line.toString('latin1', 0, space))
    const kind = line.toString('latin1', space + 1, second)
    const body = line.subarray(second + 1)
    if (kind === '+') {
      streams.push(JSON.parse(body.toString()) as Declared)
      return undefined
    }
    if (kind === '!') {
      return {
        what: 'row',
        received,
        ...(JSON.parse(body.toString()) as { source: string; schema: 'control'; row: object }),
      }
    }
    const declared = streams[Number.parseInt(kind, 10) - 1]
    if (declared === undefined) return undefined
    const { source, channel, symbol, connection, epoch, limit } = declared
    const bytes = kind.endsWith('=') ? Buffer.from(body.toString('latin1'), 'base64') : body
    if (limit !== undefined && symbol !== undefined) {
      return { what: 'seed', received, source, channel, symbol, limit, bytes }
    }
    return { what: 'message', received, source, channel, symbol, connection, epoch, bytes }
  }
}
