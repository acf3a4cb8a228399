// A venue on this machine that says what was recorded, to one listener after the other, as fast as it
// listens: `node bench/socket/venue.ts binance.spot trade,book 100000`. Sends its port to the parent.
import { once } from 'node:events'
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { binanceFrames, bybitFrames } from '../frames.ts'
import type { MarketFrame } from '../frames.ts'
import { Loop } from '../loop.ts'
import { healed } from './healed.ts'

const [source = 'binance.spot', channels = 'trade,book', count = '100000'] = process.argv.slice(2)
const wanted = Number(count)

/** Messages sent before the flood, so that books can begin, and how long the listener has for it. */
const [FIRST, QUIET_MS] = [200, 600]

const set =
  source === 'binance.spot' ? binanceFrames('spot') : bybitFrames().find((one) => one.source === source)!
const chosen = set.frames.filter(({ channel }) => channel === 'seed' || channels.split(',').includes(channel))
const booked = chosen.filter(({ channel }) => channel !== 'seed' || channels.includes('book'))
const loop = new Loop({ ...set, frames: healed(booked) })
loop.turn(0)
const seed = loop.frames.find(({ channel }) => channel === 'seed')
const snapshot = Buffer.from(seed?.bytes ?? '{}')
const messages = loop.frames.filter(({ channel }) => channel !== 'seed')

/** https://www.rfc-editor.org/rfc/rfc6455#section-5.2: a text frame of the server is not masked. */
const framed = (frames: readonly Pick<MarketFrame, 'bytes'>[]): Buffer =>
  Buffer.concat(
    frames.flatMap(({ bytes }) => {
      const { length } = bytes
      if (length < 126) return [Buffer.from([0x81, length]), bytes]
      if (length < 65_536) return [Buffer.from([0x81, 126, length >> 8, length & 255]), bytes]
      const head = Buffer.alloc(10)
      head.set([0x81, 127])
      head.writeUInt32BE(length, 6)
      return [head, bytes]
    }),
  )

const flood = async (socket: Duplex): Promise<void> => {
  const send = async (bytes: Buffer): Promise<void> => {
    if (!socket.write(bytes) && !socket.destroyed) await Promise.race([once(socket, 'drain'), closed])
  }
  const closed = once(socket, 'close')
  let left = wanted
  for (let turn = 0; left > 0 && !socket.destroyed; turn++) {
    loop.turn(turn)
    const part = messages.slice(0, left)
    left -= part.length
    if (turn === 0) {
      await send(framed(part.slice(0, FIRST)))
      await pause(QUIET_MS)
      await send(framed(part.slice(FIRST)))
    } else await send(framed(part))
  }
}

const LISTS: Readonly<Record<string, object>> = {
  '/api/v3/exchangeInfo': {
    rateLimits: [],
    symbols: [
      {
        symbol: 'BTCUSDT',
        status: 'TRADING',
        baseAsset: 'BTC',
        quoteAsset: 'USDT',
        filters: [
          { filterType: 'PRICE_FILTER', tickSize: '0.01000000' },
          { filterType: 'LOT_SIZE', stepSize: '0.00001000' },
        ],
      },
    ],
  },
  '/v5/market/instruments-info': {
    retCode: 0,
    result: {
      category: 'linear',
      nextPageCursor: '',
      list: [
        {
          symbol: 'BTCUSDT',
          contractType: 'LinearPerpetual',
          status: 'Trading',
          baseCoin: 'BTC',
          quoteCoin: 'USDT',
          settleCoin: 'USDT',
          priceFilter: { tickSize: '0.10' },
          lotSizeFilter: { qtyStep: '0.001', basePrecision: '0.000001' },
        },
      ],
    },
  },
}

const server = createServer((request, response) => {
  const path = (request.url ?? '').split('?')[0]!
  response.setHeader('content-type', 'application/json')
  if (path.endsWith('/depth')) response.end(snapshot)
  else response.end(JSON.stringify(LISTS[path] ?? {}))
})

server.on('upgrade', (request, socket) => {
  const key = `${request.headers['sec-websocket-key'] ?? ''}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
  const accept = createHash('sha1').update(key).digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
  socket.on('error', () => socket.destroy())
  let flooding = false
  // Whatever is asked for first was a subscription; the listeners of the bench send one request in one piece.
  socket.on('data', (bytes: Buffer) => {
    const text = unmasked(bytes)
    const asked = /"(?:id|req_id)":"?(\d+)/.exec(text)?.[1] ?? '1'
    const answer = source.startsWith('binance')
      ? { result: null, id: Number(asked) }
      : { success: true, ret_msg: '', op: 'subscribe', req_id: asked }
    if (flooding || !/subscribe/i.test(text)) return
    flooding = true
    socket.write(framed([{ bytes: Buffer.from(JSON.stringify(answer)) }]))
    void flood(socket)
  })
})

/** The text of one short masked frame. */
const unmasked = (bytes: Buffer): string => {
  const length = bytes[1]! & 127
  const at = length === 126 ? 4 : 2
  const mask = bytes.subarray(at, at + 4)
  return Buffer.from(bytes.subarray(at + 4).map((byte, i) => byte ^ mask[i & 3]!)).toString()
}

server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit(0))
