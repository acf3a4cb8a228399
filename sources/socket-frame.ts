import { Utf8Check } from './utf8.ts'

/** Opcodes: https://www.rfc-editor.org/rfc/rfc6455#section-11.8 */
export const OPCODE = Object.freeze({ text: 1, binary: 2, close: 8, ping: 9, pong: 10 })

/** Where a reader's findings go. The bytes are valid only during a call. */
export interface FrameSink {
  /** A whole message. `deflated`: it is compressed as RFC 7692 says. */
  readonly message: (bytes: Uint8Array, from: number, to: number, binary: boolean, deflated: boolean) => void
  readonly control: (opcode: number, bytes: Uint8Array, from: number, to: number) => void
}

/** Why a connection must fail, with the close code to send. */
export interface Fault {
  readonly code: 1002 | 1007 | 1009
  readonly reason: string
}

interface FrameReaderOptions {
  /** A longer message is refused before it has come; bytes. */
  readonly bytesMax: number
  /**
   * A frame up to this length, head included, waits where it is until it is complete; a longer one is put
   * together in memory of the reader's own.
   */
  readonly tailMax: number
  /** Refuse text that is not UTF-8. */
  readonly strictText: boolean
  /** permessage-deflate was agreed upon. */
  readonly deflate: boolean
}

/** Bytes after the end of a message that may be read, so that a scanner need not stop at each of the last. */
export const PADDING = 8
/** Memory for long messages that is given back after use. */
const KEPT_BYTES_MAX = 1 << 20
const BODY_BYTES_MIN = 1 << 16
const NOTHING = new Uint8Array(PADDING)

/**
 * Finds the messages in what a server sends: https://www.rfc-editor.org/rfc/rfc6455#section-5. A message
 * that lies whole in one frame and one piece of the stream is handed on where it is, without a copy.
 */
export class FrameReader {
  /** Set by the sink: stop after this message. `read` returns where it stopped. */
  halted = false
  /** Set when the server broke the protocol; nothing can be read after it. */
  fault: Fault | undefined
  readonly #sink: FrameSink
  readonly #options: FrameReaderOptions
  readonly #bytesMax: number
  readonly #utf8 = new Utf8Check()
  readonly #plainText: number
  /** Of the message that is being put together; 0: none is. */
  #opcode = 0
  #deflated = false
  #body: Uint8Array = NOTHING
  #filled = 0
  /** Bytes of the present frame that are still to come into the body. */
  #left = 0
  #final = false

  constructor(sink: FrameSink, options: FrameReaderOptions) {
    this.#sink = sink
    this.#options = options
    this.#bytesMax = options.bytesMax
    // The first byte of a text message that needs no look at its bytes; -1 is no byte.
    this.#plainText = options.strictText ? -1 : 0x81
  }

  /**
   * Read a piece of the stream. Returns where the first byte lies that was not used: the caller puts what
   * lies behind it, `tailMax` bytes at most, before the next piece. After `halted` it may be more.
   */
  read(bytes: Uint8Array, from: number, to: number): number {
    const plainText = this.#plainText
    const bytesMax = this.#bytesMax
    let at = this.#left > 0 && !this.halted ? this.#fill(bytes, from, to) : from
    while (!this.halted && to - at >= 2) {
      const first = bytes[at]!
      const second = bytes[at + 1]!
      let start = at + 2
      let length = second
      if (second > 125) {
        if (second > 127) return this.#fail(at, 1002, 'a frame of the server is masked')
        start += second === 126 ? 2 : 8
        if (start > to) {
          this.#check(first, second)
          return at
        }
        length = second === 126 ? (bytes[at + 2]! << 8) | bytes[at + 3]! : longAt(bytes, at + 2)
        if (second === 127 && bytes[at + 2]! > 0x7f) {
          return this.#fail(at, 1002, 'a length of 64 bits has the first one set')
        }
        if (length < (second === 126 ? 126 : 65_536)) {
          return this.#fail(at, 1002, 'a length is not as short as it can be')
        }
      }
      const end = start + length
      const plain = (first === plainText || first === 0x82) && this.#opcode === 0
      if (plain && end <= to && length <= bytesMax) {
        at = end
        this.#sink.message(bytes, start, end, first === 0x82, false)
        continue
      }
      const next = this.#odd(bytes, at, start, length, to)
      if (next === at) return at
      at = next
    }
    return at
  }

  /** A frame that is not a whole plain message. Returns `at` when it must wait for more. */
  #odd(bytes: Uint8Array, at: number, start: number, length: number, to: number): number {
    const first = bytes[at]!
    if (!this.#check(first, length)) return at
    const opcode = first & 15
    const whole = start + length <= to
    if (opcode >= OPCODE.close) {
      if (whole) this.#sink.control(opcode, bytes, start, start + length)
      return whole ? start + length : at
    }
    if (this.#filled + length > this.#bytesMax) {
      return this.#fail(at, 1009, `a message was longer than ${this.#bytesMax} bytes`)
    }
    const alone = first >= 0x80 && opcode !== 0
    const strict = this.#options.strictText && opcode !== OPCODE.binary && (first & 0x40) === 0
    if (!whole && alone && !strict && start - at + length <= this.#options.tailMax) return at
    if (opcode !== 0) {
      this.#opcode = opcode
      this.#deflated = (first & 0x40) !== 0
    }
    if (alone && whole) {
      if (strict && !this.#utf8.take(bytes, start, start + length)) return this.#spoilt(at)
      this.#deliver(bytes, start, start + length)
      return start + length
    }
    this.#final = first >= 0x80
    this.#left = length
    return this.#fill(bytes, start, to)
  }

  /** The rules for a frame's first bytes. `length` may be its code, 126 or 127, when it is not known yet. */
  #check(first: number, length: number): boolean {
    const opcode = first & 15
    const compressible = this.#options.deflate && (opcode === OPCODE.text || opcode === OPCODE.binary)
    let reason = ''
    if ((first & (compressible ? 0x30 : 0x70)) !== 0) reason = 'a reserved bit is set'
    else if ((opcode > 2 && opcode < 8) || opcode > 10) reason = `opcode ${opcode} is reserved`
    else if (opcode >= 8 && first < 0x80) reason = 'a control frame is fragmented'
    else if (opcode >= 8 && length > 125) reason = 'a control frame is longer than 125 bytes'
    else if (opcode === 0 && this.#opcode === 0) reason = 'a continuation continues nothing'
    else if (opcode > 0 && opcode < 8 && this.#opcode !== 0) {
      reason = 'a message began before the last one had ended'
    }
    if (reason !== '') this.#fail(0, 1002, reason)
    return reason === ''
  }

  /** Take bytes of the present frame into the body. */
  #fill(bytes: Uint8Array, from: number, to: number): number {
    const end = Math.min(to, from + this.#left)
    const count = end - from
    const checked = this.#options.strictText && this.#opcode === OPCODE.text && !this.#deflated
    if (checked && !this.#utf8.take(bytes, from, end)) return this.#spoilt(from)
    this.#grow(this.#filled + count)
    this.#body.set(bytes.subarray(from, end), this.#filled)
    this.#filled += count
    this.#left -= count
    if (this.#left === 0 && this.#final) this.#deliver(this.#body, 0, this.#filled)
    return end
  }

  /** The body grows with what has come, never with what a length promises. */
  #grow(bytes: number): void {
    if (this.#body.length >= bytes + PADDING) return
    const size = Math.max(BODY_BYTES_MIN, Math.min(2 * bytes, this.#bytesMax))
    const larger = new Uint8Array(size + PADDING)
    larger.set(this.#body.subarray(0, this.#filled))
    this.#body = larger
  }

  #deliver(bytes: Uint8Array, from: number, to: number): void {
    const [binary, deflated] = [this.#opcode === OPCODE.binary, this.#deflated]
    this.#opcode = 0
    this.#deflated = false
    this.#filled = 0
    if (!this.#utf8.end()) this.#spoilt(from)
    else this.#sink.message(bytes, from, to, binary, deflated)
    if (this.#body.length > KEPT_BYTES_MAX) this.#body = NOTHING
  }

  #spoilt(at: number): number {
    return this.#fail(at, 1007, 'a text is not UTF-8')
  }

  #fail(at: number, code: Fault['code'], reason: string): number {
    this.halted = true
    this.fault = { code, reason }
    return at
  }
}

/** 64 bits. What no double holds to the last bit is longer than any limit. */
const longAt = (bytes: Uint8Array, at: number): number => {
  let value = 0
  for (let i = 0; i < 8; i++) value = value * 256 + bytes[at + i]!
  return value
}

/** One whole frame as a client sends it: final, and masked with the 32 bits of `mask`. */
export const encodeFrame = (opcode: number, payload: Uint8Array, mask: number): Uint8Array => {
  const { length } = payload
  const start = length < 126 ? 6 : length < 65_536 ? 8 : 14
  const frame = new Uint8Array(start + length)
  const view = new DataView(frame.buffer)
  frame[0] = 0x80 | opcode
  frame[1] = 0x80 | (start === 6 ? length : start === 8 ? 126 : 127)
  if (start === 8) view.setUint16(2, length)
  if (start === 14) view.setBigUint64(2, BigInt(length))
  view.setUint32(start - 4, mask)
  for (let at = 0; at < length; at++) frame[start + at] = payload[at]! ^ frame[start - 4 + (at & 3)]!
  return frame
}

/** A peer may send these close codes; the others are reserved, or only ever mean that no frame came. */
export const sendable = (code: number): boolean =>
  (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
  (code >= 3000 && code <= 4999)

/** A close frame's content, or, when it is not valid, the code and the reason to fail with. */
interface Close {
  readonly valid: boolean
  readonly code: number
  readonly reason: string
}

/** What a close frame says: https://www.rfc-editor.org/rfc/rfc6455#section-7.4 */
export const closeOf = (bytes: Uint8Array, from: number, to: number): Close => {
  if (to === from) return { valid: true, code: 1005, reason: '' }
  if (to - from === 1) return { valid: false, code: 1002, reason: 'a close code has one byte' }
  const code = (bytes[from]! << 8) | bytes[from + 1]!
  if (!sendable(code)) return { valid: false, code: 1002, reason: `close code ${code} may not be sent` }
  const check = new Utf8Check()
  if (!check.take(bytes, from + 2, to) || !check.end()) {
    return { valid: false, code: 1007, reason: 'the reason of a close is not UTF-8' }
  }
  return { valid: true, code, reason: new TextDecoder().decode(bytes.subarray(from + 2, to)) }
}

/** The body of a close frame. A reason is cut to the 123 bytes that fit, between characters. */
export const closeBody = (code: number, reason: string): Uint8Array => {
  const body = new Uint8Array(125)
  const { written } = new TextEncoder().encodeInto(reason, body.subarray(2))
  new DataView(body.buffer).setUint16(0, code)
  return body.subarray(0, 2 + written)
}
