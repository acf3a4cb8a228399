import { createServer as createNet } from 'node:net'
import { createServer as createTls } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import type { WebSocketConnection, WebSocketOptions } from '../../sources/driver/websocket.ts'
import { openWebSocket } from '../../sources/driver/websocket.ts'
import { makeTrust } from './websocket-trust.ts'
import { clock, closing, dialAs, frame, sentOf, serve, welcome } from './websocket-world.ts'
import type { Guest } from './websocket-world.ts'

const running: (() => void)[] = []
afterEach(() => {
  for (const close of running.splice(0)) close()
})

/** A server that opens the WebSocket and does as it is told. */
const host = async (then: (guest: Guest) => void, create?: Parameters<typeof serve>[1]): Promise<string> => {
  const { port, close } = await serve((guest) => {
    guest.socket.write(welcome(guest.head))
    then(guest)
  }, create)
  running.push(close)
  return `ws://127.0.0.1:${port}`
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await pause(2)
}

describe('what is sent', () => {
  test('comes masked, as text or as bytes, of any length, also what was sent before the connection was open', async () => {
    const guests = Promise.withResolvers<Guest>()
    const url = await host(guests.resolve)
    const heard = dialAs(url)
    const bodies = ['early', '', 'x'.repeat(125), 'y'.repeat(126), 'z'.repeat(65_535), '\u{1f600}'.repeat(20_000)]
    const bytes = Buffer.from([0, 255, 7])
    heard.connection.send(bodies[0]!)
    heard.connection.send(bytes)
    bytes.fill(9)
    await heard.opened
    for (const body of bodies.slice(1)) heard.connection.send(body)
    heard.connection.close(3001, 'enough')
    const guest = await guests.promise
    await until(() => sentOf(guest.said()).frames.at(-1)?.opcode === 8)
    const { frames } = sentOf(guest.said())
    expect(frames.slice(0, 2)).toEqual([{ opcode: 1, body: Buffer.from('early') }, { opcode: 2, body: Buffer.from([0, 255, 7]) }])
    expect(frames.slice(2, -1).map(({ opcode, body }) => [opcode, String(body)])).toEqual(bodies.slice(1).map((body) => [1, body]))
    expect(frames.at(-1)).toEqual({ opcode: 8, body: closing(3001, 'enough').subarray(2) })
  })

  test('is masked by the source of randomness that was given', async () => {
    const guests = Promise.withResolvers<Guest>()
    const asked: number[] = []
    const random = { below: (n: number) => { asked.push(n); return n === 256 ? 65 : 0x01020304 } }
    const heard = dialAs(await host(guests.resolve), { random })
    await heard.opened
    heard.connection.send('AAAA')
    const guest = await guests.promise
    await until(() => guest.said().length === 10)
    expect(guest.said().toString('hex')).toBe('8184010203044043' + '4245')
    expect(guest.head).toContain(`Sec-WebSocket-Key: ${Buffer.alloc(16, 65).toString('base64')}`)
    expect(asked.filter((n) => n === 256).length).toBe(16)
  })

  test('to a server that does not read is bounded: the connection is cut, also by its pings', async () => {
    const end = async (drive: (connection: WebSocketConnection) => void, flood: boolean) => {
      const url = await host(({ socket }) => {
        socket.pause()
        const pings = Buffer.concat(Array.from({ length: 1000 }, () => frame(9, Buffer.alloc(125))))
        const more = (): void => {
          while (flood && !socket.destroyed && socket.write(pings));
        }
        socket.on('drain', more)
        more()
      })
      const heard = dialAs(url, { queueBytesMax: 100_000 })
      await heard.opened
      drive(heard.connection)
      const { code, reason, error } = await heard.closed
      expect([code, reason, error?.code]).toEqual([1006, 'more than 100000 bytes would wait to be sent', 'KT2309'])
    }
    await end((connection) => {
      for (let i = 0; i < 1000 && connection.queued() < 1e6; i++) connection.send('x'.repeat(50_000))
    }, false)
    await end(() => {}, true)
    const early = dialAs('ws://127.0.0.1:1', { queueBytesMax: 100 })
    early.connection.send('x'.repeat(101))
    expect((await early.closed).error?.code).toBe('KT2309')
  })

  test('after the end goes nowhere, and fails nothing', async () => {
    const heard = dialAs(await host(({ socket }) => socket.write(closing(1000))))
    await heard.closed
    heard.connection.send('late')
    heard.connection.close()
    heard.connection.pause()
    heard.connection.resume()
    expect(heard.connection.queued()).toBe(0)
  })
})

describe('the end', () => {
  test('that we ask for comes with the server\'s answer, and no message after the asking', async () => {
    const url = await host(({ socket }) => {
      socket.write(Buffer.concat([frame(1, 'a'), frame(1, 'b')]))
      socket.once('data', () => socket.end(Buffer.concat([frame(1, 'late'), frame(9), closing(4005, 'bye')])))
    })
    const heard = dialAs(url, {}, (_, connection) => connection.close())
    expect(await heard.closed).toEqual({ code: 4005, reason: 'bye', error: undefined })
    expect(heard.messages).toEqual(['a'])
  })

  test('that the server does not answer comes in time', async () => {
    const heard = dialAs(await host(() => {}), { closeMs: 50 })
    await heard.opened
    heard.connection.close()
    const { code, reason, error } = await heard.closed
    expect([code, reason, error?.code]).toEqual([1006, 'the server did not answer our close', 'KT2308'])
  })

  test('cuts a server that answers a close, or our refusal, and then hangs', async () => {
    for (const bytes of [closing(1000), frame(3)]) {
      const gone = Promise.withResolvers<void>()
      const url = await host(({ socket, gone: left }) => {
        socket.write(bytes)
        const talking = setInterval(() => socket.write(frame(1, 'on and on')), 5)
        void left.then(() => {
          clearInterval(talking)
          gone.resolve()
        })
      }, (accept) => createNet({ allowHalfOpen: true }, accept))
      const heard = dialAs(url, { closeMs: 30 })
      await heard.closed
      await gone.promise
    }
  })

  test('without a close frame is a loss, whatever cuts it', async () => {
    const ended = dialAs(await host(({ socket }) => socket.end(frame(1, 'a'))))
    expect(await ended.closed).toMatchObject({ code: 1006, reason: 'the server hung up without a close frame', error: { code: 'KT2308', retry: 'now' } })
    expect(ended.messages).toEqual(['a'])
    const half = dialAs(await host(({ socket }) => socket.end(frame(1, 'abc').subarray(0, 3))))
    expect((await half.closed).code).toBe(1006)
    const reset = dialAs(await host(({ socket }) => void setTimeout(() => socket.resetAndDestroy(), 20)))
    expect(await reset.closed).toMatchObject({ code: 1006, reason: expect.stringContaining('ECONNRESET'), error: { code: 'KT2308' } })
  })

  test('by a code that may not be sent is the caller\'s mistake', async () => {
    const heard = dialAs(await host(() => {}))
    await heard.opened
    expect(() => heard.connection.close(1006)).toThrow('close code 1006 may not be sent')
    expect(() => heard.connection.close(2000)).toThrow(expect.objectContaining({ code: 'KT2301' }))
  })

  test('by a long reason is cut between characters', async () => {
    const guests = Promise.withResolvers<Guest>()
    const heard = dialAs(await host(guests.resolve))
    await heard.opened
    heard.connection.close(1000, 'é'.repeat(100))
    const guest = await guests.promise
    await until(() => sentOf(guest.said()).frames.length === 1)
    expect(sentOf(guest.said()).frames[0]!.body.toString('utf8', 2)).toBe('é'.repeat(61))
  })

  test('follows at once when the consumer throws', async () => {
    const url = await host(({ socket }) => socket.write(Buffer.concat([frame(1, 'a'), frame(1, 'b')])))
    const thrown = Promise.withResolvers<unknown>()
    const before = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.once('uncaughtException', thrown.resolve)
    const heard = dialAs(url, {}, () => { throw new Error('a defect') })
    expect(await heard.closed).toMatchObject({ code: 1006, reason: 'its reader failed' })
    expect(await thrown.promise).toMatchObject({ message: 'a defect' })
    for (const one of before) process.on('uncaughtException', one)
    expect(heard.messages).toEqual(['a'])
  })
})

describe('a pause', () => {
  const trust = makeTrust('venue.test')
  const flood = ({ socket }: Guest): void => {
    let number = 0
    const more = (): void => {
      while (!socket.destroyed && socket.write(Buffer.concat(Array.from({ length: 100 }, () => frame(1, `message ${number++}`)))));
    }
    socket.on('drain', more)
    more()
  }

  /** Pause after so many messages, 10 times, and between them pause and resume at once. */
  const sip = async (url: string, options: Partial<WebSocketOptions>): Promise<void> => {
    let next = 0
    const heard = dialAs(url, { closeMs: 30, ...options }, (message, connection) => {
      if (message !== `message ${next}`) throw new Error(`${String(message)} instead of ${next}`)
      next += 1
      if (next % 777 === 0) connection.pause()
      if (next % 1554 === 0) connection.resume()
    })
    await heard.opened
    for (let round = 0, paused = 0; round < 10; round++) {
      await until(() => next % 1554 === 777 && next > paused)
      paused = next
      await pause(3)
      expect(next).toBe(paused)
      heard.connection.resume()
    }
    heard.connection.close()
    await heard.closed
    expect(next).toBeGreaterThan(9 * 1554)
  }

  test('stops amid the messages of one read, and goes on with the next', async () => {
    await sip(await host(flood), {})
    await sip(await host(flood), { readBytes: 100 })
  })

  test('holds under TLS too', async () => {
    const url = await host(flood, (accept) => createTls({ key: trust.key, cert: trust.cert }, accept))
    await sip(url.replace('ws:', 'wss:'), { tls: { ca: trust.ca } })
  })

  test('stops the server, so that nothing piles up', async () => {
    let written = 0
    const url = await host(({ socket }) => {
      const part = frame(2, Buffer.alloc(60_000))
      const more = (): void => {
        for (;;) {
          written += part.length
          if (!socket.write(part)) return
        }
      }
      socket.on('drain', more)
      more()
    })
    const heard = dialAs(url)
    heard.connection.pause()
    await heard.opened
    let before = -1
    while (before !== written) {
      before = written
      await pause(100)
    }
    expect(heard.messages).toEqual([])
    // What the two kernels hold for a loopback connection.
    expect(written).toBeLessThan(16 << 20)
    heard.connection.close()
    await until(() => written > before)
    heard.connection.close()
  })

  test('before the connection is open keeps what comes with the answer', async () => {
    const url = await host(({ socket }) => socket.write(Buffer.concat([frame(1, 'a'), frame(1, 'b'), closing(1000)])))
    const heard = dialAs(url)
    heard.connection.pause()
    await heard.opened
    await pause(20)
    expect(heard.messages).toEqual([])
    heard.connection.resume()
    expect((await heard.closed).code).toBe(1000)
    expect(heard.messages).toEqual(['a', 'b'])
  })
})

test('the clock is read once for each read of the socket', async () => {
  const url = await host(({ socket }) => {
    socket.write(Buffer.concat([frame(1, 'a'), frame(1, 'b'), frame(1, 'c').subarray(0, 2)]))
    setTimeout(() => socket.write(Buffer.concat([frame(1, 'c').subarray(2), frame(1, 'd'), closing(1000)])), 50)
  })
  let [now, over] = [0, () => {}]
  const ended = new Promise<void>((resolve) => (over = resolve))
  const heard: (readonly [string, number])[] = []
  openWebSocket(url, {
    open: () => (now = 100),
    bytes: (bytes, from, to, received) => heard.push([Buffer.from(bytes.subarray(from, to)).toString(), received]),
    ping: () => {},
    close: () => over(),
  }, { clock: { ...clock, now: () => now++ } })
  await ended
  const times = heard.map(([, received]) => received)
  expect(heard.map(([text]) => text)).toEqual(['a', 'b', 'c', 'd'])
  expect([times[0] === times[1], times[2] === times[3], times[1]! < times[2]!]).toEqual([true, true, true])
})
