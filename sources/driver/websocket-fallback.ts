import { WebSocket } from 'ws'
import type { Socket, SocketEvents } from '../../graph/port.ts'
import { PADDING } from '../socket-frame.ts'
import type { DialSettings } from './net.ts'

/** How long a polite close may take before the socket is cut, milliseconds. */
const FAREWELL_MS = 2_000

/** WebSockets by the `ws` package: the oracle of our client in tests, and what to try when that one fails. */
export const dialByWs = (url: string, events: SocketEvents, settings: DialSettings): Socket => {
  const { clock, bytesMax, handshakeMs, proxy, tls } = settings
  let [why, status, ended] = ['', 0, false]
  const end = (code: number, reason: string): void => {
    if (ended) return
    ended = true
    events.close(code, reason)
  }
  let socket: WebSocket
  try {
    if (proxy !== undefined) throw new Error('the ws package does not go through a proxy')
    socket = new WebSocket(url, {
      ...tls,
      perMessageDeflate: false,
      maxPayload: bytesMax,
      handshakeTimeout: handshakeMs,
      followRedirects: false,
    })
  } catch (error) {
    setImmediate(() => end(0, (error as Error).message))
    return { send: () => {}, close: () => end(0, 'closed') }
  }
  socket.binaryType = 'nodebuffer'
  socket.on('open', () => events.open())
  socket.on('ping', () => events.ping())
  socket.on('message', (bytes: Buffer) => {
    if (!ended) events.message(padded(bytes), clock.now())
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
    why = tooLong ? `a message was longer than ${bytesMax} bytes` : error.message || String(error.code)
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

/** What our own client promises of a message holds here too: some bytes behind it can be read. */
const padded = (bytes: Uint8Array): Uint8Array => {
  if (bytes.byteOffset + bytes.length + PADDING <= bytes.buffer.byteLength) return bytes
  const copy = new Uint8Array(bytes.length + PADDING)
  copy.set(bytes)
  return copy.subarray(0, bytes.length)
}
