import { createWriteStream, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { constants, createZstdCompress } from 'node:zlib'
import type { ZstdCompress } from 'node:zlib'
import type { AnySource, Frame, SourceHost } from '../../graph/source.ts'
import type { Recorded } from '../replay.ts'

/** The first line of every tape. */
const HEADER = '{"kt":"tape/1"}'

export interface CaptureOptions {
  /** The folder of the tapes; made when it is not there. */
  readonly folder: string
  /** A tape of this many bytes before packing is ended, and the next begun. */
  readonly rollBytes?: number
  /** Times of the day in file names come from the first message, so that none is asked for here. */
  readonly name?: string
}

/**
 * Writes kt's own tapes: every message as it came, and every row of kt's own between them. Lines are
 * `<received> <stream> <bytes>`, a stream being declared by a line `<received> + {...}`; a message with a line break in
 * it is `<received> <stream>= <base64>`, a row is `<received> ! {...}`. Packed by zstd.
 */
export interface Capture extends Pick<SourceHost, 'frame' | 'system'> {
  readonly counts: { frames: number; bytes: number; files: number }
  readonly close: () => Promise<void>
}

export const openCapture = ({ folder, rollBytes = 512 << 20, name = 'tape' }: CaptureOptions, source: AnySource): Capture => {
  mkdirSync(folder, { recursive: true })
  const counts = { frames: 0, bytes: 0, files: 0 }
  const ended: Promise<unknown>[] = []
  let [packer, written]: [ZstdCompress | undefined, number] = [undefined, 0]
  let streams = new Map<string, number>()
  const end = (): void => {
    packer?.end()
    packer = undefined
  }
  const line = (received: number, kind: string, body: Uint8Array | string): void => {
    if (packer !== undefined && written >= rollBytes) end()
    if (packer === undefined) {
      counts.files += 1
      const at = new Date(received / 1000).toISOString().replace(/[-:]|\..*/g, '')
      packer = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 6 } })
      const file = createWriteStream(join(folder, `${name}-${source.name}-${at}-${counts.files}.tape.zst`))
      ended.push(finished(packer.pipe(file)))
      packer.write(`${HEADER}\n`)
      written = 0
      streams = new Map()
    }
    packer.write(`${received} ${kind} `)
    packer.write(body)
    packer.write('\n')
    written += body.length + 24
    counts.bytes += body.length
  }
  const streamOf = (frame: Frame<never>, limit: number): number => {
    const { channel, symbol, connection, epoch } = frame
    const key = `${channel} ${symbol ?? ''} ${connection} ${epoch} ${limit}`
    const known = packer === undefined || written >= rollBytes ? undefined : streams.get(key)
    if (known !== undefined) return known
    const body = JSON.stringify({ source: source.name, channel, symbol, connection, epoch, ...(limit > 0 ? { limit } : {}) })
    line(frame.received, '+', body)
    const stream = streams.size + 1
    streams.set(key, stream)
    return stream
  }
  return {
    counts,
    frame: (frame) => {
      let limit = 0
      // Its readers keep track of books while they map, and a snapshot says how deep it was asked for.
      try {
        frame.read((_, row) => { limit = (row as { readonly horizon?: number }).horizon ?? limit })
      } catch {
        limit = 0
      }
      const stream = streamOf(frame, frame.connection === 0 && frame.symbol !== undefined ? limit : 0)
      const broken = frame.bytes.includes(10)
      counts.frames += 1
      line(frame.received, broken ? `${stream}=` : String(stream), broken ? Buffer.from(frame.bytes).toString('base64') : Buffer.from(frame.bytes))
    },
    system: (schema, row) => line((row as { readonly received: number }).received, '!', JSON.stringify({ source: source.name, schema, row })),
    close: async () => {
      end()
      await Promise.all(ended)
    },
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
    if (kind === '!') return { what: 'row', received, ...(JSON.parse(body.toString()) as { source: string; schema: 'control'; row: object }) }
    const declared = streams[Number.parseInt(kind, 10) - 1]
    if (declared === undefined) return undefined
    const { source, channel, symbol, connection, epoch, limit } = declared
    const bytes = kind.endsWith('=') ? Buffer.from(body.toString('latin1'), 'base64') : body
    if (limit !== undefined && symbol !== undefined) return { what: 'seed', received, source, channel, symbol, limit, bytes }
    return { what: 'message', received, source, channel, symbol, connection, epoch, bytes }
  }
}
