// Real frames as fast as a connection takes them, over TCP and TLS, until so many were sent: GET /trade/100000
import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { join } from 'node:path'
import { createServer as createSecure } from 'node:tls'
import { gunzipSync } from 'node:zlib'
import { recordings } from '../../test/recordings.ts'
import { makeTrust } from '../../test/sources/websocket-trust.ts'

/** Every message that the combined stream of set B had, best bids and asks too, without the REST answers. */
const messages = globSync(join(recordings, 'binance/demo-20240808-btc/spot_btcusdt_2024080*.gz'))
  .toSorted()
  .flatMap((file) => gunzipSync(readFileSync(file)).toString('latin1').trimEnd().split('\n'))
  .map((line) => line.slice(line.indexOf(' ') + 1))
  .filter((text) => text.startsWith('{"stream"'))
const chosen = (part: string): readonly Buffer[] =>
  messages.filter((text) => text.slice(0, 60).includes(part)).map((text) => Buffer.from(text, 'latin1'))
const kinds: Readonly<Record<string, readonly Buffer[]>> = {
  trade: chosen('@trade'),
  mix: chosen('@'),
  depth: chosen('@depth'),
}

/** As few bytes as a server's frame has: https://www.rfc-editor.org/rfc/rfc6455#section-5.2 */
const framed = (body: Buffer): Buffer => {
  const { length } = body
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  head[0] = 0x81
  head[1] = length < 126 ? length : length < 65_536 ? 126 : 127
  if (head.length === 4) head.writeUInt16BE(length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, body])
}

const streams = new Map(Object.entries(kinds).map(([kind, bodies]) => [kind, bodies.map(framed)]))
/** So many frames are one write; a whole recording at once would wait in memory. */
const BURST = 200

const flood = async (socket: Socket, frames: readonly Buffer[], count: number): Promise<void> => {
  const bursts = Array.from({ length: Math.ceil(frames.length / BURST) }, (_, at) => {
    const part = frames.slice(at * BURST, (at + 1) * BURST)
    return { bytes: Buffer.concat(part), count: part.length, part }
  })
  for (let sent = 0, at = 0; sent < count; at++) {
    const burst = bursts[at % bursts.length]!
    const left = count - sent
    sent += Math.min(left, burst.count)
    const bytes = left < burst.count ? Buffer.concat(burst.part.slice(0, left)) : burst.bytes
    if (!socket.write(bytes)) await new Promise<void>((resolve) => socket.once('drain', resolve))
  }
  socket.end(Buffer.from([0x88, 2, 3, 0xe8]))
}

const greet = (socket: Socket): void => {
  socket.on('error', () => socket.destroy())
  socket.once('data', (bytes: Buffer) => {
    const head = bytes.toString('latin1')
    const [, kind = '', count = ''] = /^GET \/(\w+)\/(\d+)/.exec(head) ?? []
    const key = /^sec-websocket-key: (\S+)/im.exec(head)?.[1] ?? ''
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    void flood(socket, streams.get(kind)!, Number(count))
  })
}

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  )

const trust = makeTrust('venue.test')
const port = await listen(createServer(greet))
const securePort = await listen(createSecure({ key: trust.key, cert: trust.cert }, greet))
const bytesOf = (bodies: readonly Buffer[]): number =>
  bodies.length === 0 ? 0 : Math.round(bodies.reduce((sum, { length }) => sum + length, 0) / bodies.length)
process.send?.({
  port,
  securePort,
  ca: trust.ca,
  sizes: Object.fromEntries(Object.entries(kinds).map(([kind, bodies]) => [kind, bytesOf(bodies)])),
})
