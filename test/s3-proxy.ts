import { createServer, request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** What becomes of a request on its way to S3. `after`: the store has done it, and the answer is lost. */
export type Fault =
  | 'none'
  | '403'
  | '404'
  | '409'
  | '412'
  | '500'
  | '503'
  | 'expired'
  | 'skewed'
  | 'hang'
  | 'hang after'
  | 'cut'
  | 'cut after'
  | 'cut body'

export interface Proxy {
  readonly endpoint: string
  /** Requests seen, as `PUT /bucket/key`. */
  readonly seen: string[]
  readonly stop: () => Promise<void>
}

const ANSWERS: Readonly<Partial<Record<Fault, readonly [number, string]>>> = {
  '403': [403, 'AccessDenied'],
  '404': [404, 'NoSuchThing'],
  '409': [409, 'ConditionalRequestConflict'],
  '412': [412, 'PreconditionFailed'],
  '500': [500, 'InternalError'],
  '503': [503, 'SlowDown'],
  expired: [400, 'ExpiredToken'],
  skewed: [403, 'RequestTimeTooSkewed'],
}

/** A proxy before an S3 server that does to each request what `fault` says. */
export const faultProxy = async (
  to: string,
  fault: (what: string, message: IncomingMessage) => Fault,
): Promise<Proxy> => {
  const sockets = new Set<Socket>()
  const seen: string[] = []
  const server = createServer((message, answer) => {
    const what = `${message.method} ${message.url}`
    seen.push(what)
    serve(to, message, answer, fault(what, message))
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    stop: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

const serve = (to: string, message: IncomingMessage, answer: ServerResponse, fault: Fault): void => {
  const said = ANSWERS[fault]
  if (said !== undefined) {
    message.resume()
    message.on('end', () => {
      answer.writeHead(said[0], { 'content-type': 'application/xml' })
      answer.end(`<?xml version="1.0"?><Error><Code>${said[1]}</Code><Message>as asked</Message></Error>`)
    })
    return
  }
  if (fault === 'hang') return
  if (fault === 'cut') return void message.socket.destroy()
  const options = { method: message.method!, headers: message.headers, agent: false as const }
  const onward = request(`${to}${message.url}`, options, (back) => {
    const parts: Buffer[] = []
    back.on('data', (part: Buffer) => parts.push(part))
    back.on('end', () => {
      if (fault === 'hang after') return
      if (fault === 'cut after') return void message.socket.destroy()
      const body = Buffer.concat(parts)
      answer.writeHead(back.statusCode!, back.headers)
      if (fault !== 'cut body') return void answer.end(body)
      answer.write(body.subarray(0, body.length >> 1))
      setTimeout(() => message.socket.destroy(), 20)
    })
  })
  onward.on('error', () => message.socket.destroy())
  message.pipe(onward)
}
