import type { HostError } from '../../graph/error.ts'
import type { Clock, Random, SocketEvents } from '../../graph/port.ts'
import { Client } from './websocket-client.ts'
import type { TlsOptions } from './websocket-dial.ts'
import type { Agreement, RequestOptions } from './websocket-handshake.ts'

/** Settings of a connection; all but the clock have defaults. */
export interface WebSocketOptions extends RequestOptions {
  readonly clock: Pick<Clock, 'now' | 'after'>
  /** For keys and masks; by default the system's. */
  readonly random?: Random
  /** From the call to the server's answer; default 10 000. */
  readonly handshakeMs?: number
  /** How long a polite close may take before the connection is cut; default 2 000. */
  readonly closeMs?: number
  /** A longer message, also once inflated, closes the connection by 1009; default 8 MiB. */
  readonly messageBytesMax?: number
  /** When more than this waits to be sent, the connection is cut; default 1 MiB. */
  readonly queueBytesMax?: number
  /**
   * Bytes that one read of the socket can bring; default 512 KiB, of which a connection that never has so
   * much waiting never touches most.
   */
  readonly readBytes?: number
  /** Close by 1007 on a text that is not UTF-8, as the RFC asks; default false: mappings look at bytes. */
  readonly strictText?: boolean
  /** An HTTP proxy, `http://user:password@host:port`. */
  readonly proxy?: string
  readonly tls?: TlsOptions
}

/** What a connection tells: `close` once, and nothing after it; nothing during `openWebSocket`. */
export interface WebSocketEvents extends Omit<SocketEvents, 'bytes' | 'close' | 'message' | 'open'> {
  readonly open: (agreement: Agreement) => void
  /**
   * A message lies in `bytes` from `from` to `to`, and only during the call. The 8 bytes behind it can be
   * read too, and mean nothing. `received` is when the read that completed it returned, microseconds.
   */
  readonly bytes: (bytes: Uint8Array, from: number, to: number, received: number, binary: boolean) => void
  /**
   * The connection is over. `code` is a close code of RFC 6455 (1006: it was lost), the HTTP status when the
   * handshake was refused, or 0 when there could be none. `error` is there unless a close frame or
   * the caller ended it.
   */
  readonly close: (code: number, reason: string, error: HostError | undefined) => void
}

export interface WebSocketConnection {
  /** A string goes as text, bytes as binary. Before `open` it waits; after the end it goes nowhere. */
  readonly send: (message: string | Uint8Array) => void
  /** No message comes any more; `close` comes when the server has answered. */
  readonly close: (code?: number, reason?: string) => void
  /** Stop reading, also amid the messages of one read; what was read already waits, and no more is. */
  readonly pause: () => void
  readonly resume: () => void
  /** Bytes that wait to be sent. */
  readonly queued: () => number
}

/**
 * A WebSocket client, RFC 6455 with permessage-deflate: https://www.rfc-editor.org/rfc/rfc6455. It reads into
 * one buffer and hands messages on where they lie, so that a message costs no memory and no copy.
 */
export const openWebSocket = (
  url: string,
  events: WebSocketEvents,
  options: WebSocketOptions,
): WebSocketConnection => {
  const client = new Client(events, options)
  client.start(url)
  return client
}
