import { connect, createServer as createNet } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { createServer as createTls } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { hello, host, plain } from './websocket-host.ts'
import { makeTrust } from './websocket-trust.ts'
import { dialAs, serve, welcome } from './websocket-world.ts'
import type { Guest } from './websocket-world.ts'

describe('the way', () => {
  test('to where nobody listens, or to a name that is none, ends', async () => {
    for (const url of ['ws://127.0.0.1:1', 'ws://nosuch.invalid']) {
      const { code, error } = await dialAs(url).closed
      expect([code, error?.code, error?.message]).toEqual([
        1006,
        'KT2302',
        expect.stringMatching(/ECONNREFUSED|ENOTFOUND|EAI_AGAIN/),
      ])
    }
  })

  test('is found when a name has addresses where nobody listens too', async () => {
    const heard = dialAs((await plain(hello)).replace('127.0.0.1', 'localhost'))
    expect((await heard.closed).code).toBe(1000)
    expect(heard.messages).toEqual(['hello'])
  })

  test('may be IPv6', async () => {
    const { port, close } = await serve(hello, (accept) => {
      const server = createNet(accept)
      const listen = server.listen.bind(server) as (
        port: number,
        host: string,
        done: () => void,
      ) => typeof server
      server.listen = ((at: number, _: string, done: () => void) =>
        listen(at, '::1', done)) as typeof server.listen
      return server
    })
    onTestFinished(close)
    const heard = dialAs(`ws://[::1]:${port}`)
    expect((await heard.closed).code).toBe(1000)
    expect(heard.messages).toEqual(['hello'])
  })
})

const trust = makeTrust('venue.test')
const names: unknown[] = []
const secure = (accept: (socket: Socket) => void) =>
  createTls({ key: trust.key, cert: trust.cert }, (socket: TLSSocket) => {
    names.push(socket.servername)
    accept(socket)
  })

describe('TLS', () => {
  test("is used with the server's name, and its certificate is checked", async () => {
    const at = await host(hello, secure)
    names.length = 0
    const heard = dialAs(`wss://${at}`, { tls: { ca: trust.ca, servername: 'venue.test' } })
    expect((await heard.closed).code).toBe(1000)
    expect(heard.messages).toEqual(['hello'])
    expect((await dialAs(`wss://${at}`, { tls: { ca: trust.ca } }).closed).code).toBe(1000)
    // An IP address is not named.
    expect(names).toEqual(['venue.test', false])
  })

  test('is refused when nobody answers for the certificate, or it is not of this name', async () => {
    const at = await host(hello, secure)
    const unknown = await dialAs(`wss://${at}`).closed
    expect([unknown.code, unknown.error?.code, unknown.reason]).toEqual([
      1006,
      'KT2303',
      expect.stringContaining('certificate'),
    ])
    const other = await dialAs(`wss://${at}`, { tls: { ca: trust.ca, servername: 'other.test' } }).closed
    expect([other.code, other.error?.code, other.reason]).toEqual([
      1006,
      'KT2303',
      expect.stringContaining('other.test'),
    ])
  })

  test('is not replaced by less', async () => {
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    try {
      expect((await dialAs(`wss://${await host(hello, secure)}`).closed).error?.code).toBe('KT2303')
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before
    }
    const { error } = await dialAs(
      (await plain(({ socket }) => socket.end('hello'))).replace('ws:', 'wss:'),
      { handshakeMs: 500 },
    ).closed
    expect(error?.code).toMatch(/KT230[23]/)
  })
})

/** A proxy that opens tunnels to where it is told, and what it was asked. */
const proxy = async (
  answer: (head: string, socket: Socket) => boolean,
): Promise<{ readonly at: string; readonly asked: string[] }> => {
  const asked: string[] = []
  const server = createNet((socket) => {
    socket.on('error', () => {})
    socket.once('data', (bytes: Buffer) => {
      const head = bytes.toString()
      asked.push(head)
      if (!answer(head, socket)) return
      const [, to] = /^CONNECT \S+:(\d+) HTTP\/1\.1\r\n/.exec(head) ?? []
      const further = connect(Number(to), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
        socket.pipe(further).pipe(socket)
      })
      further.on('error', () => socket.destroy())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { at: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

describe('a proxy', () => {
  test('is asked for a tunnel, with its user, and the WebSocket goes through it, plain or by TLS', async () => {
    const { at, asked } = await proxy(() => true)
    const [open, closed] = [await host(hello), await host(hello, secure)]
    const first = dialAs(`ws://${open}`, { proxy: `http://me:secret@${at}` })
    expect((await first.closed).code).toBe(1000)
    expect(first.messages).toEqual(['hello'])
    const second = dialAs(`wss://venue.test:${closed.split(':')[1]}`, {
      proxy: `http://${at}`,
      tls: { ca: trust.ca },
    })
    expect(await second.closed).toEqual({ code: 1000, reason: '', error: undefined })
    expect(second.messages).toEqual(['hello'])
    expect(names.at(-1)).toBe('venue.test')
    expect(asked[0]).toContain(
      `Proxy-Authorization: Basic ${Buffer.from('me:secret').toString('base64')}\r\n`,
    )
    expect(asked[1]).toMatch(/^CONNECT venue\.test:\d+ HTTP\/1\.1\r\nHost: venue\.test:\d+\r\n\r\n$/)
  })

  test('is out of the story once the way is open', async () => {
    const { at } = await proxy(() => true)
    const leave = ({ socket, head }: Guest): void => void socket.end(welcome(head))
    for (const [scheme, port] of [
      ['ws', await host(leave)],
      ['wss', await host(leave, secure)],
    ] as const) {
      const url = `${scheme}://venue.test:${port.split(':')[1]}`
      const { error } = await dialAs(url, { proxy: `http://${at}`, tls: { ca: trust.ca } }).closed
      expect([error?.code, error?.message]).toEqual(['KT2308', 'the server hung up without a close frame'])
    }
  })

  test('does not excuse a certificate', async () => {
    const { at } = await proxy(() => true)
    const port = (await host(hello, secure)).split(':')[1]
    const { error } = await dialAs(`wss://other.test:${port}`, {
      proxy: `http://${at}`,
      tls: { ca: trust.ca },
    }).closed
    expect(error?.code).toBe('KT2303')
  })

  test('that refuses, hangs up, speaks too early or is not there is named', async () => {
    const ends = async (words: string) => {
      const { at } = await proxy((_, socket) => {
        socket.end(words)
        return false
      })
      const { code, reason, error } = await dialAs('wss://venue.test', { proxy: `http://${at}` }).closed
      return [code, reason.replace(at, 'P'), error?.code]
    }
    expect(await ends('HTTP/1.1 407 Authenticate\r\n\r\n')).toEqual([
      1006,
      'the proxy P opened no way to venue.test:443: it answered by 407',
      'KT2304',
    ])
    expect(await ends('')).toEqual([
      1006,
      'the proxy P opened no way to venue.test:443: it hung up',
      'KT2304',
    ])
    expect(await ends('HTTP/1.1 200 OK\r\n\r\nmore')).toEqual([
      1006,
      'the proxy P opened no way to venue.test:443: it sent bytes that nobody asked for',
      'KT2304',
    ])
    expect(await ends('nonsense\r\n\r\n')).toEqual([
      1006,
      'the proxy P opened no way to venue.test:443: it begins with "nonsense"',
      'KT2304',
    ])
    expect((await dialAs('ws://a', { proxy: 'http://127.0.0.1:1' }).closed).error?.code).toBe('KT2302')
  })
})
