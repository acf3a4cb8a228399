import { connect, createServer as createNet } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { createServer as createTls } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import type { WebSocketOptions } from '../../sources/driver/websocket.ts'
import { makeTrust } from './websocket-trust.ts'
import { clock, closing, dialAs, frame, serve, welcome } from './websocket-world.ts'
import type { Guest } from './websocket-world.ts'

const running: (() => void)[] = []
afterEach(() => {
  for (const close of running.splice(0)) close()
})

const host = async (greet: (guest: Guest) => void, create?: Parameters<typeof serve>[1]): Promise<string> => {
  const { port, close } = await serve(greet, create)
  running.push(close)
  return `127.0.0.1:${port}`
}

const plain = async (greet: (guest: Guest) => void): Promise<string> => `ws://${await host(greet)}`

/** How a connection ends whose request is answered by these words. */
const answered = async (words: string | ((head: string) => string), options: Partial<WebSocketOptions> = {}) => {
  const url = await plain(({ socket, head }) => socket.end(typeof words === 'string' ? words : words(head)))
  const { code, reason, error } = await dialAs(url, options).closed
  return [code, reason, error?.code]
}

const hello = ({ socket, head }: Guest): void => {
  socket.write(Buffer.concat([Buffer.from(welcome(head)), frame(1, 'hello'), closing(1000)]))
}

describe('the request', () => {
  const headOf = async (options: Partial<WebSocketOptions>, path = '', user = ''): Promise<readonly string[]> => {
    const asked = Promise.withResolvers<string>()
    const url = await plain((guest) => {
      asked.resolve(guest.head)
      hello(guest)
    })
    await dialAs(url.replace('//', `//${user}`) + path, options).closed
    return (await asked.promise).trimEnd().split('\r\n')
  }

  test('asks for an upgrade, with a key that is new each time', async () => {
    const [first, second] = [await headOf({}, '/stream?streams=a%20b'), await headOf({})]
    expect(first[0]).toBe('GET /stream?streams=a%20b HTTP/1.1')
    expect(second[0]).toBe('GET / HTTP/1.1')
    expect(first).toContain('Upgrade: websocket')
    expect(first).toContain('Connection: Upgrade')
    expect(first).toContain('Sec-WebSocket-Version: 13')
    expect(first[1]).toMatch(/^Host: 127\.0\.0\.1:\d+$/)
    expect(first.join()).not.toMatch(/extensions|protocol:/i)
    const keys = [first, second].map((lines) => lines.find((line) => line.startsWith('Sec-WebSocket-Key: '))!.slice(19))
    expect(keys.map((key) => Buffer.from(key, 'base64').length)).toEqual([16, 16])
    expect(keys[0]).not.toBe(keys[1])
  })

  test('has the caller\'s headers, subprotocols, offer of compression and the address\'s user', async () => {
    const lines = await headOf({ headers: { 'User-Agent': 'kt' }, protocols: ['a', 'b'], deflate: { serverMaxWindowBits: 12, serverNoContextTakeover: true } }, '/', 'me:pass%20word@')
    expect(lines).toContain('User-Agent: kt')
    expect(lines).toContain('Sec-WebSocket-Protocol: a, b')
    expect(lines).toContain(`Authorization: Basic ${Buffer.from('me:pass word').toString('base64')}`)
    expect(lines).toContain('Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; client_max_window_bits; server_no_context_takeover; server_max_window_bits=12')
  })

  test('that cannot be made ends with 0 and sends nothing', async () => {
    const wrong: readonly (readonly [string, Partial<WebSocketOptions>, string])[] = [
      ['ws://', {}, '"ws://" is not the address of a WebSocket'],
      ['http://127.0.0.1', {}, '"http://127.0.0.1" is not the address of a WebSocket'],
      ['ws://127.0.0.1/#a', {}, '"ws://127.0.0.1/#..." is not the address of a WebSocket'],
      ['http://me:word@127.0.0.1/a?key=b', {}, '"http://127.0.0.1/a?..." is not the address of a WebSocket'],
      ['ws://127.0.0.1', { headers: { a: 'b\r\nc: d' } }, 'header "a" cannot be sent'],
      ['ws://127.0.0.1', { headers: { 'a b': 'c' } }, 'header "a b" cannot be sent'],
      ['ws://127.0.0.1', { headers: { host: 'c' } }, 'header "host" is not the caller\'s to set'],
      ['ws://127.0.0.1', { protocols: ['a\r\nb'] }, 'header "Sec-WebSocket-Protocol" cannot be sent'],
      ['ws://127.0.0.1', { deflate: { serverMaxWindowBits: 16 } }, 'serverMaxWindowBits is 16'],
      ['ws://127.0.0.1', { proxy: 'https://127.0.0.1' }, 'the proxy is not an address that begins with http://'],
    ]
    for (const [url, options, why] of wrong) {
      const { code, reason, error } = await dialAs(url, options).closed
      expect([code, reason, error?.code, error?.retry]).toEqual([0, why, 'KT2301', 'never'])
    }
  })
})

describe('the answer', () => {
  const OK = 'HTTP/1.1 101 Switching Protocols\r\n'
  const lines = (...more: readonly string[]): string => `${OK}${more.map((line) => `${line}\r\n`).join('')}\r\n`
  const not = (why: string) => [1006, `the answer is not that of a WebSocket: ${why}`, 'KT2306']

  test('may come in any pieces, after others of the hundreds', async () => {
    const url = await plain(async ({ socket, head }) => {
      const words = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${welcome(head, 'X-Node:  7 \r\nX-Node: 8\r\n')}`
      for (const byte of Buffer.concat([Buffer.from(words), frame(1, 'hello'), closing(1000)])) {
        socket.write(Buffer.of(byte))
        await new Promise((resolve) => setImmediate(resolve))
      }
    })
    const heard = dialAs(url)
    expect((await heard.opened).headers['x-node']).toBe('7, 8')
    expect(await heard.closed).toEqual({ code: 1000, reason: '', error: undefined })
    expect(heard.messages).toEqual(['hello'])
  })

  test('must be one of a WebSocket, and answer our key', async () => {
    const upgrade = ['Upgrade: WebSocket', 'Connection: keep-alive, Upgrade']
    expect(await answered(lines(...upgrade, 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo='))).toEqual(not('Sec-WebSocket-Accept does not answer our key'))
    expect(await answered(lines(...upgrade))).toEqual(not('Sec-WebSocket-Accept does not answer our key'))
    expect(await answered(lines('Connection: Upgrade'))).toEqual(not('Upgrade is not websocket'))
    expect(await answered(lines('Upgrade: websocket', 'Connection: keep-alive'))).toEqual(not('Connection is not Upgrade'))
    expect(await answered('SSH-2.0-OpenSSH_9.2\r\n\r\n')).toEqual(not('it begins with "SSH-2.0-OpenSSH_9.2"'))
    expect(await answered(lines('a line without a colon'))).toEqual(not('it has a line "a line without a colon"'))
    expect(await answered(`${OK}A: ${'b'.repeat(40_000)}\r\n\r\n`)).toEqual(not('it is longer than 32768 bytes'))
    expect(await answered('')).toEqual([1006, 'the server hung up before it answered', 'KT2302'])
    expect(await answered('HTTP/1.1 101 Swi')).toEqual([1006, 'the server hung up before it answered', 'KT2302'])
  })

  test('may choose only what was offered', async () => {
    const choose = (line: string, options: Partial<WebSocketOptions> = {}) => answered((head) => welcome(head, `${line}\r\n`), options)
    const deflate = { deflate: {} }
    const extension = (words: string, options: Partial<WebSocketOptions> = deflate) => choose(`Sec-WebSocket-Extensions: ${words}`, options)
    expect(await choose('Sec-WebSocket-Protocol: c', { protocols: ['a', 'b'] })).toEqual(not('it chose the subprotocol "c", which was not offered'))
    expect(await choose('Sec-WebSocket-Protocol: c')).toEqual(not('it chose the subprotocol "c", which was not offered'))
    expect(await extension('permessage-deflate', {})).toEqual(not('it chose the extension "permessage-deflate", which was not offered'))
    expect(await extension('x-webkit-deflate-frame')).toEqual(not('it chose the extension "x-webkit-deflate-frame", which was not offered'))
    expect(await extension('permessage-deflate, permessage-deflate')).toEqual(not('it chose more than one extension'))
    for (const param of ['server_max_window_bits', 'server_max_window_bits=16', 'server_max_window_bits=07', 'server_no_context_takeover=1', 'mystery']) {
      const [, reason, code] = await extension(`permessage-deflate; ${param}`)
      expect([reason, code]).toEqual([expect.stringContaining(`the parameter "${param.includes('=') ? param : `${param}=`}" cannot be`), 'KT2306'])
    }
    expect(await extension('permessage-deflate; server_no_context_takeover; server_no_context_takeover')).toEqual(not('the parameter "server_no_context_takeover=" cannot be'))
    expect(await extension('permessage-deflate', { deflate: { serverNoContextTakeover: true } })).toEqual(not('it did not agree to server_no_context_takeover'))
    expect(await extension('permessage-deflate; server_max_window_bits=13', { deflate: { serverMaxWindowBits: 12 } })).toEqual(not('it did not agree to server_max_window_bits=12'))
    expect(await extension('permessage-deflate;;')).toEqual(not('"permessage-deflate;;" is no extension'))
  })

  test('tells of the subprotocol that was chosen', async () => {
    const url = await plain(({ socket, head }) => socket.end(Buffer.concat([Buffer.from(welcome(head, 'Sec-WebSocket-Protocol: b\r\n')), closing(1000)])))
    expect((await dialAs(url, { protocols: ['a', 'b'] }).opened).protocol).toBe('b')
  })

  test('that refuses gives its status, what it says of waiting and moving, and how its body begins', async () => {
    expect(await answered('HTTP/1.1 503 Unavailable\r\nContent-Length: 9\r\n\r\nbusy\n now')).toEqual([503, 'the handshake was answered by 503: busy now', 'KT2305'])
    expect(await answered('HTTP/1.1 429 Too Many\r\nRetry-After: 17\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nslo\r\n2;a=b\r\nw!\r\n0\r\n\r\n')).toEqual([429, 'the handshake was answered by 429, retry-after: 17: slow!', 'KT2305'])
    expect(await answered('HTTP/1.1 302 Found\r\nLocation: wss://b/\r\n\r\nbody to the end')).toEqual([302, 'the handshake was answered by 302, location: wss://b/: body to the end', 'KT2305'])
    expect(await answered(`HTTP/1.0 400 Bad\r\n\r\n${'x'.repeat(5000)}`)).toEqual([400, `the handshake was answered by 400: ${'x'.repeat(200)}`, 'KT2305'])
    expect(await answered('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')).toEqual([200, 'the handshake was answered by 200', 'KT2305'])
  })

  test('that refuses with a body that never ends is not waited for', async () => {
    const url = await plain(({ socket }) => socket.write('HTTP/1.1 451 Unavailable\r\nContent-Length: 999\r\n\r\nnot here'))
    const begun = performance.now()
    const { code, reason } = await dialAs(url).closed
    expect([code, reason]).toEqual([451, 'the handshake was answered by 451: not here'])
    expect(performance.now() - begun).toBeLessThan(2000)
  })

  test('has as long as the clock says', async () => {
    const due: (readonly [number, () => void])[] = []
    const after: WebSocketOptions['clock']['after'] = (ms, call) => {
      due.push([ms, call])
      return () => {}
    }
    const asked = Promise.withResolvers<undefined>()
    const url = await plain(() => asked.resolve(undefined))
    const heard = dialAs(url, { clock: { ...clock, after }, handshakeMs: 1234 })
    await asked.promise
    const [ms, late] = due[0]!
    expect(ms).toBe(1234)
    late()
    const { code, reason, error } = await heard.closed
    expect([code, reason, error?.code]).toEqual([1006, 'the handshake timed out after 1234 ms', 'KT2302'])
  })

  test('that came while the program was busy elsewhere is in time', async () => {
    const due: (() => void)[] = []
    const after: WebSocketOptions['clock']['after'] = (_, call) => {
      due.push(call)
      return () => {}
    }
    const asked = Promise.withResolvers<Guest>()
    const heard = dialAs(await plain(asked.resolve), { clock: { ...clock, after } })
    const guest = await asked.promise
    // Timers come before what lies in the kernel.
    setTimeout(() => {
      hello(guest)
      due[0]!()
    }, 1)
    expect((await heard.closed).code).toBe(1000)
  })

  test('is not waited for once the caller has closed', async () => {
    const gone = Promise.withResolvers<void>()
    const heard = dialAs(await plain((guest) => void guest.gone.then(gone.resolve)))
    await new Promise((resolve) => setTimeout(resolve, 20))
    heard.connection.close()
    expect(await heard.closed).toEqual({ code: 1006, reason: 'it was closed before it was open', error: undefined })
    await gone.promise
  })
})

describe('the way', () => {
  test('to where nobody listens, or to a name that is none, ends', async () => {
    for (const url of ['ws://127.0.0.1:1', 'ws://nosuch.invalid']) {
      const { code, error } = await dialAs(url).closed
      expect([code, error?.code, error?.message]).toEqual([1006, 'KT2302', expect.stringMatching(/ECONNREFUSED|ENOTFOUND|EAI_AGAIN/)])
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
      const listen = server.listen.bind(server) as (port: number, host: string, done: () => void) => typeof server
      server.listen = ((at: number, _: string, done: () => void) => listen(at, '::1', done)) as typeof server.listen
      return server
    })
    running.push(close)
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
  test('is used with the server\'s name, and its certificate is checked', async () => {
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
    expect([unknown.code, unknown.error?.code, unknown.reason]).toEqual([1006, 'KT2303', expect.stringContaining('certificate')])
    const other = await dialAs(`wss://${at}`, { tls: { ca: trust.ca, servername: 'other.test' } }).closed
    expect([other.code, other.error?.code, other.reason]).toEqual([1006, 'KT2303', expect.stringContaining('other.test')])
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
    const { error } = await dialAs((await plain(({ socket }) => socket.end('hello'))).replace('ws:', 'wss:'), { handshakeMs: 500 }).closed
    expect(error?.code).toMatch(/KT230[23]/)
  })
})

/** A proxy that opens tunnels to where it is told, and what it was asked. */
const proxy = async (answer: (head: string, socket: Socket) => boolean): Promise<{ readonly at: string; readonly asked: string[] }> => {
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
  running.push(() => server.close())
  return { at: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

describe('a proxy', () => {
  test('is asked for a tunnel, with its user, and the WebSocket goes through it, plain or by TLS', async () => {
    const { at, asked } = await proxy(() => true)
    const [open, closed] = [await host(hello), await host(hello, secure)]
    const first = dialAs(`ws://${open}`, { proxy: `http://me:secret@${at}` })
    expect((await first.closed).code).toBe(1000)
    expect(first.messages).toEqual(['hello'])
    const second = dialAs(`wss://venue.test:${closed.split(':')[1]}`, { proxy: `http://${at}`, tls: { ca: trust.ca } })
    expect(await second.closed).toEqual({ code: 1000, reason: '', error: undefined })
    expect(second.messages).toEqual(['hello'])
    expect(names.at(-1)).toBe('venue.test')
    expect(asked[0]).toContain(`Proxy-Authorization: Basic ${Buffer.from('me:secret').toString('base64')}\r\n`)
    expect(asked[1]).toMatch(/^CONNECT venue\.test:\d+ HTTP\/1\.1\r\nHost: venue\.test:\d+\r\n\r\n$/)
  })

  test('is out of the story once the way is open', async () => {
    const { at } = await proxy(() => true)
    const leave = ({ socket, head }: Guest): void => void socket.end(welcome(head))
    for (const [scheme, port] of [['ws', await host(leave)], ['wss', await host(leave, secure)]] as const) {
      const url = `${scheme}://venue.test:${port.split(':')[1]}`
      const { error } = await dialAs(url, { proxy: `http://${at}`, tls: { ca: trust.ca } }).closed
      expect([error?.code, error?.message]).toEqual(['KT2308', 'the server hung up without a close frame'])
    }
  })

  test('does not excuse a certificate', async () => {
    const { at } = await proxy(() => true)
    const port = (await host(hello, secure)).split(':')[1]
    const { error } = await dialAs(`wss://other.test:${port}`, { proxy: `http://${at}`, tls: { ca: trust.ca } }).closed
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
    expect(await ends('HTTP/1.1 407 Authenticate\r\n\r\n')).toEqual([1006, 'the proxy P opened no way to venue.test:443: it answered by 407', 'KT2304'])
    expect(await ends('')).toEqual([1006, 'the proxy P opened no way to venue.test:443: it hung up', 'KT2304'])
    expect(await ends('HTTP/1.1 200 OK\r\n\r\nmore')).toEqual([1006, 'the proxy P opened no way to venue.test:443: it sent bytes that nobody asked for', 'KT2304'])
    expect(await ends('nonsense\r\n\r\n')).toEqual([1006, 'the proxy P opened no way to venue.test:443: it begins with "nonsense"', 'KT2304'])
    expect((await dialAs('ws://a', { proxy: 'http://127.0.0.1:1' }).closed).error?.code).toBe('KT2302')
  })
})
