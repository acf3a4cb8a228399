import { describe, expect, test } from 'vitest'
import type { WebSocketOptions } from '../../sources/driver/websocket.ts'
import { hello, plain } from './websocket-host.ts'
import { clock, closing, dialAs, frame, welcome } from './websocket-world.ts'
import type { Guest } from './websocket-world.ts'

/** How a connection ends whose request is answered by these words. */
const answered = async (
  words: string | ((head: string) => string),
  options: Partial<WebSocketOptions> = {},
) => {
  const url = await plain(({ socket, head }) => socket.end(typeof words === 'string' ? words : words(head)))
  const { code, reason, error } = await dialAs(url, options).closed
  return [code, reason, error?.code]
}

describe('the request', () => {
  const headOf = async (
    options: Partial<WebSocketOptions>,
    path = '',
    user = '',
  ): Promise<readonly string[]> => {
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
    const keys = [first, second].map((lines) =>
      lines.find((line) => line.startsWith('Sec-WebSocket-Key: '))!.slice(19),
    )
    expect(keys.map((key) => Buffer.from(key, 'base64').length)).toEqual([16, 16])
    expect(keys[0]).not.toBe(keys[1])
  })

  test("has the caller's headers, subprotocols, offer of compression and the address's user", async () => {
    const lines = await headOf(
      {
        headers: { 'User-Agent': 'kt' },
        protocols: ['a', 'b'],
        deflate: { serverMaxWindowBits: 12, serverNoContextTakeover: true },
      },
      '/',
      'me:pass%20word@',
    )
    expect(lines).toContain('User-Agent: kt')
    expect(lines).toContain('Sec-WebSocket-Protocol: a, b')
    expect(lines).toContain(`Authorization: Basic ${Buffer.from('me:pass word').toString('base64')}`)
    expect(lines).toContain(
      'Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; client_max_window_bits; server_no_context_takeover; server_max_window_bits=12',
    )
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
      [
        'ws://127.0.0.1',
        { proxy: 'https://127.0.0.1' },
        'the proxy is not an address that begins with http://',
      ],
    ]
    for (const [url, options, why] of wrong) {
      const { code, reason, error } = await dialAs(url, options).closed
      expect([code, reason, error?.code, error?.retry]).toEqual([0, why, 'KT2301', 'never'])
    }
  })
})

describe('the answer', () => {
  const OK = 'HTTP/1.1 101 Switching Protocols\r\n'
  const lines = (...more: readonly string[]): string =>
    `${OK}${more.map((line) => `${line}\r\n`).join('')}\r\n`
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
    expect(await answered(lines(...upgrade, 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo='))).toEqual(
      not('Sec-WebSocket-Accept does not answer our key'),
    )
    expect(await answered(lines(...upgrade))).toEqual(not('Sec-WebSocket-Accept does not answer our key'))
    expect(await answered(lines('Connection: Upgrade'))).toEqual(not('Upgrade is not websocket'))
    expect(await answered(lines('Upgrade: websocket', 'Connection: keep-alive'))).toEqual(
      not('Connection is not Upgrade'),
    )
    expect(await answered('SSH-2.0-OpenSSH_9.2\r\n\r\n')).toEqual(not('it begins with "SSH-2.0-OpenSSH_9.2"'))
    expect(await answered(lines('a line without a colon'))).toEqual(
      not('it has a line "a line without a colon"'),
    )
    expect(await answered(`${OK}A: ${'b'.repeat(40_000)}\r\n\r\n`)).toEqual(
      not('it is longer than 32768 bytes'),
    )
    expect(await answered('')).toEqual([1006, 'the server hung up before it answered', 'KT2302'])
    expect(await answered('HTTP/1.1 101 Swi')).toEqual([
      1006,
      'the server hung up before it answered',
      'KT2302',
    ])
  })

  test('may choose only what was offered', async () => {
    const choose = (line: string, options: Partial<WebSocketOptions> = {}) =>
      answered((head) => welcome(head, `${line}\r\n`), options)
    const deflate = { deflate: {} }
    const extension = (words: string, options: Partial<WebSocketOptions> = deflate) =>
      choose(`Sec-WebSocket-Extensions: ${words}`, options)
    expect(await choose('Sec-WebSocket-Protocol: c', { protocols: ['a', 'b'] })).toEqual(
      not('it chose the subprotocol "c", which was not offered'),
    )
    expect(await choose('Sec-WebSocket-Protocol: c')).toEqual(
      not('it chose the subprotocol "c", which was not offered'),
    )
    expect(await extension('permessage-deflate', {})).toEqual(
      not('it chose the extension "permessage-deflate", which was not offered'),
    )
    expect(await extension('x-webkit-deflate-frame')).toEqual(
      not('it chose the extension "x-webkit-deflate-frame", which was not offered'),
    )
    expect(await extension('permessage-deflate, permessage-deflate')).toEqual(
      not('it chose more than one extension'),
    )
    for (const param of [
      'server_max_window_bits',
      'server_max_window_bits=16',
      'server_max_window_bits=07',
      'server_no_context_takeover=1',
      'mystery',
    ]) {
      const [, reason, code] = await extension(`permessage-deflate; ${param}`)
      expect([reason, code]).toEqual([
        expect.stringContaining(`the parameter "${param.includes('=') ? param : `${param}=`}" cannot be`),
        'KT2306',
      ])
    }
    expect(
      await extension('permessage-deflate; server_no_context_takeover; server_no_context_takeover'),
    ).toEqual(not('the parameter "server_no_context_takeover=" cannot be'))
    expect(await extension('permessage-deflate', { deflate: { serverNoContextTakeover: true } })).toEqual(
      not('it did not agree to server_no_context_takeover'),
    )
    expect(
      await extension('permessage-deflate; server_max_window_bits=13', {
        deflate: { serverMaxWindowBits: 12 },
      }),
    ).toEqual(not('it did not agree to server_max_window_bits=12'))
    expect(await extension('permessage-deflate;;')).toEqual(not('"permessage-deflate;;" is no extension'))
  })

  test('tells of the subprotocol that was chosen', async () => {
    const url = await plain(({ socket, head }) =>
      socket.end(Buffer.concat([Buffer.from(welcome(head, 'Sec-WebSocket-Protocol: b\r\n')), closing(1000)])),
    )
    expect((await dialAs(url, { protocols: ['a', 'b'] }).opened).protocol).toBe('b')
  })

  test('that refuses gives its status, what it says of waiting and moving, and how its body begins', async () => {
    expect(await answered('HTTP/1.1 503 Unavailable\r\nContent-Length: 9\r\n\r\nbusy\n now')).toEqual([
      503,
      'the handshake was answered by 503: busy now',
      'KT2305',
    ])
    expect(
      await answered(
        'HTTP/1.1 429 Too Many\r\nRetry-After: 17\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nslo\r\n2;a=b\r\nw!\r\n0\r\n\r\n',
      ),
    ).toEqual([429, 'the handshake was answered by 429, retry-after: 17: slow!', 'KT2305'])
    expect(await answered('HTTP/1.1 302 Found\r\nLocation: wss://b/\r\n\r\nbody to the end')).toEqual([
      302,
      'the handshake was answered by 302, location: wss://b/: body to the end',
      'KT2305',
    ])
    expect(await answered(`HTTP/1.0 400 Bad\r\n\r\n${'x'.repeat(5000)}`)).toEqual([
      400,
      `the handshake was answered by 400: ${'x'.repeat(200)}`,
      'KT2305',
    ])
    expect(await answered('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')).toEqual([
      200,
      'the handshake was answered by 200',
      'KT2305',
    ])
  })

  test('that refuses with a body that never ends is not waited for', async () => {
    const url = await plain(({ socket }) =>
      socket.write('HTTP/1.1 451 Unavailable\r\nContent-Length: 999\r\n\r\nnot here'),
    )
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
    expect(await heard.closed).toEqual({
      code: 1006,
      reason: 'it was closed before it was open',
      error: undefined,
    })
    await gone.promise
  })
})
