import { connect as connectPlain, isIP } from 'node:net'
import type { OnReadOpts, Socket } from 'node:net'
import { connect as connectSecure } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'
import { HostError } from '../../graph/error.ts'
import { HeadReader, parseHead } from '../socket-head.ts'
import { authorization, headOf } from './websocket-handshake.ts'
import type { Address } from './websocket-handshake.ts'

/** Trust and identity of a TLS connection. That certificates are checked cannot be switched off. */
export type TlsOptions = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'passphrase' | 'servername' | 'minVersion'
>

interface DialOptions {
  readonly tls?: TlsOptions
  /** An HTTP proxy, `http://user:password@host:port`; it is asked for a tunnel by CONNECT. */
  readonly proxy?: string
}

interface DialEvents {
  /** The way to the server is open; bytes come through `onread` from now on. */
  readonly connected: (wire: Socket) => void
  /** The present socket, to destroy when the caller gives up; a tunnel is two, one after the other. */
  readonly wire: (wire: Socket) => void
  readonly failed: (error: unknown) => void
}

/** Where the bytes go as they come. */
interface Sink {
  readonly buffer: Uint8Array
  readonly callback: (count: number) => void
}

/** Open a connection whose bytes are all read into one buffer. */
export const dial = (address: Address, sink: Sink, events: DialEvents, options: DialOptions): void => {
  const onread: OnReadOpts = {
    buffer: sink.buffer,
    callback: (count) => {
      sink.callback(count)
      return true
    },
  }
  const { host, port } = address
  if (options.proxy !== undefined) return tunnel(address, options.proxy, sink, events, options)
  if (address.secure) return void secure(address, { host, port, onread }, events, options)
  const wire = connectPlain({ host, port, onread })
  events.wire(wire)
  wire.on('connect', () => events.connected(wire))
}

const secure = (
  { host }: Address,
  over: ConnectionOptions & { readonly onread?: OnReadOpts },
  events: DialEvents,
  { tls = {} }: DialOptions,
): Socket => {
  const wire = connectSecure({
    // An IP address is no name to ask for: https://www.rfc-editor.org/rfc/rfc6066#section-3
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ALPNProtocols: ['http/1.1'],
    ...tls,
    ...over,
    host,
    rejectUnauthorized: true,
  })
  events.wire(wire)
  wire.on('secureConnect', () => events.connected(wire))
  return wire
}

const tunnel = (
  address: Address,
  proxy: string,
  sink: Sink,
  events: DialEvents,
  options: DialOptions,
): void => {
  const url = new URL(proxy)
  const target = `${isIP(address.host) === 6 ? `[${address.host}]` : address.host}:${address.port}`
  const wire = connectPlain({
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port) || 80,
  })
  events.wire(wire)
  const head = new HeadReader()
  wire.on('connect', () => {
    wire.write(
      headOf(`CONNECT ${target} HTTP/1.1`, { Host: target, ...authorization('Proxy-Authorization', url) }),
    )
  })
  const answered = (bytes: Buffer): void => {
    try {
      const end = head.take(bytes, 0, bytes.length)
      if (end < 0) return
      const { status } = parseHead(head.text())
      if (status < 200 || status > 299) throw new Error(`it answered by ${status}`)
      if (end < bytes.length) throw new Error('it sent bytes that nobody asked for')
    } catch (error) {
      return events.failed(refused(url, target, error))
    }
    wire.off('data', answered)
    wire.off('end', left)
    const inner = address.secure ? secure(address, { socket: wire }, events, options) : wire
    inner.on('data', (bytes: Buffer) => pour(bytes, sink))
    if (inner === wire) events.connected(wire)
  }
  const left = (): void => events.failed(refused(url, target, new Error('it hung up')))
  wire.on('data', answered)
  wire.on('end', left)
}

/** Through a tunnel the bytes come in Node's own buffers: it cannot read a second time into ours. */
const pour = (bytes: Uint8Array, { buffer, callback }: Sink): void => {
  for (let at = 0; at < bytes.length; at += buffer.length) {
    const piece = bytes.subarray(at, at + buffer.length)
    buffer.set(piece)
    callback(piece.length)
  }
}

const refused = (proxy: URL, target: string, error: unknown): HostError =>
  new HostError('KT2304', `the proxy ${proxy.host} opened no way to ${target}: ${(error as Error).message}`, {
    where: proxy.host,
    fix: 'Does the proxy allow CONNECT to this host and port, and are its user and password right?',
    retry: { afterMs: 10_000 },
    cause: error,
  })

/** Throws HostError KT2301 when the text is no HTTP proxy. */
export const checkProxy = (proxy: string): void => {
  if (URL.canParse(proxy) && new URL(proxy).protocol === 'http:') return
  // The text is not repeated: it may hold a password.
  throw new HostError('KT2301', 'the proxy is not an address that begins with http://', {
    fix: 'Write http://host:port or http://user:password@host:port.',
    retry: 'never',
  })
}

/** Codes of what TLS refuses: a certificate, or a peer that does not speak it. */
const TLS_CODE = /^ERR_(SSL|TLS)|CERT|ISSUER|SIGNATURE|^EPROTO|_CRL|VERIFY/

/** Why the way to a server did not open, or broke before it was one, as an error with a code. */
export const unreached = (origin: string, error: unknown): HostError => {
  if (error instanceof HostError) return error
  const { message, code = '' } = error as NodeJS.ErrnoException
  const why = message || code || String(error)
  const about = { where: origin, retry: { afterMs: 1_000 }, cause: error } as const
  return TLS_CODE.test(code)
    ? new HostError('KT2303', `TLS was refused: ${why}`, {
        ...about,
        fix: 'Is the name right, and the clock? If something in between opens TLS, give its authority as ca.',
      })
    : new HostError('KT2302', why, { ...about, fix: 'Look at the network, DNS and proxy of this machine.' })
}
