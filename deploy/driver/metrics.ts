import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Numbers of a process for Prometheus, on loopback. */
export interface Metrics {
  readonly url: string
  readonly close: () => void
}

/** Answer `GET /metrics` with whatever is counted at that moment. */
export const serveMetrics = (text: () => Promise<string>, contentType: string, port = 0): Promise<Metrics> =>
  new Promise((ready, refused) => {
    const server = createServer((request, response) => {
      if (request.url !== '/metrics') {
        response.writeHead(404).end()
        return
      }
      text().then(
        (body) => response.writeHead(200, { 'content-type': contentType }).end(body),
        (error: unknown) => response.writeHead(500).end(String(error)),
      )
    })
    server.once('error', refused)
    server.listen(port, '127.0.0.1', () => {
      server.unref()
      const { port: bound } = server.address() as AddressInfo
      ready({ url: `http://127.0.0.1:${bound}/metrics`, close: () => server.close() })
    })
  })
