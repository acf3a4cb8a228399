import { HostError } from '../../graph/error.ts'
import type { Random } from '../../graph/port.ts'
import { HeadReader, parseHead } from '../socket-head.ts'
import type { Head } from '../socket-head.ts'
import { agreementOf, keyOf, odd, requestOf } from './websocket-handshake.ts'
import type { Address, Agreement, RequestOptions } from './websocket-handshake.ts'

/** So much of a refusal's body is read, and so much of that is repeated. */
const BODY_BYTES_MAX = 1024
const BODY_LETTERS_MAX = 200

/** The opening handshake: what to ask, and what the server's answer, which comes in pieces, means. */
export class Opening {
  readonly request: string
  readonly #address: Address
  readonly #key: string
  readonly #options: RequestOptions
  readonly #reader = new HeadReader()
  #agreement: Agreement | undefined
  /** The head of an answer that refuses, whose body is being read. */
  #refused: Head | undefined
  #body = ''

  /** Throws HostError KT2301 when an option cannot stand in a request. */
  constructor(address: Address, random: Random, options: RequestOptions) {
    this.#address = address
    this.#options = options
    this.#key = keyOf(random)
    this.request = requestOf(address, this.#key, options)
  }

  /** Set when `take` found the end of the answer. */
  get agreement(): Agreement | undefined {
    return this.#agreement
  }

  get refused(): boolean {
    return this.#refused !== undefined
  }

  /** The error that a refusal means, with what has come of its body; undefined while there is none. */
  get refusal(): HostError | undefined {
    if (this.#refused === undefined) return undefined
    const { status, headers } = this.#refused
    const [after, to] = [headers['retry-after'], headers['location']]
    const body = this.#bodyHead()
    const why = [
      `the handshake was answered by ${status}`,
      ...(after === undefined ? [] : [`, retry-after: ${after}`]),
      ...(to === undefined ? [] : [`, location: ${to}`]),
      ...(body === '' ? [] : [`: ${body}`]),
    ].join('')
    const moved = status >= 300 && status < 400
    return new HostError('KT2305', why, {
      where: this.#address.origin,
      fix: moved
        ? 'Redirections are not followed: give the new address, if it is to be trusted.'
        : 'The answer may give the reason: is the path right, and may this address connect?',
      facts: { status, body },
      retry: moved ? 'never' : { afterMs: 1000 * (Number.parseInt(after ?? '', 10) || 1) },
    })
  }

  /**
   * Take bytes of the answer. Returns where the first frame begins, or -1 when more must come. Throws a
   * HostError: KT2305 when the server refuses, KT2306 when this is no answer.
   */
  take(bytes: Uint8Array, from: number, to: number): number {
    let at = from
    while (this.#refused === undefined && at >= 0 && at < to) {
      at = this.#head(bytes, at, to)
      if (this.#agreement !== undefined) return at
    }
    if (this.#refused === undefined) return -1
    this.#body += Buffer.from(bytes.subarray(at, to)).toString('latin1')
    if (this.#body.length >= BODY_BYTES_MAX || this.#complete(this.#refused)) throw this.refusal
    return -1
  }

  #head(bytes: Uint8Array, from: number, to: number): number {
    let [end, head]: [number, Head | undefined] = [-1, undefined]
    try {
      end = this.#reader.take(bytes, from, to)
      if (end < 0) return -1
      head = parseHead(this.#reader.text())
    } catch (error) {
      throw odd(this.#address, (error as Error).message)
    }
    if (head.status === 101) this.#agreement = agreementOf(head, this.#address, this.#key, this.#options)
    // Other answers of the hundreds come before the one that counts.
    else if (head.status >= 200) this.#refused = head
    return end
  }

  #complete({ headers }: Head): boolean {
    if (chunked(headers)) return /(^|\r\n)0+(;[^\r\n]*)?\r\n/.test(this.#body)
    const length = headers['content-length']
    return length !== undefined && this.#body.length >= Number(length)
  }

  #bodyHead(): string {
    const raw =
      this.#refused !== undefined && chunked(this.#refused.headers) ? joined(this.#body) : this.#body
    const text = Buffer.from(raw, 'latin1').toString()
    return text.replaceAll(/\s+/g, ' ').trim().slice(0, BODY_LETTERS_MAX)
  }
}

const chunked = (headers: Head['headers']): boolean => /\bchunked\b/i.test(headers['transfer-encoding'] ?? '')

/** The beginning of a body in chunks: https://www.rfc-editor.org/rfc/rfc9112#section-7.1 */
const joined = (body: string): string => {
  const parts: string[] = []
  for (let at = 0; at < body.length;) {
    const line = body.indexOf('\r\n', at)
    const size = line < 0 ? 0 : Number.parseInt(body.slice(at, line), 16)
    if (!(size > 0)) break
    parts.push(body.slice(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
  return parts.join('')
}
