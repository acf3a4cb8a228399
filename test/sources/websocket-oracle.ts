import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { deflateRawSync, constants } from 'node:zlib'
import { expect } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { PerMessageDeflateOptions } from 'ws'
import type { WebSocketOptions } from '../../sources/driver/websocket.ts'
import { randomOf } from '../random.ts'
import { closing, dialAs, frame, sentOf, serve, welcome } from './websocket-world.ts'
import type { Sent } from './websocket-world.ts'

type Roll = (n: number) => number
/** What a client hears and says: messages, bytes as Buffers and text as strings, pings, and the close code at the end. */
interface Story {
  readonly heard: readonly (string | Buffer)[]
  readonly code: number
}

const SIZES = [0, 1, 125, 126, 127, 128, 4080, 4090, 4096, 65_535, 65_536]
const sizeOf = (roll: Roll): number => (roll(3) > 0 ? SIZES[roll(SIZES.length)]! : roll(roll(4) === 0 ? 200_000 : 3000))

/** Text that repeats itself, near and far, and is not of one byte a letter. */
const wordsOf = (roll: Roll, size: number): string => {
  const words = ['price', '"0.00012345"', '["1","2"],', 'λόγος', '\u{1f4c8}', String(roll(1e9))]
  let text = ''
  while (text.length < size) text += words[roll(words.length)]
  return text.slice(0, size).replace(/[\ud800-\udbff]$/, '')
}

interface Said {
  readonly kind: 'text' | 'bytes' | 'ping'
  readonly body: string | Buffer
  /** In how many fragments. */
  readonly parts: number
  readonly compress: boolean
}

const scriptOf = (roll: Roll): readonly Said[] =>
  Array.from({ length: 1 + roll(30) }, () => {
    const kind = (['text', 'text', 'bytes', 'ping'] as const)[roll(4)]!
    const size = sizeOf(roll)
    const body = kind === 'ping' ? 'p'.repeat(size % 126) : kind === 'text' ? wordsOf(roll, size) : Buffer.from(wordsOf(roll, size))
    return { kind, body, parts: kind === 'ping' || roll(2) === 0 ? 1 : 1 + roll(6), compress: roll(3) > 0 }
  })

const say = (socket: WebSocket, { kind, body, parts, compress }: Said): void => {
  if (kind === 'ping') return socket.ping(body)
  const bytes = Buffer.from(body as string)
  const size = Math.ceil(bytes.length / parts)
  for (let part = 0; part < parts; part++) {
    const fin = part === parts - 1
    socket.send(bytes.subarray(part * size, fin ? bytes.length : (part + 1) * size), { binary: kind === 'bytes', compress, fin })
    if (!fin && part % 2 === 1) socket.ping('between')
  }
}

/** Open by the package `ws`. */
const byWs = (url: string, options: ConstructorParameters<typeof WebSocket>[2]): Promise<Story> =>
  new Promise((resolve) => {
    const socket = new WebSocket(url, options)
    const heard: (string | Buffer)[] = []
    socket.on('message', (bytes: Buffer, binary) => heard.push(binary ? bytes : bytes.toString()))
    socket.on('ping', () => heard.push('(ping)'))
    socket.on('error', () => {})
    socket.on('close', (code) => resolve({ heard, code }))
  })

const DEFLATES: readonly (PerMessageDeflateOptions | false)[] = [
  false,
  { threshold: 0 },
  { threshold: 0, serverNoContextTakeover: true },
  { threshold: 100, serverMaxWindowBits: 9, zlibDeflateOptions: { level: 1 } },
]

/** Random messages of a server of `ws`, to our client and to the one of `ws`: both must hear the same. */
export const compareMessages = async (seed: number): Promise<void> => {
  const roll = randomOf(seed)
  const perMessageDeflate = DEFLATES[roll(DEFLATES.length)]!
  const script = scriptOf(roll)
  const code = [1000, 1001, 1011, 3000, 4999][roll(5)]!
  const http = createServer()
  const server = new WebSocketServer({ server: http, perMessageDeflate })
  server.on('connection', (socket) => {
    for (const said of script) say(socket, said)
    socket.close(code, 'done')
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  try {
    const url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}`
    const theirs = await byWs(url, { perMessageDeflate: perMessageDeflate !== false })
    const pauses = roll(3) === 0 ? 1 + roll(5) : 0
    const readBytes = [1 << 16, 1 << 16, 1000, 4097][roll(4)]!
    const options: Partial<WebSocketOptions> = { readBytes, strictText: roll(2) === 0, ...(perMessageDeflate === false ? {} : { deflate: {} }) }
    const ours = dialAs(url, options, (_, connection) => {
      if (pauses === 0 || ours.messages.length % pauses > 0) return
      connection.pause()
      setImmediate(() => connection.resume())
    })
    const end = await ours.closed
    // The oracle itself must have heard what was said.
    const meant = script.filter(({ kind }) => kind !== 'ping').map(({ body }) => body)
    expect(theirs.heard.filter((one) => one !== '(ping)'), `seed ${seed}`).toEqual(meant)
    expect({ heard: ours.messages, code: end.code, reason: end.reason }, `seed ${seed}`).toEqual({ ...theirs, reason: 'done' })
  } finally {
    server.close()
    http.close()
  }
}

/** Frames of a server that are right, before somebody spoils them. */
const streamOf = (roll: Roll, compressed: boolean): Buffer => {
  const parts = Array.from({ length: 1 + roll(6) }, (): Buffer => {
    const body = Buffer.from(wordsOf(roll, roll(5) === 0 ? SIZES[roll(9)]! : roll(40)))
    const opcode = 1 + roll(2)
    if (roll(4) === 0) return frame(9 + roll(2), body.subarray(0, 125))
    if (compressed && roll(2) === 0) {
      const made = deflateRawSync(body, { finishFlush: constants.Z_SYNC_FLUSH })
      return frame(opcode, made.subarray(0, made.length - 4), { rsv: 4 })
    }
    if (roll(3) > 0) return frame(opcode, body)
    const cut = roll(body.length + 1)
    return Buffer.concat([frame(opcode, body.subarray(0, cut), { fin: false }), frame(0, body.subarray(cut))])
  })
  return Buffer.concat([...parts, ...(roll(2) === 0 ? [closing(1000, 'bye')] : [])])
}

/** Change, lose, double or add bytes; seldom all of them. */
const spoil = (roll: Roll, bytes: Buffer): Buffer => {
  if (roll(12) === 0) return Buffer.from(Array.from({ length: roll(300) }, () => roll(256)))
  let spoilt = bytes
  for (let times = roll(4); times > 0; times--) {
    const [from, to] = [roll(spoilt.length + 1), roll(spoilt.length + 1)].toSorted((a, b) => a - b) as [number, number]
    const [before, amid, after] = [spoilt.subarray(0, from), spoilt.subarray(from, to), spoilt.subarray(to)]
    const flipped = Buffer.from(spoilt)
    if (flipped.length > 0) flipped[roll(Math.min(flipped.length, 1 + roll(flipped.length)))]! ^= 1 << roll(8)
    spoilt = [flipped, flipped, Buffer.concat([before, after]), Buffer.concat([before, amid, amid, after]), before][roll(5)]!
  }
  return spoilt
}

const BYTES_MAX = 100_000

interface Fuzz {
  readonly run: (seed: number) => Promise<'ended' | 'broken' | 'cut'>
  readonly close: () => void
}

/** How long the server waits for what a client still has to say, milliseconds: `ws` inflates on another thread. */
const QUIET_MS = 60

/** Spoilt streams to our client and to the one of `ws`: both must hear the same, and say the same of it. */
const openFuzz = async (): Promise<Fuzz> => {
  interface Play {
    readonly bytes: Buffer
    readonly deflate: boolean
    readonly said: (said: Buffer) => void
  }
  const plays = new Map<string, Play>()
  const server = await serve(({ socket, head, said, gone }) => {
    const { bytes, deflate, said: tell } = plays.get(/^GET (\S+)/.exec(head)![1]!)!
    const more = deflate ? 'Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n' : ''
    socket.write(Buffer.concat([Buffer.from(welcome(head, more)), bytes]))
    const ending = setTimeout(() => socket.end(), QUIET_MS)
    socket.on('data', () => {
      if (sentOf(said()).frames.at(-1)?.opcode === 8) socket.end()
    })
    void gone.then(() => {
      clearTimeout(ending)
      tell(said())
    })
  })
  const tell = (frames: readonly Sent[]) => ({
    pongs: frames.filter(({ opcode }) => opcode === 10).map(({ body }) => body.toString('hex')),
    close: frames.find(({ opcode }) => opcode === 8)?.body.toString('hex', 0, 2),
  })
  const run: Fuzz['run'] = async (seed) => {
    const roll = randomOf(seed)
    const deflate = roll(2) === 0
    const strictText = roll(2) === 0
    const bytes = spoil(roll, streamOf(roll, deflate))
    const readBytes = [1 << 16, 1 + roll(50)][roll(2)]!
    const urlOf = (who: string, said: Play['said']): string => {
      plays.set(`/${seed}/${who}`, { bytes, deflate, said })
      return `ws://127.0.0.1:${server.port}/${seed}/${who}`
    }
    const [theirWords, ourWords] = [Promise.withResolvers<Buffer>(), Promise.withResolvers<Buffer>()]
    const theirOptions = { perMessageDeflate: deflate, maxPayload: BYTES_MAX, skipUTF8Validation: !strictText }
    const theirs = await byWs(urlOf('ws', theirWords.resolve), theirOptions)
    const ourOptions = { messageBytesMax: BYTES_MAX, strictText, readBytes, ...(deflate ? { deflate: {} } : {}) }
    const ours = dialAs(urlOf('kt', ourWords.resolve), ourOptions)
    const { code, reason, error } = await ours.closed
    const we = tell(sentOf(await ourWords.promise).frames)
    const they = tell(sentOf(await theirWords.promise).frames)
    const about = `seed ${seed}: ${code} ${reason}`
    expect(we.pongs.length, about).toBe(ours.messages.filter((one) => one === '(ping)').length)
    // We refuse these rightly, and `ws` later or not at all: what was heard until then is the same.
    const earlier = code === 1007 || /length is not as short|64 bits has the first/.test(reason)
    if (earlier) {
      expect(theirs.heard.slice(0, ours.messages.length), about).toEqual(ours.messages)
    } else {
      expect(ours.messages, about).toEqual(theirs.heard)
      // What `ws` says of a message that it inflates comes too late when the server has gone meanwhile.
      expect(we.pongs.slice(0, they.pongs.length), about).toEqual(they.pongs)
      // It inflates a fragment before the message is whole, and so may find that fault before another.
      const sooner = deflate && they.close === '03ef' && error !== undefined
      if (they.close !== undefined && !sooner) expect(we.close, about).toBe(they.close)
    }
    return error === undefined ? 'ended' : error.code === 'KT2307' ? 'broken' : 'cut'
  }
  return { run, close: server.close }
}

/** Many at once: most of a run is the server's waiting. Returns how many ended how. */
export const fuzzAll = async (from: number, to: number): Promise<Readonly<Record<string, number>>> => {
  const fuzz = await openFuzz()
  const ends: Record<string, number> = { ended: 0, broken: 0, cut: 0 }
  let next = from
  const worker = async (): Promise<void> => {
    while (next < to) ends[await fuzz.run(next++)]! += 1
  }
  try {
    await Promise.all(Array.from({ length: 40 }, worker))
  } finally {
    fuzz.close()
  }
  return ends
}

/** Bytes of all buffers that are still in use. */
export const keptBytes = async (): Promise<number> => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let round = 0; round < 3; round++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return process.memoryUsage().arrayBuffers
}
