import { createServer, connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/** What a wire between client and server does to the next connections. */
export interface Wire {
  readonly url: string
  /** Cut a connection when its answer begins to come: the server has applied what was asked. */
  loseAnswers: number
  /**
   * Take what the client sends, deliver it this much later, and let the client believe that it was cut off.
   */
  delayMs: number
  readonly lost: () => number
  readonly close: () => Promise<void>
}

/** A wire to a server that can be cut at the worst moments. Only requests that insert are hit. */
export const startWire = async (to: string): Promise<Wire> => {
  const { hostname, port } = new URL(to)
  const host = hostname.replace(/^\[|\]$/g, '')
  const sockets = new Set<Socket>()
  let lost = 0
  const server = createServer((client) => {
    const upstream = connect(Number(port), host)
    let hit: 'answer' | 'delay' | undefined
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('data', (bytes) => {
      if (hit === undefined && isInsert(bytes)) hit = choose(wire)
      if (hit !== 'delay') return void upstream.write(bytes)
      setTimeout(() => upstream.write(bytes), wire.delayMs)
      setTimeout(() => client.destroy(), 20)
    })
    upstream.on('data', (bytes) => {
      if (hit === undefined) return void client.write(bytes)
      lost++
      client.destroy()
      upstream.destroy()
    })
    client.on('close', () => hit === 'delay' || upstream.destroy())
    upstream.on('close', () => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const wire: Wire = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    loseAnswers: 0,
    delayMs: 0,
    lost: () => lost,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return wire
}

const isInsert = (bytes: Buffer): boolean => bytes.subarray(0, 4096).includes('INSERT')

const choose = (wire: Wire): 'answer' | 'delay' | undefined => {
  if (wire.delayMs > 0) return 'delay'
  if (wire.loseAnswers <= 0) return undefined
  wire.loseAnswers--
  return 'answer'
}
