import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Delivery } from '../sim/connection.ts'
import { Exchange, type ExchangeOptions, type ExchangeStats } from '../sim/exchange.ts'
import { type VenueName, venueNames } from '../sim/universe.ts'
import { openTruth, type TruthFile } from './sim-truth.ts'

/** Settings of a running simulated exchange; see `ExchangeOptions` for those of its world. */
export interface SimOptions extends Omit<ExchangeOptions, 'startMs' | 'truth'> {
  /** Default 127.0.0.1. */
  readonly host?: string
  /** A port per venue; default 0, which takes a free one. */
  readonly ports?: Readonly<Partial<Record<VenueName, number>>>
  /** A file for the truth log; default none. */
  readonly truthPath?: string
  readonly truthMaxBytes?: number
}

/** Where a venue can be reached: put the venue's own paths behind these. */
export interface SimEndpoint {
  /** e.g. `ws://127.0.0.1:9101` */
  readonly socket: string
  /** e.g. `http://127.0.0.1:9101` */
  readonly rest: string
}

/** Counters since the start, and how late the exchange runs behind the clock. */
export interface SimStats extends ExchangeStats {
  readonly bytes: number
  readonly lagMs: number
}

/** A running simulated exchange. */
export interface RunningSim {
  readonly endpoints: Readonly<Record<VenueName, SimEndpoint>>
  /** The world behind the sockets, e.g. to list or delist a symbol at will. */
  readonly exchange: Exchange
  readonly stats: () => SimStats
  readonly stop: () => Promise<void>
}

const tickMs = 10
const flushEveryMs = 500
/** A client that reads this much too slowly is cut off, as venues do. */
const backlogBytes = 64 << 20
/** An exchange that is late makes it up in slices of its time, for so long a turn of the event loop. */
const sliceMs = 50
const turnMs = 20
/** Simulated time jumps rather than catching up with a pause longer than this (a laptop that slept). */
const pauseMs = 10_000

/**
 * Starts a simulated exchange on loopback: WebSocket and REST of every venue, one port each, in real time.
 *
 * Fails with the system's error when a port is taken.
 */
export async function startSim(options: SimOptions): Promise<RunningSim> {
  const host = options.host ?? '127.0.0.1'
  const { truthPath, truthMaxBytes } = options
  const truth = truthPath === undefined ? undefined : openTruth(truthPath, truthMaxBytes)
  const exchange = new Exchange({
    ...options, startMs: Date.now(), ...(truth === undefined ? {} : { truth: truth.write }),
  })
  const shell = new Shell(exchange, truth)
  const servers = new Map<VenueName, Server>()
  const endpoints = {} as Record<VenueName, SimEndpoint>
  try {
    for (const venue of options.venues ?? venueNames) {
      const server = shell.serve(venue)
      servers.set(venue, server)
      const port = await listen(server, host, options.ports?.[venue] ?? 0)
      endpoints[venue] = { socket: `ws://${host}:${port}`, rest: `http://${host}:${port}` }
    }
  } catch (error) {
    await shell.stop(servers.values())
    throw error
  }
  shell.start()
  return { endpoints, exchange, stats: () => shell.stats(), stop: () => shell.stop(servers.values()) }
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

interface Client {
  readonly socket: WebSocket
  readonly wire: Socket
}

/** Sockets, HTTP and the clock around an exchange. */
class Shell {
  readonly #exchange: Exchange
  readonly #truth: TruthFile | undefined
  readonly #clients = new Map<string, Client>()
  readonly #upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  #timer: NodeJS.Timeout | undefined
  #opened = 0
  #bytes = 0
  #flushedMs = 0
  #skippedMs = 0

  constructor(exchange: Exchange, truth: TruthFile | undefined) {
    this.#exchange = exchange
    this.#truth = truth
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), tickMs)
  }

  serve(venue: VenueName): Server {
    const app = new Hono()
    app.get('*', async (context) => {
      this.#tick()
      const url = new URL(context.req.url)
      const answer = this.#exchange.rest(venue, url.pathname + url.search)
      if (answer.delayMs === Infinity) await new Promise<never>(() => {})
      return new Response(answer.body, { status: answer.status, headers: answer.headers })
    })
    const server = createAdaptorServer({ fetch: app.fetch }) as Server
    server.on('upgrade', (request, wire, head) => this.#upgrade(venue, request, wire, head))
    return server
  }

  stats(): SimStats {
    const lagMs = Date.now() - this.#skippedMs - this.#exchange.nowMs
    return { ...this.#exchange.stats(), bytes: this.#bytes, lagMs }
  }

  async stop(servers: Iterable<Server>): Promise<void> {
    clearInterval(this.#timer)
    for (const [id, { socket }] of this.#clients) {
      this.#exchange.leave(id)
      socket.terminate()
    }
    this.#clients.clear()
    await Promise.all([...servers].map((server) => new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })))
    this.#truth?.close()
  }

  #upgrade(venue: VenueName, request: IncomingMessage, wire: Duplex, head: Buffer): void {
    this.#tick()
    const id = String(++this.#opened)
    const status = this.#exchange.connect(id, venue, request.url ?? '/')
    if (status !== 101) {
      wire.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`)
      return
    }
    this.#upgrades.handleUpgrade(request, wire, head, (socket) => {
      this.#clients.set(id, { socket, wire: request.socket })
      socket.on('message', (message, binary) => {
        this.#tick()
        if (!binary) this.#exchange.receive(id, message.toString())
        this.#deliver(this.#exchange.take())
      })
      socket.on('pong', () => this.#exchange.pong(id))
      socket.on('close', () => this.#gone(id))
      // A reset by the client surfaces here and again as 'close', which is where it is dealt with.
      socket.on('error', () => {})
      this.#deliver(this.#exchange.take())
    })
  }

  #gone(id: string): void {
    this.#clients.delete(id)
    this.#exchange.leave(id)
  }

  #tick(): void {
    const now = Date.now()
    let toMs = now - this.#skippedMs
    if (toMs - this.#exchange.nowMs > pauseMs) {
      this.#skippedMs += toMs - this.#exchange.nowMs - tickMs
      toMs = now - this.#skippedMs
    }
    this.#catchUp(toMs)
    if (now - this.#flushedMs < flushEveryMs) return
    this.#flushedMs = now
    this.#truth?.flush()
  }

  /** Not further than a turn may take: who is late must still answer handshakes, or is only later for it. */
  #catchUp(toMs: number): void {
    const until = performance.now() + turnMs
    do this.#deliver(this.#exchange.advance(Math.min(toMs, this.#exchange.nowMs + sliceMs)))
    while (toMs - this.#exchange.nowMs >= sliceMs && performance.now() < until)
  }

  /** Frames a text once for all its subscribers, and writes all frames of a client at once. */
  #deliver(deliveries: readonly Delivery[]): void {
    const waiting = new Map<Client, Buffer[]>()
    let text: string | undefined
    let frame: Buffer = empty
    for (const delivery of deliveries) {
      const client = this.#clients.get(delivery.connection)
      if (client === undefined || client.socket.readyState !== client.socket.OPEN) continue
      if (delivery.does !== 'send') {
        this.#write(client, waiting.get(client))
        waiting.delete(client)
        this.#do(delivery, client)
        continue
      }
      if (delivery.text !== text) {
        text = delivery.text
        frame = textFrame(text)
      }
      const frames = waiting.get(client)
      if (frames === undefined) waiting.set(client, [frame])
      else frames.push(frame)
    }
    for (const [client, frames] of waiting) this.#write(client, frames)
  }

  #write({ socket, wire }: Client, frames: readonly Buffer[] = []): void {
    if (frames.length === 0 || !wire.writable) return
    const bytes = Buffer.concat(frames)
    this.#bytes += bytes.length
    wire.write(bytes)
    if (wire.writableLength > backlogBytes) socket.terminate()
  }

  #do(delivery: Delivery, { socket, wire }: Client): void {
    switch (delivery.does) {
      case 'ping': return socket.ping(delivery.text)
      case 'close': return socket.close(delivery.code, delivery.reason)
      case 'reset': wire.resetAndDestroy()
    }
  }
}

const empty = Buffer.alloc(0)

/**
 * A whole text message as it goes over the wire, unmasked (RFC 6455 5.2). `ws` would make it anew for every
 * subscriber and write header and body apart, which costs more than simulating the frame; the handshake,
 * pings and closes stay with `ws`, and never come between the bytes of a frame.
 */
function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(header + length)
  frame[0] = 0x81
  if (header === 2) frame[1] = length
  else if (header === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  frame.write(text, header)
  return frame
}
