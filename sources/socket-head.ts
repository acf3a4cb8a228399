/** The first lines of an HTTP/1.1 answer. */
export interface Head {
  readonly status: number
  /** Names in small letters; values of a repeated name are joined by commas. */
  readonly headers: Readonly<Record<string, string>>
}

/** A longer head is none; bytes. */
const HEAD_BYTES_MAX = 32_768
const [CR, LF] = [13, 10]

/** Gathers an answer's head from pieces of any size: https://www.rfc-editor.org/rfc/rfc9112#section-2.1 */
export class HeadReader {
  #bytes = new Uint8Array(1024)
  #length = 0

  /**
   * Take bytes of a piece. Returns where the head's end lies in it, or -1 when it is still to come. Throws a
   * RangeError when the head is too long.
   */
  take(bytes: Uint8Array, from: number, to: number): number {
    for (let at = from; at < to; at++) {
      this.#push(bytes[at]!)
      if (bytes[at] === LF && this.#ended()) return at + 1
    }
    return -1
  }

  /** What was gathered, as text; the next answer begins anew. */
  text(): string {
    const text = new TextDecoder('latin1').decode(this.#bytes.subarray(0, this.#length))
    this.#length = 0
    return text
  }

  #push(byte: number): void {
    if (this.#length === HEAD_BYTES_MAX) throw new RangeError(`it is longer than ${HEAD_BYTES_MAX} bytes`)
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length)
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes[this.#length] = byte
    this.#length += 1
  }

  #ended(): boolean {
    const at = this.#length
    const b = this.#bytes
    return at >= 4 && b[at - 2] === CR && b[at - 3] === LF && b[at - 4] === CR
  }
}

/** Throws a SyntaxError that says which line is wrong. */
export const parseHead = (text: string): Head => {
  const [first = '', ...lines] = text.trimEnd().split('\r\n')
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1]
  if (status === undefined) throw new SyntaxError(`it begins with ${JSON.stringify(first.slice(0, 60))}`)
  const headers = new Map<string, string>()
  for (const line of lines) {
    const parts = /^([!#$%&'*+.^_`|~\w-]+):([^\0\r\n]*)$/.exec(line)
    if (parts === null) throw new SyntaxError(`it has a line ${JSON.stringify(line.slice(0, 60))}`)
    const name = parts[1]!.toLowerCase()
    const before = headers.get(name)
    const value = parts[2]!.trim()
    headers.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return { status: Number(status), headers: Object.fromEntries(headers) }
}

/** One extension with its parameters: `['server_max_window_bits', '12']`, or '' for one without a value. */
export interface Extension {
  readonly name: string
  readonly params: readonly (readonly [name: string, value: string])[]
}

const TOKEN = "[!#$%&'*+.^_`|~\\w-]+"
const PARAM = new RegExp(`^(${TOKEN})[ \\t]*(?:=[ \\t]*(?:(${TOKEN})|"(${TOKEN})"))?$`)

/**
 * The value of Sec-WebSocket-Extensions: https://www.rfc-editor.org/rfc/rfc6455#section-9.1. Quoted values
 * must be tokens too, so that commas and semicolons only ever part. Throws a SyntaxError.
 */
export const parseExtensions = (text: string): readonly Extension[] =>
  text.split(',').map((one) => {
    const [name, ...params] = one.split(';').map((part) => {
      const parts = PARAM.exec(part.trim())
      if (parts === null) throw new SyntaxError(`"${one.trim()}" is no extension`)
      return [parts[1]!.toLowerCase(), parts[2] ?? parts[3] ?? ''] as const
    })
    if (name![1] !== '') throw new SyntaxError(`"${one.trim()}" is no extension`)
    return { name: name![0], params }
  })
