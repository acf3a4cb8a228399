import { constants, createDeflateRaw, deflateRawSync } from 'node:zlib'
import type { WebSocketOptions } from '../../sources/driver/websocket.ts'
import { randomOf } from '../random.ts'
import { closing, frame } from './websocket-world.ts'

/** What a server sends after the handshake, and what must come of it. */
export interface Case {
  /** The group of RFC 6455's test cases that it belongs to. */
  readonly group: string
  readonly name: string
  readonly bytes: Buffer
  /** Messages and pings that are heard. */
  readonly heard: readonly (string | Buffer)[]
  /** Close code; by default the bytes are followed by a close of 1000. */
  readonly code?: number
  readonly reason?: string
  /** The client ends it, because the server broke the protocol. */
  readonly faulty?: boolean
  /** Bodies of the pongs that are sent. */
  readonly pongs?: readonly (string | Buffer)[]
  /** The body of the close frame that is sent, in hex, where it is not the code alone. */
  readonly farewell?: string
  readonly options?: Partial<WebSocketOptions>
  /** What the server answers to the offer of compression. */
  readonly extensions?: string
}

const [TEXT, BINARY, PING, PONG] = [1, 2, 9, 10]
const text = (body: Buffer | string, options = {}): Buffer => frame(TEXT, body, options)
const part = (opcode: number, body: Buffer | string): Buffer => frame(opcode, body, { fin: false })
const more = (body: Buffer | string): Buffer => part(0, body)
const last = (body: Buffer | string): Buffer => frame(0, body)
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')
const all = (...parts: readonly Buffer[]): Buffer => Buffer.concat(parts)

const SIZES = [0, 1, 125, 126, 127, 128, 4082, 4083, 4092, 4093, 4094, 65_535, 65_536, 200_000]

const framing: readonly Case[] = SIZES.flatMap((size) => {
  const body = '*'.repeat(size)
  return [
    { group: '1', name: `text of ${size} bytes`, bytes: all(text(body), text('x')), heard: [body, 'x'] },
    { group: '1', name: `bytes, ${size}`, bytes: frame(BINARY, Buffer.alloc(size, 0xfe)), heard: [Buffer.alloc(size, 0xfe)] },
  ]
})

const tenPings = Array.from({ length: 10 }, (_, i) => `ping ${i}`)
const pings: readonly Case[] = [
  { group: '2', name: 'ping without a body', bytes: frame(PING), heard: ['(ping)'], pongs: [''] },
  { group: '2', name: 'ping with a body', bytes: frame(PING, 'hello'), heard: ['(ping)'], pongs: ['hello'] },
  { group: '2', name: 'ping of bytes', bytes: frame(PING, bytes('00fffefdfcfb00ff')), heard: ['(ping)'], pongs: [bytes('00fffefdfcfb00ff')] },
  { group: '2', name: 'ping of 125 bytes', bytes: frame(PING, Buffer.alloc(125, 0xfe)), heard: ['(ping)'], pongs: [Buffer.alloc(125, 0xfe)] },
  { group: '2', name: 'ping of 126 bytes', bytes: all(frame(PING, Buffer.alloc(126)), text('x')), heard: [], faulty: true, code: 1002, reason: 'a control frame is longer than 125 bytes' },
  { group: '2', name: 'ping with a 64-bit length', bytes: frame(PING, '', { form: 9, length: 70_000 }), heard: [], faulty: true, code: 1002, reason: 'a control frame is longer than 125 bytes' },
  { group: '2', name: 'pong that nobody asked for', bytes: all(frame(PONG), frame(PONG, 'x'), frame(PING, 'y')), heard: ['(ping)'], pongs: ['y'] },
  { group: '2', name: 'ten pings', bytes: all(...tenPings.map((body) => frame(PING, body))), heard: tenPings.map(() => '(ping)'), pongs: tenPings },
]

const reserved: readonly Case[] = [1, 2, 3, 4, 5, 6, 7].flatMap((rsv) => [
  { group: '3', name: `text with reserved bits ${rsv}`, bytes: all(text('a'), text('b', { rsv }), frame(PING)), heard: ['a'], faulty: true, code: 1002, reason: 'a reserved bit is set' },
  { group: '3', name: `ping with reserved bits ${rsv}`, bytes: frame(PING, 'b', { rsv }), heard: [], faulty: true, code: 1002, reason: 'a reserved bit is set' },
  { group: '3', name: `continuation with reserved bits ${rsv}`, bytes: all(part(TEXT, 'a'), frame(0, 'b', { rsv })), heard: [], faulty: true, code: 1002, reason: 'a reserved bit is set' },
])

const opcodes: readonly Case[] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) =>
  ['', 'body'].map((body) => ({
    group: '4', name: `opcode ${opcode} with ${body.length} bytes`, bytes: all(text('a'), frame(opcode, body), frame(PING)),
    heard: ['a'], faulty: true, code: 1002, reason: `opcode ${opcode} is reserved`,
  })),
)

const NOTHING_TO_CONTINUE = { faulty: true, code: 1002, reason: 'a continuation continues nothing' } as const
const NOT_ENDED = { faulty: true, code: 1002, reason: 'a message began before the last one had ended' } as const
const fragments: readonly Case[] = [
  { group: '5', name: 'fragmented ping', bytes: all(part(PING, 'a'), last('b')), heard: [], faulty: true, code: 1002, reason: 'a control frame is fragmented' },
  { group: '5', name: 'fragmented pong', bytes: all(part(PONG, 'a'), last('b')), heard: [], faulty: true, code: 1002, reason: 'a control frame is fragmented' },
  { group: '5', name: 'fragmented close', bytes: part(8, bytes('03e8')), heard: [], faulty: true, code: 1002, reason: 'a control frame is fragmented' },
  { group: '5', name: 'text in two', bytes: all(part(TEXT, 'frag'), last('ment')), heard: ['fragment'] },
  { group: '5', name: 'bytes in three', bytes: all(part(BINARY, bytes('00')), more(bytes('ff')), last(bytes('01'))), heard: [bytes('00ff01')] },
  { group: '5', name: 'empty fragments', bytes: all(part(TEXT, ''), more(''), last(''), text('x')), heard: ['', 'x'] },
  { group: '5', name: 'empty first and last', bytes: all(part(TEXT, ''), more('middle'), last('')), heard: ['middle'] },
  { group: '5', name: 'ping between fragments', bytes: all(part(TEXT, 'frag'), frame(PING, 'p'), last('ment')), heard: ['(ping)', 'fragment'], pongs: ['p'] },
  { group: '5', name: 'pings between many', bytes: all(part(TEXT, 'a'), frame(PING, '1'), more('b'), frame(PONG, '2'), more('c'), frame(PING, '3'), last('d')), heard: ['(ping)', '(ping)', 'abcd'], pongs: ['1', '3'] },
  { group: '5', name: 'a last fragment of nothing', bytes: all(last('x'), text('y')), heard: [], ...NOTHING_TO_CONTINUE },
  { group: '5', name: 'a fragment of nothing', bytes: all(more('x'), text('y')), heard: [], ...NOTHING_TO_CONTINUE },
  { group: '5', name: 'a fragment after a whole message', bytes: all(text('a'), last('b')), heard: ['a'], ...NOTHING_TO_CONTINUE },
  { group: '5', name: 'two beginnings', bytes: all(part(TEXT, 'a'), part(TEXT, 'b'), last('c')), heard: [], ...NOT_ENDED },
  { group: '5', name: 'a whole message amid another', bytes: all(part(TEXT, 'a'), text('b')), heard: [], ...NOT_ENDED },
  { group: '5', name: 'bytes amid text', bytes: all(part(TEXT, 'a'), frame(BINARY, 'b')), heard: [], ...NOT_ENDED },
  { group: '5', name: 'a close amid a message', bytes: all(part(TEXT, 'a'), closing(1000, 'bye')), heard: [], code: 1000, reason: 'bye' },
]

const strict = { options: { strictText: true } } as const
const SPOILT = { ...strict, heard: [], faulty: true, code: 1007, reason: 'a text is not UTF-8' } as const
// https://www.cl.cam.ac.uk/~mgk25/ucs/examples/UTF-8-test.txt
const VALID = ['c280', 'dfbf', 'e0a080', 'ed9fbf', 'ee8080', 'efbfbf', 'f0908080', 'f48fbfbf', 'efbfbe', 'ceba e1bdb9 cf83 cebc ceb5', '00', '7f']
const INVALID = ['80', 'bf', 'c0', 'c1bf', 'c080', 'e08080', 'e09fbf', 'eda080', 'edbfbf', 'eda080edb080', 'f08080af', 'f08fbfbf', 'f4908080', 'f888808080', 'fe', 'ff', 'c3', 'e282', 'f09f98', 'c328', 'e28228', 'f0288cbc', 'ceba f4908080 6564']
const plain = (hex: string): Buffer => bytes(hex.replaceAll(' ', ''))
const eachByte = (body: Buffer): Buffer => all(part(TEXT, ''), ...[...body].map((byte) => more(Buffer.of(byte))), last(''))

const utf8: readonly Case[] = [
  ...VALID.map(plain).flatMap((body) => [
    { group: '6', name: `valid ${body.toString('hex')}`, bytes: text(body), heard: [body.toString()], ...strict },
    { group: '6', name: `valid ${body.toString('hex')} byte by byte`, bytes: eachByte(body), heard: [body.toString()], ...strict },
  ]),
  ...INVALID.map(plain).flatMap((body) => [
    { group: '6', name: `invalid ${body.toString('hex')}`, bytes: text(body), ...SPOILT },
    { group: '6', name: `invalid ${body.toString('hex')} byte by byte`, bytes: eachByte(body), ...SPOILT },
    { group: '6', name: `unchecked ${body.toString('hex')}`, bytes: text(body), heard: [body.toString()] },
    { group: '6', name: `${body.toString('hex')} as bytes`, bytes: frame(BINARY, body), heard: [body], ...strict },
  ]),
  { group: '6', name: 'invalid before its message has ended', bytes: all(part(TEXT, bytes('6162f4908080')), more('more')), ...SPOILT },
  { group: '6', name: 'invalid before its frame has ended', bytes: frame(TEXT, bytes('6162f4908080'), { form: 3, length: 1000 }), ...SPOILT },
  { group: '6', name: 'valid after a message that ended well', bytes: all(eachByte(bytes('e282ac')), text('b')), heard: ['€', 'b'], ...strict },
]

const CLOSABLE = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
const UNCLOSABLE = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]
const closes: readonly Case[] = [
  { group: '7', name: 'nothing counts after a close', bytes: all(closing(1000), text('late'), frame(PING), frame(7)), heard: [], code: 1000 },
  { group: '7', name: 'a close after a message', bytes: all(text('a'), closing(1000, 'bye')), heard: ['a'], code: 1000, reason: 'bye' },
  { group: '7', name: 'a close without a body', bytes: frame(8), heard: [], code: 1005, farewell: '' },
  { group: '7', name: 'a close of one byte', bytes: frame(8, 'a'), heard: [], faulty: true, code: 1002, reason: 'a close code has one byte' },
  { group: '7', name: 'the longest reason', bytes: closing(1000, '*'.repeat(123)), heard: [], code: 1000, reason: '*'.repeat(123) },
  { group: '7', name: 'too long a reason', bytes: closing(1000, '*'.repeat(124)), heard: [], faulty: true, code: 1002, reason: 'a control frame is longer than 125 bytes' },
  { group: '7', name: 'a reason that is not UTF-8', bytes: closing(1000, bytes('ceebf4908080')), heard: [], faulty: true, code: 1007, reason: 'the reason of a close is not UTF-8' },
  { group: '7', name: 'a reason that ends within a character', bytes: closing(1000, bytes('e282')), heard: [], faulty: true, code: 1007, reason: 'the reason of a close is not UTF-8' },
  ...CLOSABLE.map((code) => ({ group: '7', name: `close code ${code}`, bytes: closing(code, 'why'), heard: [], code, reason: 'why' })),
  ...UNCLOSABLE.map((code) => ({ group: '7', name: `close code ${code}`, bytes: closing(code), heard: [], faulty: true, code: 1002, reason: `close code ${code} may not be sent` })),
]

const tooLong = (most: number): Pick<Case, 'faulty' | 'code' | 'reason' | 'options'> => ({ faulty: true, code: 1009, reason: `a message was longer than ${most} bytes`, options: { messageBytesMax: most } })
const chunksOf = (size: number, count: number): Buffer => all(part(BINARY, Buffer.alloc(size, 7)), ...Array.from({ length: count - 2 }, () => more(Buffer.alloc(size, 7))), last(Buffer.alloc(size, 7)))
const limits: readonly Case[] = [
  { group: '9', name: 'a message of the most', bytes: frame(BINARY, Buffer.alloc(5000)), heard: [Buffer.alloc(5000)], options: { messageBytesMax: 5000 } },
  { group: '9', name: 'a message of one more', bytes: all(text('a'), frame(BINARY, Buffer.alloc(5001))), heard: ['a'], ...tooLong(5000) },
  { group: '9', name: 'a length that is never filled', bytes: frame(BINARY, '', { form: 9, length: 2 ** 40 }), heard: [], ...tooLong(5000) },
  { group: '9', name: 'a length beyond 53 bits', bytes: all(bytes('827f7fffffffffffffff')), heard: [], ...tooLong(5000) },
  { group: '9', name: 'a length with the first bit', bytes: all(bytes('827f8000000000000001')), heard: [], faulty: true, code: 1002, reason: 'a length of 64 bits has the first one set' },
  { group: '9', name: 'fragments of the most', bytes: chunksOf(500, 10), heard: [Buffer.alloc(5000, 7)], options: { messageBytesMax: 5000 } },
  { group: '9', name: 'fragments of more', bytes: chunksOf(500, 11), heard: [], ...tooLong(5000) },
  { group: '9', name: 'many fragments', bytes: chunksOf(64, 1024), heard: [Buffer.alloc(65_536, 7)] },
  { group: '9', name: 'a masked frame', bytes: frame(TEXT, 'a', { masked: true }), heard: [], faulty: true, code: 1002, reason: 'a frame of the server is masked' },
  { group: '9', name: 'a masked long frame', bytes: frame(TEXT, 'a'.repeat(300), { masked: true }), heard: [], faulty: true, code: 1002, reason: 'a frame of the server is masked' },
  { group: '9', name: 'a short length in 16 bits', bytes: frame(TEXT, 'a', { form: 3 }), heard: [], faulty: true, code: 1002, reason: 'a length is not as short as it can be' },
  { group: '9', name: 'a short length in 64 bits', bytes: frame(TEXT, 'a'.repeat(300), { form: 9 }), heard: [], faulty: true, code: 1002, reason: 'a length is not as short as it can be' },
]

const DEFLATE = 'permessage-deflate'
const packed = (body: Buffer | string, options = {}): Buffer => {
  const made = deflateRawSync(Buffer.from(body as string), { finishFlush: constants.Z_SYNC_FLUSH, ...options })
  return made.subarray(0, made.length - 4)
}

/** Messages that build upon one another, as one deflate stream makes them. */
export const packedTogether = async (bodies: readonly Buffer[], windowBits = 15): Promise<readonly Buffer[]> => {
  const stream = createDeflateRaw({ windowBits })
  const out: Buffer[] = []
  stream.on('data', (made: Buffer) => out.push(made))
  const made: Buffer[] = []
  for (const body of bodies) {
    out.length = 0
    stream.write(body)
    await new Promise<void>((resolve) => stream.flush(constants.Z_SYNC_FLUSH, () => resolve()))
    const whole = Buffer.concat(out)
    made.push(whole.subarray(0, whole.length - 4))
  }
  stream.close()
  return made
}

const random = randomOf(12)
const prose = (size: number): Buffer => Buffer.from(Array.from({ length: size }, () => 97 + random(random(8) === 0 ? 26 : 4)))
const bodies = [16, 64, 256, 1024, 4096, 40_000, 0, 100, 33_000, 9].map(prose)
const z = { rsv: 4 } as const
const compressed = { extensions: DEFLATE, options: { deflate: {} } } as const
const deflateCases = async (): Promise<readonly Case[]> => {
  const together = await packedTogether(bodies)
  const narrow = await packedTogether(bodies, 9)
  const heard = bodies.map(String)
  const NOT_STRICT = { extensions: DEFLATE, options: { deflate: {}, strictText: true } } as const
  return [
    { group: '12', name: 'messages that build upon one another', bytes: all(...together.map((one) => text(one, z))), heard, ...compressed },
    { group: '12', name: 'and come in fragments with pings between', bytes: all(...together.flatMap((one) => [frame(TEXT, one.subarray(0, 5), { ...z, fin: false }), frame(PING), more(one.subarray(5, 9)), last(one.subarray(9))])), heard: heard.flatMap((one) => ['(ping)', one]), pongs: heard.map(() => ''), ...compressed },
    { group: '12', name: 'compressed and not, in turn', bytes: all(...together.flatMap((one) => [text('plain'), text(one, z)])), heard: heard.flatMap((one) => ['plain', one]), ...compressed },
    { group: '13', name: 'messages by themselves', bytes: all(...bodies.map((one) => frame(BINARY, packed(one), z))), heard: bodies, options: { deflate: { serverNoContextTakeover: true } }, extensions: `${DEFLATE}; server_no_context_takeover` },
    { group: '13', name: 'a small window', bytes: all(...narrow.map((one) => text(one, z))), heard, options: { deflate: { serverMaxWindowBits: 9 } }, extensions: `${DEFLATE}; server_max_window_bits=9; client_no_context_takeover; client_max_window_bits="10"` },
    { group: '13', name: 'no compression, for all that was agreed', bytes: all(...bodies.map((one) => text(one))), heard, ...compressed },
    { group: '13', name: 'stored blocks', bytes: all(...bodies.map((one) => text(packed(one, { level: 0 }), z))), heard, ...compressed },
    { group: '13', name: 'a final block', bytes: all(text(bytes('f348cdc9c9070000'), z), text(bytes('f348cdc9c90700'), z)), heard: ['Hello', 'Hello'], ...compressed },
    { group: '13', name: 'a compressed message where none was agreed', bytes: text(packed('a'), z), heard: [], faulty: true, code: 1002, reason: 'a reserved bit is set', options: { deflate: {} } },
    { group: '13', name: 'a compressed continuation', bytes: all(part(TEXT, 'a'), frame(0, 'b', z)), heard: [], faulty: true, code: 1002, reason: 'a reserved bit is set', ...compressed },
    { group: '13', name: 'a compressed ping', bytes: frame(PING, 'b', z), heard: [], faulty: true, code: 1002, reason: 'a reserved bit is set', ...compressed },
    { group: '13', name: 'what does not inflate', bytes: all(text(packed('a'), z), text(bytes('ffffffff'), z)), heard: ['a'], faulty: true, code: 1007, reason: 'a message does not inflate: invalid block type', ...compressed },
    { group: '13', name: 'a reference to before the beginning', bytes: text(together[3]!, z), heard: [], faulty: true, code: 1007, reason: 'a message does not inflate: invalid distance too far back', ...compressed },
    { group: '13', name: 'what inflates to the most', bytes: text(packed('a'.repeat(100_000)), z), heard: ['a'.repeat(100_000)], extensions: DEFLATE, options: { deflate: {}, messageBytesMax: 100_000 } },
    { group: '13', name: 'what inflates to more', bytes: all(text(packed('a'), z), text(packed(Buffer.alloc(50 << 20)), z)), heard: ['a'], extensions: DEFLATE, ...tooLong(100_000), options: { deflate: {}, messageBytesMax: 100_000 } },
    { group: '13', name: 'compressed text that is not UTF-8', bytes: text(packed(bytes('ceebf4908080')), z), heard: [], faulty: true, code: 1007, reason: 'a text is not UTF-8', ...NOT_STRICT },
    { group: '13', name: 'compressed text that is UTF-8', bytes: text(packed('κόσμε'), z), heard: ['κόσμε'], ...NOT_STRICT },
  ]
}

export const cases = async (): Promise<readonly Case[]> => [
  ...framing, ...pings, ...reserved, ...opcodes, ...fragments, ...utf8, ...closes, ...limits, ...(await deflateCases()),
]
