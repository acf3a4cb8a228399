import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { HostError } from '../../graph/error.ts'
import { openWebSocket } from '../../sources/driver/websocket.ts'
import type { WebSocketConnection, WebSocketOptions } from '../../sources/driver/websocket.ts'
import type { Agreement } from '../../sources/driver/websocket-handshake.ts'

/** Microseconds of a clock that goes, and timers of this machine. */
export const clock: WebSocketOptions['clock'] = {
  now: () => 42,
  after: (ms, call) => {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  },
}

interface FrameOptions {
  readonly fin?: boolean
  /** The three reserved bits, 0 to 7. */
  readonly rsv?: number
  readonly masked?: boolean
  /** Bytes of the length: 1, 3 or 9; by default as few as can be. */
  readonly form?: 1 | 3 | 9
  /** A length that is not the body's. */
  readonly length?: number
}

/** A frame as a server sends it, or one that it may not send. */
export const frame = (opcode: number, body: Uint8Array | string = '', options: FrameOptions = {}): Buffer => {
  const bytes = Buffer.from(body as string)
  const { fin = true, rsv = 0, masked = false, length = bytes.length } = options
  const { form = length < 126 ? 1 : length < 65_536 ? 3 : 9 } = options
  const head = Buffer.alloc(1 + form)
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode
  head[1] = form === 1 ? length : form === 3 ? 126 : 127
  if (form === 3) head.writeUInt16BE(length, 2)
  if (form === 9) head.writeBigUInt64BE(BigInt(length), 2)
  if (!masked) return Buffer.concat([head, bytes])
  head[1] |= 0x80
  return Buffer.concat([head, Buffer.alloc(4), bytes])
}

export const closing = (code: number, reason: Uint8Array | string = ''): Buffer => {
  const body = Buffer.concat([Buffer.alloc(2), Buffer.from(reason as string)])
  body.writeUInt16BE(code)
  return frame(8, body)
}

export const acceptOf = (head: string): string => {
  const key = /^sec-websocket-key: (\S+)\r$/im.exec(head)?.[1] ?? ''
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
}

export const welcome = (head: string, more = ''): string =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(head)}\r\n${more}\r\n`

/** What a client sent, as a server has to read it. */
export interface Sent {
  readonly opcode: number
  readonly body: Buffer
}

/** Whole frames of a client. Throws on what a client may not send. */
export const sentOf = (bytes: Buffer): { readonly frames: readonly Sent[]; readonly rest: Buffer } => {
  const frames: Sent[] = []
  let at = 0
  while (bytes.length - at >= 6) {
    const [first, second] = [bytes[at]!, bytes[at + 1]!]
    if (second < 0x80) throw new Error('a frame of the client is not masked')
    if ((first & 0xf0) !== 0x80) throw new Error('a frame of the client is odd')
    const form = (second & 127) === 126 ? 3 : (second & 127) === 127 ? 9 : 1
    const start = at + 1 + form + 4
    if (bytes.length < start) break
    const length = form === 1 ? second & 127 : form === 3 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
    if (bytes.length < start + length) break
    const mask = bytes.subarray(start - 4, start)
    const body = Buffer.from(bytes.subarray(start, start + length).map((byte, i) => byte ^ mask[i & 3]!))
    frames.push({ opcode: first & 15, body })
    at = start + length
  }
  return { frames, rest: bytes.subarray(at) }
}

/** A server's side of a connection once the request has come. */
export interface Guest {
  readonly socket: Socket
  readonly head: string
  /** All that came behind the request. */
  readonly said: () => Buffer
  /** Ends with the connection. */
  readonly gone: Promise<void>
}

interface RawServer {
  readonly port: number
  readonly close: () => void
}

/** A TCP server that hands over each connection when the client's request has come whole. */
export const serve = async (
  greet: (guest: Guest) => void,
  create: (accept: (socket: Socket) => void) => Server = createServer,
): Promise<RawServer> => {
  const open = new Set<Socket>()
  const server = create((socket) => {
    open.add(socket)
    let [head, said] = ['', Buffer.alloc(0)]
    const gone = Promise.withResolvers<void>()
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('close', () => {
      open.delete(socket)
      gone.resolve()
    })
    socket.on('data', (bytes: Buffer) => {
      said = Buffer.concat([said, bytes])
      const end = said.indexOf('\r\n\r\n')
      if (head !== '' || end < 0) return
      head = said.toString('latin1', 0, end + 4)
      said = said.subarray(end + 4)
      greet({ socket, head, said: () => said, gone: gone.promise })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = (): void => {
    for (const socket of open) socket.destroy()
    server.close()
  }
  return { port: (server.address() as AddressInfo).port, close }
}

/** What a client of a connection hears, in order, until it is over. */
export interface Heard {
  readonly connection: WebSocketConnection
  readonly messages: (string | Buffer)[]
  readonly opened: Promise<Agreement>
  readonly closed: Promise<{ readonly code: number; readonly reason: string; readonly error: HostError | undefined }>
}

type Hear = (message: string | Buffer, connection: WebSocketConnection) => void

export const dialAs = (url: string, options: Partial<WebSocketOptions> = {}, hear: Hear = () => {}): Heard => {
  const messages: (string | Buffer)[] = []
  const opened = Promise.withResolvers<Agreement>()
  const closed = Promise.withResolvers<Awaited<Heard['closed']>>()
  let over = false
  const late = (what: string): void => {
    if (over) closed.reject(new Error(`${what} after the end`))
  }
  const events = {
    open: (agreement: Agreement) => opened.resolve(agreement),
    bytes: (bytes: Uint8Array, from: number, to: number, received: number, binary: boolean) => {
      late('a message')
      if (received !== 42) throw new Error(`received is ${received}`)
      if (bytes.length < to + 8) throw new Error('there is no padding')
      const copy = Buffer.from(bytes.subarray(from, to))
      messages.push(binary ? copy : copy.toString())
      hear(messages.at(-1)!, connection)
    },
    ping: () => {
      late('a ping')
      messages.push('(ping)')
    },
    close: (code: number, reason: string, error: HostError | undefined) => {
      if (over) throw new Error('a second end')
      over = true
      closed.resolve({ code, reason, error })
    },
  }
  const connection = openWebSocket(url, events, { clock, ...options })
  return { connection, messages, opened: opened.promise, closed: closed.promise }
}
