import type { Answer, Clock, Net, Socket, SocketEvents } from '../../graph/port.ts'
import { openWebSocket } from './websocket.ts'
import type { WebSocketOptions } from './websocket.ts'

/** Settings of every connection of a network. */
export interface DialSettings {
  readonly clock: Pick<Clock, 'now' | 'after'>
  /** A longer message ends its connection; bytes. */
  readonly bytesMax: number
  readonly handshakeMs: number
  /** An HTTP proxy for WebSockets, `http://user:password@host:port`. */
  readonly proxy: string | undefined
  readonly tls: WebSocketOptions['tls']
}

interface NetOptions {
  /** Without `after` the timers of this machine are used. */
  readonly clock: Pick<Clock, 'now'> & Partial<Pick<Clock, 'after'>>
  /** A longer message ends its connection; bytes, default 8 MiB. */
  readonly frameBytesMax?: number
  /** A longer REST answer is refused; bytes. Lists of instruments are the longest. */
  readonly bodyBytesMax?: number
  readonly handshakeMs?: number
  /** By which HTTP proxy a WebSocket is opened. */
  readonly proxy?: (url: string) => string | undefined
  readonly tls?: WebSocketOptions['tls']
  /** How WebSockets are opened; default our own client. */
  readonly dial?: (url: string, events: SocketEvents, settings: DialSettings) => Socket
}

/** The network of this machine: WebSockets without compression, and REST with deadlines that fire. */
export const openNet = (options: NetOptions): Net => {
  const { frameBytesMax = 8 << 20, bodyBytesMax = 64 << 20, handshakeMs = 10_000, dial = connect } = options
  const { now, after = timer } = options.clock
  const clock = { now, after }
  const settings = { clock, bytesMax: frameBytesMax, handshakeMs, tls: options.tls }
  return Object.freeze({
    connect: (url: string, events: SocketEvents) =>
      dial(url, events, { ...settings, proxy: options.proxy?.(url) }),
    get: (url: string, timeoutMs: number) => get(url, timeoutMs, clock, bodyBytesMax),
  })
}

const timer: Clock['after'] = (ms, call) => {
  const running = setTimeout(call, ms)
  return () => clearTimeout(running)
}

const connect = (url: string, events: SocketEvents, settings: DialSettings): Socket => {
  const { clock, bytesMax, handshakeMs, proxy, tls } = settings
  let closed = false
  const view = (bytes: Uint8Array, from: number, to: number, received: number): void =>
    events.message(new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from), received)
  const socket = openWebSocket(
    url,
    {
      open: () => events.open(),
      bytes: events.bytes ?? view,
      ping: () => events.ping(),
      close: (code, reason) => {
        if (!closed) events.close(code, reason)
      },
    },
    {
      clock,
      handshakeMs,
      messageBytesMax: bytesMax,
      ...(proxy === undefined ? {} : { proxy }),
      ...(tls === undefined ? {} : { tls }),
    },
  )
  return {
    send: (text) => socket.send(text),
    close: () => {
      closed = true
      socket.close()
    },
  }
}

const get = async (
  url: string,
  timeoutMs: number,
  clock: Pick<Clock, 'now'>,
  bytesMax: number,
): Promise<Answer> => {
  const none = (why: string): Answer => ({
    status: 0,
    headers: {},
    body: new Uint8Array(),
    why,
    received: clock.now(),
  })
  const deadline = AbortSignal.timeout(timeoutMs)
  try {
    const response = await fetch(url, {
      signal: deadline,
      redirect: 'error',
      headers: { accept: 'application/json' },
    })
    const body = await bodyOf(response, bytesMax)
    if (body === undefined) return none(`the answer was longer than ${bytesMax} bytes`)
    const headers = Object.fromEntries(response.headers)
    const why = response.ok ? '' : new TextDecoder().decode(body.subarray(0, 200))
    return { status: response.status, headers, body, why, received: clock.now() }
  } catch (error) {
    return none(deadline.aborted ? `no answer within ${timeoutMs} ms` : messageOf(error))
  }
}

const bodyOf = async (response: Response, bytesMax: number): Promise<Uint8Array | undefined> => {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    length += part.length
    if (length > bytesMax) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** `fetch` hides what went wrong behind "fetch failed". */
const messageOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? error.cause : error
  const code = (cause as NodeJS.ErrnoException).code
  return cause.message || code || error.message
}
