import { expect } from 'vitest'
import type { Case } from './websocket-cases.ts'
import { clock, closing, dialAs, sentOf, serve, welcome } from './websocket-world.ts'
import type { Guest } from './websocket-world.ts'

/** Plays cases to clients: each connection names its case by its path. */
export const openStage = async () => {
  const playing = new Map<string, (guest: Guest) => void>()
  let number = 0
  const server = await serve((guest) => {
    const path = /^GET (\S+)/.exec(guest.head)![1]!
    playing.get(path)!(guest)
    playing.delete(path)
  })

  /** Play one case to a client that reads `readBytes` at most at a time. */
  const play = async (one: Case, readBytes: number): Promise<void> => {
    const path = `/${number++}`
    const said = Promise.withResolvers<Buffer>()
    const code = one.code ?? 1000
    playing.set(path, (guest) => {
      const more = one.extensions === undefined ? '' : `Sec-WebSocket-Extensions: ${one.extensions}\r\n`
      const end = one.code === undefined ? closing(1000) : Buffer.alloc(0)
      guest.socket.write(Buffer.concat([Buffer.from(welcome(guest.head, more)), one.bytes, end]))
      void guest.gone.then(() => said.resolve(guest.said()))
    })
    const heard = dialAs(`ws://127.0.0.1:${server.port}${path}`, { ...one.options, clock, readBytes })
    const { code: ended, reason, error } = await heard.closed
    const { frames, rest } = sentOf(await said.promise)
    const pongs = frames.filter(({ opcode }) => opcode === 10).map(({ body }) => body)
    const farewell = frames.filter(({ opcode }) => opcode === 8).map(({ body }) => body)
    expect({
      heard: heard.messages,
      ended: [ended, reason],
      error: error?.code,
      pongs,
      farewells: farewell.length,
      code: farewell[0]?.toString('hex', 0, 2),
      last: frames.at(-1)?.opcode,
      rest: rest.length,
    }, `${one.group} ${one.name}, ${readBytes} bytes at a time`).toEqual({
      heard: one.heard,
      ended: [code, one.reason ?? ''],
      error: one.faulty === true ? 'KT2307' : undefined,
      pongs: (one.pongs ?? []).map((body) => Buffer.from(body as string)),
      farewells: 1,
      code: one.farewell ?? code.toString(16).padStart(4, '0'),
      last: 8,
      rest: 0,
    })
  }
  return { play, close: server.close }
}
