import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import { openNet } from '../../sources/driver/net.ts'
import type { SocketEvents } from '../../graph/port.ts'

const clock = { now: () => 42 }
const running: { close: () => void }[] = []
afterEach(() => {
  for (const one of running.splice(0)) one.close()
})

const listen = async (server: Server): Promise<string> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  running.push({ close: () => { server.closeAllConnections(); server.close() } })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const rest = async (answer: RequestListener): Promise<string> => `http://${await listen(createServer(answer))}`

/** A WebSocket server, and what a client of it hears. */
const dial = async (serve: (socket: WebSocket) => void, options: { frameBytesMax?: number; url?: string } = {}) => {
  const http = createServer()
  const server = new WebSocketServer({ server: http, perMessageDeflate: false })
  server.on('connection', serve)
  running.push(server)
  const host = await listen(http)
  const heard: string[] = []
  const closed = Promise.withResolvers<readonly [number, string]>()
  const opened = Promise.withResolvers<undefined>()
  const events: SocketEvents = {
    open: () => opened.resolve(undefined),
    message: (bytes, received) => heard.push(`${new TextDecoder().decode(bytes)} at ${received}`),
    ping: () => heard.push('ping'),
    close: (code, reason) => closed.resolve([code, reason]),
  }
  const net = openNet({ clock, handshakeMs: 300, ...(options.frameBytesMax === undefined ? {} : { frameBytesMax: options.frameBytesMax }) })
  const socket = net.connect(options.url ?? `ws://${host}`, events)
  return { socket, heard, opened: opened.promise, closed: closed.promise }
}

describe('a WebSocket', () => {
  test('brings messages with the time of their coming, tells of pings, and asks for no compression', async () => {
    let extensions: string | undefined
    const { heard, opened, closed, socket } = await dial((server) => {
      extensions = server.extensions
      server.on('message', (text) => {
        server.send(`echo ${String(text)}`)
        server.ping()
        server.on('pong', () => server.close(4001, 'enough'))
      })
    })
    await opened
    socket.send('hello')
    expect(await closed).toEqual([4001, 'enough'])
    expect([heard, extensions]).toEqual([['echo hello at 42', 'ping'], ''])
  })

  test('with a message longer than the limit is closed with 1009 and the limit', async () => {
    const { closed, heard } = await dial((server) => server.send('x'.repeat(5_000)), { frameBytesMax: 4_096 })
    expect(await closed).toEqual([1009, 'a message was longer than 4096 bytes'])
    expect(heard).toEqual([])
  })

  test('that is refused by HTTP closes with its status and Retry-After', async () => {
    const host = await rest((_, response) => response.writeHead(429, { 'retry-after': '17' }).end())
    const { closed } = await dial(() => {}, { url: host.replace('http', 'ws') })
    expect(await closed).toEqual([429, 'the handshake was answered by 429, retry-after: 17'])
  })

  test('to where nobody listens closes', async () => {
    const { closed } = await dial(() => {}, { url: 'ws://127.0.0.1:1' })
    expect(await closed).toEqual([1006, expect.stringContaining('ECONNREFUSED')])
  })

  test('whose handshake is not answered closes in time', async () => {
    const server = createServer()
    server.on('upgrade', () => {})
    const { closed } = await dial(() => {}, { url: `ws://${await listen(server)}` })
    expect(await closed).toEqual([1006, expect.stringContaining('timed out')])
  })

  test('with an address that is none closes instead of throwing', async () => {
    const { closed } = await dial(() => {}, { url: 'ws://' })
    expect((await closed)[0]).toBe(0)
  })

  test('that we close says nothing more', async () => {
    const { socket, opened, heard } = await dial((server) => server.on('message', () => server.send('late')))
    await opened
    socket.send('x')
    socket.close()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(heard).toEqual([])
  })
})

describe('a REST request', () => {
  test('brings status, headers and body', async () => {
    const url = await rest((_, response) => response.writeHead(200, { 'X-MBX-USED-WEIGHT-1M': '7' }).end('{"a":1}'))
    const answer = await openNet({ clock }).get(`${url}/x`, 1_000)
    expect([answer.status, answer.headers['x-mbx-used-weight-1m'], new TextDecoder().decode(answer.body), answer.received]).toEqual([200, '7', '{"a":1}', 42])
  })

  test('that is refused says why', async () => {
    const url = await rest((_, response) => response.writeHead(451).end('not here'))
    expect(await openNet({ clock }).get(url, 1_000)).toMatchObject({ status: 451, why: 'not here' })
  })

  test('without an answer ends at its deadline, also in the middle of the body', async () => {
    const silent = await rest(() => {})
    const slow = await rest((_, response) => void response.writeHead(200).write('{'))
    const net = openNet({ clock })
    const begun = performance.now()
    const answers = await Promise.all([net.get(silent, 100), net.get(slow, 100)])
    expect(performance.now() - begun).toBeLessThan(5_000)
    expect(answers).toMatchObject([{ status: 0, why: 'no answer within 100 ms' }, { status: 0, why: 'no answer within 100 ms' }])
  })

  test('with too long a body is cut', async () => {
    const url = await rest((_, response) => response.end('x'.repeat(10_000)))
    expect(await openNet({ clock, bodyBytesMax: 5_000 }).get(url, 1_000)).toMatchObject({ status: 0, why: 'the answer was longer than 5000 bytes' })
  })

  test('to where nobody listens says so', async () => {
    expect(await openNet({ clock }).get('http://127.0.0.1:1/', 1_000)).toMatchObject({ status: 0, why: expect.stringMatching(/./) })
  })
})
