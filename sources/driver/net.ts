import { WebSocket } from 'ws'
import type { Answer, Clock, Net, Socket, SocketEvents } from '../../graph/port.ts'

interface NetOptions {
  readonly clock: Pick<Clock, 'now'>
  /** A longer message ends its connection; bytes. */
  readonly frameBytesMax?: number
  /** A longer REST answer is refused; bytes. Lists of instruments are the longest. */
  readonly bodyBytesMax?: number
  readonly handshakeMs?: number
}

/** How long a polite close may take before the socket is cut, milliseconds. */
const FAREWELL_MS = 2_000

/** The network of this machine: WebSockets without compression, and REST with deadlines that fire. */
export const openNet = (options: NetOptions): Net => {
  const { clock, frameBytesMax = 16 << 20, bodyBytesMax = 64 << 20, handshakeMs = 10_000 } = options
  return Object.freeze({
    connect: (url: string, events: SocketEvents) => connect(url, events, clock, frameBytesMax, handshakeMs),
    get: (url: string, timeoutMs: number) => get(url, timeoutMs, clock, bodyBytesMax),
  })
}

const connect = (
  url: string,
  events: SocketEvents,
  clock: NetOptions['clock'],
  bytesMax: number,
  handshakeTimeout: number,
): Socket => {
  let [why, status, ended] = ['', 0, false]
  const end = (code: number, reason: string): void => {
    if (ended) return
    ended = true
    events.close(code, reason)
  }
  let socket: WebSocket
  try {
    socket = new WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: bytesMax,
      handshakeTimeout,
      followRedirects: false,
    })
  } catch (error) {
    setImmediate(() => end(0, messageOf(error)))
    return { send: () => {}, close: () => end(0, 'closed') }
  }
  socket.binaryType = 'nodebuffer'
  socket.on('open', () => events.open())
  socket.on('ping', () => events.ping())
  socket.on('message', (bytes: Buffer) => {
    if (!ended) events.message(bytes, clock.now())
  })
  socket.on('unexpected-response', (request, response) => {
    status = response.statusCode ?? 0
    const after = response.headers['retry-after']
    why = `the handshake was answered by ${status}${after === undefined ? '' : `, retry-after: ${after}`}`
    response.resume()
    request.destroy()
    end(status, why)
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    const tooLong = error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
    why = tooLong ? `a message was longer than ${bytesMax} bytes` : messageOf(error)
    if (tooLong) end(1009, why)
  })
  socket.on('close', (code, reason) => end(status || code, reason.toString() || why))
  return {
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text)
    },
    close: () => {
      ended = true
      socket.close()
      setTimeout(() => socket.terminate(), FAREWELL_MS).unref()
    },
  }
}

const get = async (
  url: string,
  timeoutMs: number,
  clock: NetOptions['clock'],
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
