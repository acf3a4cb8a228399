import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { openNet } from '../../sources/driver/net.ts'
import { proxyFrom, proxyRest } from '../../sources/driver/proxy.ts'

const running: (() => void)[] = []
afterEach(() => {
  for (const end of running.splice(0)) end()
})

const listen = async (server: Server): Promise<string> => {
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  running.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A proxy that opens ways, and tells to where. */
const proxy = async (): Promise<{ readonly url: string; readonly asked: readonly string[] }> => {
  const asked: string[] = []
  const server = createServer().on('connect', ({ url = '' }, client) => {
    asked.push(url)
    const [host, port] = url.split(':')
    const there = connect(Number(port), host, () => client.write('HTTP/1.1 200 ok\r\n\r\n'))
    there.on('error', () => client.destroy()).pipe(client)
    client.on('error', () => there.destroy()).pipe(there)
  })
  return { url: `http://${await listen(server)}`, asked }
}

describe('a proxy that the environment names', () => {
  test('is taken for the hosts that are not excluded', () => {
    const of = (environment: Readonly<Record<string, string>>, url: string) => proxyFrom(environment)(url)
    const both = { HTTPS_PROXY: 'http://secure:1', http_proxy: 'http://plain:2' }
    expect(of(both, 'wss://a.example.org/ws')).toBe('http://secure:1')
    expect(of(both, 'ws://a.example.org/ws')).toBe('http://plain:2')
    expect(of({}, 'wss://a.example.org/ws')).toBeUndefined()
    expect(of({ ...both, https_proxy: 'http://small:3' }, 'wss://x/')).toBe('http://small:3')
    for (const no_proxy of [
      '*',
      'a.example.org',
      '.example.org',
      '*.example.org',
      'x, A.example.org:9443 ,y',
    ])
      expect(of({ ...both, no_proxy }, 'wss://a.example.org:9443/')).toBeUndefined()
    for (const no_proxy of ['example.org', 'b.example.org', 'a.example.org:1', 'ample.org', ''])
      expect(of({ ...both, no_proxy }, 'wss://a.example.org:9443/')).toBe('http://secure:1')
    expect(() => proxyFrom({ https_proxy: 'socks5://x:1' })).toThrow('the proxy is not an address')
  })

  test('carries WebSockets and REST', async () => {
    const http = createServer((_, answer) => answer.end('{"ok":true}'))
    const server = new WebSocketServer({ server: http, perMessageDeflate: false })
    running.push(() => server.close())
    server.on('connection', (socket) => socket.send('hello'))
    const there = await listen(http)
    const { url, asked } = await proxy()
    const environment = { http_proxy: url }
    running.push(proxyRest(environment))
    const net = openNet({ clock: { now: () => 42 }, proxy: proxyFrom(environment) })
    const heard = Promise.withResolvers<string>()
    const socket = net.connect(`ws://${there}/ws`, {
      open: () => {},
      message: (bytes) => heard.resolve(new TextDecoder().decode(bytes)),
      ping: () => {},
      close: (code, reason) => heard.reject(new Error(`${code} ${reason}`)),
    })
    expect(await heard.promise).toBe('hello')
    socket.close()
    const answer = await net.get(`http://${there}/rest`, 2_000)
    expect([answer.status, new TextDecoder().decode(answer.body)]).toEqual([200, '{"ok":true}'])
    expect(asked).toEqual([there, there])
  })
})
