import { createHash } from 'node:crypto'
import { HostError } from '../../graph/error.ts'
import type { Random } from '../../graph/port.ts'
import { parseExtensions } from '../socket-head.ts'
import type { Extension, Head } from '../socket-head.ts'

/** Where a WebSocket is, taken apart. */
export interface Address {
  /** For errors: without path and query, which may hold a secret. */
  readonly origin: string
  readonly secure: boolean
  /** A name or an IP address, the latter without brackets. */
  readonly host: string
  readonly port: number
  /** Path and query. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
}

/** What a client offers of permessage-deflate: https://www.rfc-editor.org/rfc/rfc7692#section-7.1 */
export interface DeflateOffer {
  /** Ask the server to compress each message by itself, which takes less memory and compresses less. */
  readonly serverNoContextTakeover?: boolean
  /** Ask the server for a window of this many bits, 9 to 15. */
  readonly serverMaxWindowBits?: number
}

/** What the caller adds to the request. */
export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** Subprotocols, the preferred one first. */
  readonly protocols?: readonly string[]
  /** Offer compression; by default none is offered. What we send is never compressed. */
  readonly deflate?: DeflateOffer
}

/** What was agreed upon. */
export interface Agreement {
  readonly headers: Readonly<Record<string, string>>
  /** The subprotocol; '' for none. */
  readonly protocol: string
  /** Set when the server may compress: whether its messages build upon one another. */
  readonly deflate: { readonly takeover: boolean } | undefined
}

/** https://www.rfc-editor.org/rfc/rfc6455#section-1.3 */
const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** The names that are ours to say. */
const OURS = /^(host|connection|upgrade|content-length|transfer-encoding|sec-websocket-.*)$/i

/** Throws HostError KT2301 when the text is no address of a WebSocket. */
export const addressOf = (url: string): Address => {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  const secure = parsed?.protocol === 'wss:'
  if (parsed === undefined || !(secure || parsed.protocol === 'ws:') || parsed.hash !== '') {
    // An address may hold a password or a key.
    const shown = url.replace(/\/\/[^/@]*@/, '//').replace(/([?#]).*$/, '$1...')
    throw wrong(`"${shown}" is not the address of a WebSocket`, 'Write ws://host/path or wss://host/path.')
  }
  return {
    origin: `${parsed.protocol}//${parsed.host}`,
    secure,
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? (secure ? 443 : 80) : Number(parsed.port),
    target: parsed.pathname + parsed.search,
    headers: { Host: parsed.host, ...authorization('Authorization', parsed) },
  }
}

/** The user and password of an address, as a header. */
export const authorization = (
  name: string,
  { username, password }: URL,
): Readonly<Record<string, string>> => {
  if (username === '' && password === '') return {}
  const both = `${unescaped(username)}:${unescaped(password)}`
  return { [name]: `Basic ${Buffer.from(both).toString('base64')}` }
}

/** What is no escape stays as it is. */
const unescaped = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export const keyOf = (random: Random): string =>
  Buffer.from(Array.from({ length: 16 }, () => random.below(256))).toString('base64')

/** The request's bytes. Throws HostError KT2301 when an option cannot stand in it. */
export const requestOf = (address: Address, key: string, options: RequestOptions): string => {
  const { headers = {}, protocols = [], deflate } = options
  for (const name of Object.keys(headers)) {
    if (OURS.test(name)) throw wrong(`header "${name}" is not the caller's to set`, 'Leave it away.')
  }
  const bits = deflate?.serverMaxWindowBits
  if (bits !== undefined && !(Number.isInteger(bits) && bits >= 9 && bits <= 15)) {
    throw wrong(`serverMaxWindowBits is ${bits}`, 'Use 9 to 15.')
  }
  const all = {
    ...address.headers,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': key,
    ...(protocols.length > 0 ? { 'Sec-WebSocket-Protocol': protocols.join(', ') } : {}),
    ...(deflate === undefined ? {} : { 'Sec-WebSocket-Extensions': offerOf(deflate) }),
    ...headers,
  }
  return headOf(`GET ${address.target} HTTP/1.1`, all)
}

/** The head of a request. Throws HostError KT2301 for what would break out of its line. */
export const headOf = (first: string, headers: Readonly<Record<string, string>>): string => {
  const lines = Object.entries(headers).map(([name, value]) => {
    if (/^[!#$%&'*+.^_`|~\w-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value))
      return `${name}: ${value}`
    throw wrong(`header ${JSON.stringify(name)} cannot be sent`, 'Use one line of printable characters.')
  })
  return `${[first, ...lines].join('\r\n')}\r\n\r\n`
}

// What we send is short and goes uncompressed, so that any bounds of the server for it are kept.
const offerOf = ({ serverNoContextTakeover, serverMaxWindowBits }: DeflateOffer): string =>
  [
    'permessage-deflate',
    'client_no_context_takeover',
    'client_max_window_bits',
    ...(serverNoContextTakeover === true ? ['server_no_context_takeover'] : []),
    ...(serverMaxWindowBits === undefined ? [] : [`server_max_window_bits=${serverMaxWindowBits}`]),
  ].join('; ')

/** Check the answer to a request, whose status is 101. Throws HostError KT2306 when it is none. */
export const agreementOf = (
  head: Head,
  address: Address,
  key: string,
  options: RequestOptions,
): Agreement => {
  const { headers } = head
  const expected = createHash('sha1')
    .update(key + MAGIC)
    .digest('base64')
  const protocol = headers['sec-websocket-protocol'] ?? ''
  if (headers['upgrade']?.toLowerCase() !== 'websocket') throw odd(address, 'Upgrade is not websocket')
  if (!/(^|,)[ \t]*upgrade[ \t]*(,|$)/i.test(headers['connection'] ?? '')) {
    throw odd(address, 'Connection is not Upgrade')
  }
  if (headers['sec-websocket-accept'] !== expected) {
    throw odd(address, 'Sec-WebSocket-Accept does not answer our key')
  }
  if (protocol !== '' && options.protocols?.includes(protocol) !== true) {
    throw odd(address, `it chose the subprotocol "${protocol}", which was not offered`)
  }
  const extensions = headers['sec-websocket-extensions']
  try {
    const agreed = extensions === undefined ? [] : parseExtensions(extensions)
    return { headers, protocol, deflate: deflateOf(agreed, options.deflate) }
  } catch (error) {
    throw odd(address, error instanceof SyntaxError ? error.message : String(error))
  }
}

const deflateOf = (agreed: readonly Extension[], offer: DeflateOffer | undefined): Agreement['deflate'] => {
  if (agreed.length === 0) return undefined
  const [{ name, params }] = agreed as readonly [Extension]
  if (agreed.length > 1) throw new SyntaxError('it chose more than one extension')
  if (name !== 'permessage-deflate' || offer === undefined) {
    throw new SyntaxError(`it chose the extension "${name}", which was not offered`)
  }
  const found = new Map<string, string>()
  for (const [param, value] of params) {
    const flag = param === 'server_no_context_takeover' || param === 'client_no_context_takeover'
    const bits = param === 'server_max_window_bits' || param === 'client_max_window_bits'
    const valid = (flag && value === '') || (bits && /^(8|9|1[0-5])$/.test(value))
    if (!valid || found.has(param)) throw new SyntaxError(`the parameter "${param}=${value}" cannot be`)
    found.set(param, value)
  }
  const takeover = !found.has('server_no_context_takeover')
  if (offer.serverNoContextTakeover === true && takeover) {
    throw new SyntaxError('it did not agree to server_no_context_takeover')
  }
  const { serverMaxWindowBits: asked = 15 } = offer
  if (Number(found.get('server_max_window_bits') ?? 15) > asked) {
    throw new SyntaxError(`it did not agree to server_max_window_bits=${asked}`)
  }
  return { takeover }
}

const wrong = (message: string, fix: string): HostError =>
  new HostError('KT2301', message, { fix, retry: 'never' })

/** The server's answer breaks the rules of the handshake. */
export const odd = (address: Pick<Address, 'origin'>, why: string): HostError =>
  new HostError('KT2306', `the answer is not that of a WebSocket: ${why}`, {
    where: address.origin,
    fix: 'Is a WebSocket at this address and path, and is no proxy in between that does not know them?',
    retry: { afterMs: 10_000 },
  })
