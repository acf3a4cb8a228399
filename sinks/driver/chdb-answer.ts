import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Transform, Writable } from 'node:stream'
import { createBrotliCompress, createDeflate, createGzip, createZstdCompress } from 'node:zlib'
import type { Failure, Outcome } from './chdb-engine.ts'

/** The engine's own words about itself, for response headers. */
export interface Identity {
  readonly version: string
  readonly timezone: string
}

const encoders: readonly (readonly [string, () => Transform])[] = [
  ['zstd', () => createZstdCompress()],
  ['gzip', () => createGzip({ level: 3 })],
  ['br', () => createBrotliCompress()],
  ['deflate', () => createDeflate()],
]

/** The first encoding of ours that the client accepts. */
const encoderFor = (accepted: string) => {
  const names = accepted.split(',').map((part) => part.trim().split(';'))
  const wanted = new Set(
    names.filter(([, weight]) => !/^\s*q=0(\.0*)?$/.test(weight ?? '')).map(([name]) => name),
  )
  return encoders.find(([name]) => wanted.has(name))
}

/** Error codes whose HTTP status is not 500, as a server answers them. */
const statuses: Readonly<Record<number, readonly number[]>> = {
  400: [
    6, 10, 15, 25, 26, 27, 36, 38, 41, 43, 44, 53, 55, 62, 72, 117, 130, 167, 168, 190, 354, 376, 427, 441,
    456, 467, 632,
  ],
  401: [516],
  403: [164, 192, 193, 497],
  404: [46, 47, 50, 60, 73, 81, 115, 152, 277, 372, 511],
  408: [159],
  413: [307],
  501: [48],
  503: [76, 202, 373],
  507: [243],
}

const statusOf = (code: number): number =>
  Number(Object.entries(statuses).find(([, codes]) => codes.includes(code))?.[0] ?? 500)

const summary = (outcome: Outcome | undefined): string =>
  JSON.stringify({
    read_rows: String(outcome?.rowsRead ?? 0),
    read_bytes: String(outcome?.bytesRead ?? 0),
    written_rows: String(outcome?.rowsWritten ?? 0),
    written_bytes: String(outcome?.bytesWritten ?? 0),
    total_rows_to_read: '0',
    result_rows: String(outcome?.rowsWritten ?? 0),
    result_bytes: String(outcome?.bytesWritten ?? 0),
    elapsed_ns: String(Math.round((outcome?.elapsed ?? 0) * 1e9)),
  })

const contentType = (format: string): string => {
  if (/^JSON(?!EachRow|Compact.*EachRow|StringsEachRow)/.test(format))
    return 'application/json; charset=UTF-8'
  if (/EachRow/.test(format)) return 'application/x-ndjson; charset=UTF-8'
  if (/^CSV/.test(format)) return 'text/csv; charset=UTF-8; header=absent'
  if (/^(?:TabSeparated|TSV)/.test(format)) return 'text/tab-separated-values; charset=UTF-8'
  return /^(?:Native|RowBinary|Arrow|Parquet|ORC|Avro|MsgPack|BSON)/.test(format)
    ? 'application/octet-stream'
    : 'text/plain; charset=UTF-8'
}

const bodiless = ({ headers }: IncomingMessage) =>
  headers['content-length'] === undefined && headers['transfer-encoding'] === undefined

/** Wait until a slow reader has room again, or has gone. */
const room = (stream: Writable, gone: AbortSignal): Promise<unknown> =>
  once(stream, 'drain', { signal: gone }).catch(() => undefined)

/** How one request is answered: rows as they come, an error at any time. */
export interface Answer {
  /** @param outcome when it is known before the first byte; a stream's summary is all zeros */
  head(format: string, outcome?: Outcome): void
  write(bytes: Uint8Array): Promise<void>
  end(): void
  fail(failure: Failure): void
}

/**
 * An answer with a server's headers: query id, format, summary, timezone, and the tag that marks an error
 * which comes after rows (https://clickhouse.com/docs/interfaces/http#http_response_codes_caveats).
 * @param accepted the client's Accept-Encoding, or nothing when rows must go out as they are
 */
export const answerTo = (
  response: ServerResponse,
  identity: Identity,
  queryId: string,
  accepted: string,
  gone: AbortSignal,
): Answer => {
  const tag = randomBytes(8).toString('hex')
  let out: Writable = response
  const common = {
    'X-ClickHouse-Query-Id': queryId,
    'X-ClickHouse-Server-Display-Name': 'kt',
    'X-ClickHouse-Timezone': identity.timezone,
  }
  const write = async (bytes: Uint8Array) => {
    if (!out.write(bytes)) await room(out, gone)
  }
  return {
    head(format, outcome) {
      const encoder = encoderFor(accepted)
      response.writeHead(200, {
        ...common,
        'Content-Type': contentType(format),
        'X-ClickHouse-Format': format,
        'X-ClickHouse-Summary': summary(outcome),
        'X-ClickHouse-Exception-Tag': tag,
        ...(encoder === undefined ? {} : { 'Content-Encoding': encoder[0] }),
      })
      if (encoder === undefined) return
      const encode = encoder[1]()
      encode.pipe(response)
      out = encode
    },
    write,
    end: () => void out.end(),
    fail(failure) {
      const text = `${failure.text} (version ${identity.version})\n`
      if (!response.headersSent) {
        // What is left of the body would be taken for the next request.
        response.shouldKeepAlive &&= response.req.complete || bodiless(response.req)
        response.writeHead(statusOf(failure.code), {
          ...common,
          'Content-Type': 'text/plain; charset=UTF-8',
          'X-ClickHouse-Exception-Code': String(failure.code),
        })
        return void response.end(text)
      }
      // Rows are out already. Clients that know the tag read the error; to all others the broken body is the
      // error.
      const length = Buffer.byteLength(text)
      const marked = `\r\n__exception__\r\n${tag}\r\n${text}${length} ${tag}\r\n__exception__\r\n`
      out.write(marked, () => setTimeout(() => response.destroy(), 20))
      if (out !== response) (out as Transform & { flush(): void }).flush()
    },
  }
}
