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
    this.#deliver(this.#exchange.advance(toMs))
    if (now - this.#flushedMs < flushEveryMs) return
    this.#flushedMs = now
    this.#truth?.flush()
  }

  /** Sends one buffer to all subscribers of a frame, and all frames of a client in one write. */
  #deliver(deliveries: readonly Delivery[]): void {
    const corked = new Set<Socket>()
    let text = ''
    let frame = Buffer.alloc(0)
    for (const delivery of deliveries) {
      const client = this.#clients.get(delivery.connection)
      if (client === undefined) continue
      if (!corked.has(client.wire)) {
        client.wire.cork()
        corked.add(client.wire)
      }
      if (delivery.does === 'send' && delivery.text !== text) {
        text = delivery.text
        frame = Buffer.from(text)
      }
      this.#do(delivery, client, frame)
    }
    for (const wire of corked) wire.uncork()
  }

  #do(delivery: Delivery, { socket, wire }: Client, frame: Buffer): void {
    switch (delivery.does) {
      case 'send':
        if (socket.readyState !== socket.OPEN) return
        this.#bytes += frame.length
        socket.send(frame, { binary: false })
        if (socket.bufferedAmount > backlogBytes) socket.terminate()
        return
      case 'ping': return socket.ping(delivery.text)
      case 'close': return socket.close(delivery.code, delivery.reason)
      case 'reset':
        wire.resetAndDestroy()
    }
  }
}
