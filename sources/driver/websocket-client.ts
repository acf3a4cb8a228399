import type { Socket as Wire } from 'node:net'
import { HostError } from '../../graph/error.ts'
import { closeBody, closeOf, FrameReader, OPCODE, PADDING, sendable } from '../socket-frame.ts'
import type { Fault } from '../socket-frame.ts'
import { Utf8Check } from '../utf8.ts'
import { broken, lost, overflown, unsendable } from './websocket-fault.ts'
import { deadline } from './websocket-deadline.ts'
import { checkProxy, dial, unreached } from './websocket-dial.ts'
import { addressOf } from './websocket-handshake.ts'
import type { Agreement } from './websocket-handshake.ts'
import { Inflater } from './websocket-inflate.ts'
import { Opening } from './websocket-opening.ts'
import { Outbox, systemRandom } from './websocket-outbox.ts'
import type { WebSocketConnection, WebSocketEvents, WebSocketOptions } from './websocket.ts'

/** In front of what is read there is room for the beginning of a frame from the read before. */
const HEADROOM = 4096
/** How long the body of a refusal may take to come, milliseconds. */
const REFUSAL_MS = 500
const CLOSE_MS = 2_000
const NOTHING = new Uint8Array()

/** One connection from the call to its end; see `openWebSocket`. */
export class Client implements WebSocketConnection {
  readonly #events: WebSocketEvents
  readonly #options: WebSocketOptions
  readonly #bytesMax: number
  readonly #queueMax: number
  readonly #outbox: Outbox
  /** Headroom, what one read brings, and padding. */
  readonly #memory: Uint8Array
  readonly #utf8 = new Utf8Check()
  #origin = ''
  #opening: Opening | undefined
  #reader: FrameReader | undefined
  #inflater: Inflater | undefined
  #wire: Wire | undefined
  #phase: 'opening' | 'open' | 'closing' | 'over' = 'opening'
  /** Bytes in the headroom, before what the next read brings. */
  #tail = 0
  #refused = false
  #received = 0
  #paused = false
  /** What came and was not read because of a pause, with padding. */
  #held = NOTHING
  #cancel: () => void = () => {}

  constructor(events: WebSocketEvents, options: WebSocketOptions) {
    const { readBytes = 1 << 19, random = systemRandom } = options
    this.#events = events
    this.#options = options
    this.#bytesMax = options.messageBytesMax ?? 8 << 20
    this.#queueMax = options.queueBytesMax ?? 1 << 20
    this.#outbox = new Outbox(random, this.#queueMax)
    this.#memory = new Uint8Array(HEADROOM + readBytes + PADDING)
  }

  start(url: string): void {
    const { handshakeMs = 10_000, proxy, random = systemRandom } = this.#options
    try {
      const address = addressOf(url)
      this.#origin = address.origin
      if (proxy !== undefined) checkProxy(proxy)
      this.#opening = new Opening(address, random, this.#options)
      const buffer = this.#memory.subarray(HEADROOM, this.#memory.length - PADDING)
      const events = {
        wire: (wire: Wire) => this.#watch(wire),
        connected: (wire: Wire) => this.#ask(wire),
        failed: (error: unknown) => this.#lose(error),
      }
      dial(address, { buffer, callback: (count) => this.#read(count) }, events, this.#options)
    } catch (error) {
      if (!(error instanceof HostError)) throw error
      setImmediate(() => this.#end(0, error.message, error))
      return
    }
    const late = new Error(`the handshake timed out after ${handshakeMs} ms`)
    this.#deadline(handshakeMs, () => this.#lose(late))
  }

  send(message: string | Uint8Array): void {
    if (this.#phase !== 'opening' && this.#phase !== 'open') return
    if (!this.#outbox.message(message)) this.#lose(overflown(this.#origin, this.#queueMax))
  }

  close(code = 1000, reason = ''): void {
    if (!sendable(code)) throw unsendable(code)
    if (this.#phase === 'opening') {
      this.#wire?.destroy()
      this.#end(1006, 'it was closed before it was open', undefined)
    }
    if (this.#phase !== 'open') return
    this.#outbox.send(OPCODE.close, closeBody(code, reason))
    this.#phase = 'closing'
    this.#deadline(this.#options.closeMs ?? CLOSE_MS, () =>
      this.#lose(new Error('the server did not answer our close')),
    )
    this.resume()
  }

  pause(): void {
    if (this.#phase !== 'opening' && this.#phase !== 'open') return
    this.#paused = true
    if (this.#reader === undefined) return
    this.#reader.halted = true
    this.#wire?.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (this.#reader === undefined || this.#phase === 'over') return
    this.#reader.halted = false
    const held = this.#held
    this.#held = NOTHING
    if (held.length > 0) this.#parse(held, 0, held.length - PADDING)
    if (!this.#paused) this.#wire?.resume()
  }

  queued(): number {
    return this.#outbox.bytes
  }

  /** There is one at a time. */
  #deadline(ms: number, late: () => void): void {
    this.#cancel()
    this.#cancel = deadline(this.#options.clock, ms, late)
  }

  #watch(wire: Wire): void {
    this.#wire = wire
    wire.on('error', (error) => this.#lose(error))
    wire.on('close', () => {
      if (this.#phase === 'over') this.#cancel()
      else this.#left()
    })
  }

  #ask(wire: Wire): void {
    wire.setNoDelay(true)
    wire.on('end', () => {
      if (this.#phase !== 'over') this.#left()
    })
    wire.write(this.#opening!.request)
  }

  #read(count: number): void {
    if (this.#phase === 'over') return
    this.#received = this.#options.clock.now()
    const to = HEADROOM + count
    if (this.#reader === undefined) this.#greet(to)
    else this.#parse(this.#memory, HEADROOM - this.#tail, to)
  }

  /** The answer to the handshake, and what came behind it. */
  #greet(to: number): void {
    const opening = this.#opening!
    let at = -1
    try {
      at = opening.take(this.#memory, HEADROOM, to)
    } catch (error) {
      return this.#lose(error)
    }
    if (opening.refused && !this.#refused) {
      this.#refused = true
      this.#deadline(REFUSAL_MS, () => this.#lose(opening.refusal))
    }
    if (opening.agreement !== undefined) this.#open(opening.agreement, at, to)
  }

  #open(agreement: Agreement, from: number, to: number): void {
    const { deflate } = agreement
    const { strictText = false } = this.#options
    const reader = new FrameReader(
      {
        message: (bytes, start, end, binary, deflated) => this.#message(bytes, start, end, binary, deflated),
        control: (opcode, bytes, start, end) => this.#control(opcode, bytes, start, end),
      },
      { bytesMax: this.#bytesMax, tailMax: HEADROOM, strictText, deflate: deflate !== undefined },
    )
    this.#reader = reader
    if (deflate !== undefined) this.#inflater = new Inflater(this.#bytesMax, deflate.takeover)
    this.#cancel()
    this.#phase = 'open'
    this.#outbox.open(this.#wire!)
    this.#events.open(agreement)
    if (this.#paused) this.pause()
    this.#parse(this.#memory, from, to)
  }

  #parse(bytes: Uint8Array, from: number, to: number): void {
    const reader = this.#reader!
    this.#outbox.gather()
    let at = from
    try {
      at = reader.read(bytes, from, to)
    } catch (error) {
      // The rest of the piece is lost with it: this connection cannot go on.
      this.#lose(new Error('its reader failed', { cause: error }))
      throw error
    }
    this.#outbox.flush()
    if (reader.fault !== undefined) this.#fail(reader.fault)
    else if (this.#phase === 'over') return
    else if (reader.halted) this.#hold(bytes, at, to)
    else {
      this.#tail = to - at
      if (bytes === this.#memory) bytes.copyWithin(HEADROOM - this.#tail, at, to)
      else this.#memory.set(bytes.subarray(at, to), HEADROOM - this.#tail)
    }
  }

  #hold(bytes: Uint8Array, from: number, to: number): void {
    const before = Math.max(0, this.#held.length - PADDING)
    const held = new Uint8Array(before + to - from + PADDING)
    held.set(this.#held.subarray(0, before))
    held.set(bytes.subarray(from, to), before)
    this.#held = held
    this.#tail = 0
  }

  #message(bytes: Uint8Array, from: number, to: number, binary: boolean, deflated: boolean): void {
    if (this.#phase !== 'open') return
    if (deflated) this.#inflate(bytes, from, to, binary)
    else this.#events.bytes(bytes, from, to, this.#received, binary)
  }

  #inflate(bytes: Uint8Array, from: number, to: number, binary: boolean): void {
    const inflater = this.#inflater!
    const fault = inflater.take(bytes, from, to)
    if (fault !== undefined) return this.#fail(fault)
    if (this.#options.strictText === true && !binary) {
      const whole = this.#utf8.take(inflater.output, inflater.from, inflater.to) && this.#utf8.end()
      if (!whole) return this.#fail({ code: 1007, reason: 'a text is not UTF-8' })
    }
    this.#events.bytes(inflater.output, inflater.from, inflater.to, this.#received, binary)
  }

  #control(opcode: number, bytes: Uint8Array, from: number, to: number): void {
    if (opcode === OPCODE.close) return this.#closed(bytes, from, to)
    if (opcode !== OPCODE.ping || this.#phase !== 'open') return
    if (this.#outbox.send(OPCODE.pong, bytes.subarray(from, to))) this.#events.ping()
    else this.#lose(overflown(this.#origin, this.#queueMax))
  }

  #closed(bytes: Uint8Array, from: number, to: number): void {
    const { valid, code, reason } = closeOf(bytes, from, to)
    if (!valid) return this.#fail({ code: code as Fault['code'], reason })
    if (this.#phase === 'open') this.#outbox.send(OPCODE.close, bytes.subarray(from, Math.min(to, from + 2)))
    this.#end(code, reason, undefined)
  }

  /** The server broke the protocol: tell it, and go. */
  #fail(fault: Fault): void {
    const { code, reason } = fault
    if (this.#phase === 'open') this.#outbox.send(OPCODE.close, closeBody(code, reason))
    this.#end(code, reason, broken(this.#origin, fault))
  }

  /** The server's side of the stream has ended. */
  #left(): void {
    const before = this.#phase === 'opening' ? 'before it answered' : 'without a close frame'
    this.#lose(new Error(`the server hung up ${before}`))
  }

  /** End without a farewell. */
  #lose(cause: unknown): void {
    if (this.#phase === 'over') return
    const error = this.#errorOf(cause)
    const status = error.code === 'KT2305' ? Number(error.facts['status']) : 1006
    this.#wire?.destroy()
    this.#end(status, error.message, error)
  }

  #errorOf(cause: unknown): HostError {
    if (cause instanceof HostError) return cause
    if (this.#phase !== 'opening') return lost(this.#origin, cause)
    return this.#opening?.refusal ?? unreached(this.#origin, cause)
  }

  #end(code: number, reason: string, error: HostError | undefined): void {
    if (this.#phase === 'over') return
    this.#phase = 'over'
    this.#cancel()
    this.#held = NOTHING
    if (this.#reader !== undefined) this.#reader.halted = true
    if (this.#wire?.destroyed === false) this.#leave(this.#wire)
    this.#events.close(code, reason, error)
  }

  /** Wait for the server to end the stream too, but not for long. */
  #leave(wire: Wire): void {
    this.#outbox.flush()
    wire.resume()
    wire.end()
    this.#deadline(this.#options.closeMs ?? CLOSE_MS, () => wire.destroy())
  }
}
