import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { openNet } from '../../sources/driver/net.ts'
import { dialByWs } from '../../sources/driver/websocket-fallback.ts'
import { makeTrust } from './websocket-trust.ts'
import { closing, frame, serve, welcome } from './websocket-world.ts'

const running: (() => void)[] = []
afterEach(() => {
  for (const close of running.splice(0)) close()
})

/** A venue of `ws` that answers what it is told, and then ends. */
const venue = async (): Promise<string> => {
  const http = createServer((_, response) => response.writeHead(429, { 'retry-after': '17' }).end())
  const server = new WebSocketServer({ server: http, path: '/stream' })
  server.on('connection', (socket) => {
    socket.ping('alive')
    socket.on('message', (text) => {
      socket.send(`echo ${String(text)}`)
      socket.send('x'.repeat(100_000))
      if (String(text) === 'last') socket.close(1001, 'going')
    })
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  running.push(() => {
    server.close()
    http.closeAllConnections()
    http.close()
  })
  return `ws://127.0.0.1:${(http.address() as AddressInfo).port}`
}

const clock = { now: () => 42 }

for (const [name, dial] of [['our own client', undefined], ['the package ws', dialByWs]] as const) {
  describe(`the network with ${name}`, () => {
    const net = openNet({ clock, handshakeMs: 300, ...(dial === undefined ? {} : { dial }) })
    const talk = (url: string, speak: (socket: ReturnType<typeof net.connect>) => void) =>
      new Promise<readonly unknown[]>((resolve) => {
        const heard: unknown[] = []
        const socket = net.connect(url, {
          open: () => {
            heard.push('open')
            speak(socket)
          },
          message: (bytes, received) => {
            if (bytes.byteOffset + bytes.length + 8 > bytes.buffer.byteLength) heard.push('no padding')
            heard.push([Buffer.from(bytes).toString('latin1', 0, 20), bytes.length, received])
          },
          ping: () => heard.push('ping'),
          close: (code, reason) => resolve([...heard, [code, reason]]),
        })
      })

    test('hears pings and messages with their times, and the end', async () => {
      const heard = await talk(`${await venue()}/stream`, (socket) => {
        socket.send('first')
        socket.send('last')
      })
      const long = ['x'.repeat(20), 100_000, 42]
      expect(heard).toEqual(['open', 'ping', ['echo first', 10, 42], long, ['echo last', 9, 42], long, [1001, 'going']])
    })

    test('is told of a refusal with its status and how long to wait', async () => {
      const [status, reason] = (await talk(`${await venue()}/stream?x`.replace('stream', 'other'), () => {})) [0] as [number, string]
      expect(status).toBe(400)
      expect(reason).toContain('the handshake was answered by 400')
    })

    test('hears nothing any more once it has closed', async () => {
      const url = `${await venue()}/stream`
      const heard: unknown[] = []
      await new Promise<void>((resolve) => {
        const socket = net.connect(url, {
          open: () => {
            socket.send('last')
            socket.close()
            setTimeout(resolve, 60)
          },
          message: (bytes) => heard.push(bytes),
          ping: () => {},
          close: (...end) => heard.push(end),
        })
      })
      expect(heard).toEqual([])
    })
  })
}

test('a consumer of ranges gets each message where it was read, with padding, and no view of it', async () => {
  const { port, close } = await serve(({ socket, head }) => {
    socket.write(Buffer.concat([Buffer.from(welcome(head)), frame(1, 'a'), frame(2, 'bc'), closing(1000)]))
  })
  running.push(close)
  const heard: unknown[] = []
  const memories = new Set<ArrayBufferLike>()
  const code = await new Promise<number>((resolve) => {
    openNet({ clock }).connect(`ws://127.0.0.1:${port}`, {
      open: () => {},
      message: () => heard.push('a view'),
      bytes: (bytes, from, to, received) => {
        memories.add(bytes.buffer)
        heard.push([Buffer.from(bytes.subarray(from, to)).toString(), bytes.length >= to + 8, received])
      },
      ping: () => {},
      close: resolve,
    })
  })
  expect([heard, memories.size, code]).toEqual([[['a', true, 42], ['bc', true, 42]], 1, 1000])
})

test('trust and a proxy are the network\'s to give', async () => {
  const trust = makeTrust('venue.test')
  const { createServer: createTls } = await import('node:tls')
  const { port, close } = await serve(
    ({ socket, head }) => socket.write(Buffer.concat([Buffer.from(welcome(head)), closing(1000)])),
    (accept) => createTls({ key: trust.key, cert: trust.cert }, accept),
  )
  running.push(close)
  const end = (options: Partial<Parameters<typeof openNet>[0]>, url: string): Promise<readonly [number, string]> =>
    new Promise((resolve) => {
      openNet({ clock, ...options }).connect(url, {
        open: () => {},
        message: () => {},
        ping: () => {},
        close: (code, reason) => resolve([code, reason]),
      })
    })
  for (const dial of [undefined, dialByWs]) {
    const how = { tls: { ca: trust.ca }, ...(dial === undefined ? {} : { dial }) }
    expect(await end(how, `wss://127.0.0.1:${port}`)).toEqual([1000, ''])
    expect((await end({ ...how, tls: {} }, `wss://127.0.0.1:${port}`))[1]).toContain('certificate')
  }
  expect((await end({ proxy: () => 'http://127.0.0.1:1' }, 'ws://a'))[1]).toContain('ECONNREFUSED')
  expect(await end({ proxy: () => 'http://127.0.0.1:1', dial: dialByWs }, 'ws://a')).toEqual([0, 'the ws package does not go through a proxy'])
})
