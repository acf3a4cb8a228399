import { readFileSync } from 'node:fs'
import { connect as connectPlain, isIP } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { HostError } from '../../graph/error.ts'
import { rejected, unanswered } from './kafka-access.ts'
import type { KafkaAccess } from './kafka-access.ts'
import { authenticate } from './kafka-sasl.ts'

const TIMEOUT_MS = 10_000
const HANDSHAKE = 17
const AUTHENTICATE = 36

/** A request of Kafka's protocol as it is written: numbers big-endian, texts and lists with their length. */
export class Writing {
  readonly #pieces: Buffer[] = []

  int(bytes: 1 | 2 | 4, value: number): this {
    const piece = Buffer.alloc(bytes)
    piece.writeIntBE(value, 0, bytes)
    this.#pieces.push(piece)
    return this
  }

  /** 64 bits. */
  long(value: number): this {
    const piece = Buffer.alloc(8)
    piece.writeBigInt64BE(BigInt(value))
    this.#pieces.push(piece)
    return this
  }

  text(text: string | undefined): this {
    if (text === undefined) return this.int(2, -1)
    const bytes = Buffer.from(text)
    this.int(2, bytes.length)
    this.#pieces.push(bytes)
    return this
  }

  blob(bytes: Buffer): this {
    this.int(4, bytes.length)
    this.#pieces.push(bytes)
    return this
  }

  raw(bytes: Buffer): this {
    this.#pieces.push(bytes)
    return this
  }

  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.int(4, items.length)
    for (const item of items) write(item)
    return this
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces)
  }
}

/** An answer as it is read. */
export class Reading {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int(bytes: 1 | 2 | 4): number {
    this.#at += bytes
    return this.#bytes.readIntBE(this.#at - bytes, bytes)
  }

  /** 64 bits, as the double that holds it exactly. */
  long(): number {
    this.#at += 8
    return Number(this.#bytes.readBigInt64BE(this.#at - 8))
  }

  text(): string | undefined {
    const length = this.int(2)
    if (length < 0) return undefined
    this.#at += length
    return this.#bytes.toString('utf8', this.#at - length, this.#at)
  }

  blob(): Buffer {
    return this.raw(Math.max(0, this.int(4)))
  }

  raw(length: number): Buffer {
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  list<T>(read: () => T): readonly T[] {
    return Array.from({ length: Math.max(0, this.int(4)) }, read)
  }
}

/**
 * One connection to one broker, for what the client library lacks: settings of topics, and why a connection
 * is refused, which the library keeps to itself.
 */
export class Wire {
  readonly #socket: Socket
  readonly #brokers: string
  #number = 0
  #rest = Buffer.alloc(0)
  #waiting:
    { readonly resolve: (answer: Reading) => void; readonly reject: (error: Error) => void } | undefined
  #ended: Error | undefined

  constructor(socket: Socket, brokers: string) {
    this.#socket = socket
    this.#brokers = brokers
    socket.on('data', (bytes: Buffer) => this.#take(bytes))
    socket.on('error', (error) => this.#end(error))
    socket.on('close', () => this.#end(CLOSED))
  }

  /** Ask one thing at a time. */
  ask(api: number, version: number, body: Writing): Promise<Reading> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    const head = new Writing().int(2, api).int(2, version).int(4, ++this.#number).text('kt')
    const request = new Writing().blob(Buffer.concat([head.bytes(), body.bytes()])).bytes()
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => this.#end(unanswered(this.#brokers, `No answer within ${TIMEOUT_MS / 1000} s.`)),
        TIMEOUT_MS,
      )
      const done = <T>(then: (value: T) => void) => {
        return (value: T): void => {
          clearTimeout(late)
          then(value)
        }
      }
      this.#waiting = { resolve: done(resolve), reject: done(reject) }
      this.#socket.write(request)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes])
    if (this.#rest.length < 8) return
    const length = this.#rest.readInt32BE(0)
    if (length < 4 || length > ANSWER_BYTES_MAX || this.#rest.readInt32BE(4) !== this.#number)
      return this.#end(new Error('what answers there does not speak the protocol of Kafka'))
    if (this.#rest.length < 4 + length) return
    const answer = new Reading(this.#rest.subarray(8, 4 + length))
    this.#rest = this.#rest.subarray(4 + length)
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.resolve(answer)
  }

  #end(error: Error): void {
    this.#ended ??= error
    this.#waiting?.reject(this.#ended)
    this.#waiting = undefined
    this.#socket.destroy()
  }
}

const CLOSED = new Error('the broker closed the connection')
const ANSWER_BYTES_MAX = 64 << 20

/**
 * Connect to the first broker that answers, and say who we are. One that hangs up or says nothing may just be
 * starting, or dying: the next one is tried. Throws KT3031 and KT3032.
 */
export const openWire = async (access: KafkaAccess): Promise<Wire> => {
  const { brokers, sasl } = access
  const whys: string[] = []
  let closed: Error | undefined
  for (const broker of brokers.split(',')) {
    const socket = await socketTo(broker.trim(), access).catch((error: Error) => error)
    if (socket instanceof Error) {
      if (isTls(socket, access.tls)) throw rejected(broker, `TLS: ${socket.message}`)
      whys.push(`${broker}: ${socket.message}`)
      continue
    }
    const wire = new Wire(socket, broker)
    try {
      if (sasl !== undefined) await signOn(wire, sasl)
      // Who has to log in may not ask for this.
      await wire.ask(METADATA, 4, new Writing().int(4, 0).int(1, 0))
      return wire
    } catch (error) {
      wire.close()
      const why = error instanceof Error ? error.message : String(error)
      if (error instanceof HostError) whys.push(error.why ?? why)
      else if (error === CLOSED) closed ??= rejected(broker, why + wantedOf(access))
      else throw rejected(broker, opensslWords(why))
    }
  }
  throw closed ?? unanswered(brokers, whys.join('; '))
}

export const METADATA = 3

const signOn = async (wire: Wire, sasl: NonNullable<KafkaAccess['sasl']>): Promise<void> => {
  const shake = await wire.ask(HANDSHAKE, 1, new Writing().text(sasl.mechanism))
  if (shake.int(2) !== 0) {
    const known = shake.list(() => shake.text()).join(', ')
    throw new Error(`${sasl.mechanism} is not one of the ways to log in there: ${known}.`)
  }
  await authenticate(sasl, async (said) => {
    const answer = await wire.ask(AUTHENTICATE, 0, new Writing().blob(said))
    const code = answer.int(2)
    const why = answer.text()
    if (code !== 0) throw new Error(`The log-in of "${sasl.user}" was refused: ${why ?? `code ${code}`}.`)
    return answer.blob()
  })
}

/** What a broker may want that hangs up without a word. */
const wantedOf = ({ tls, sasl }: KafkaAccess): string => {
  if (tls && sasl === undefined) return ': it may want a certificate or a log-in'
  if (tls) return ''
  return sasl === undefined ? ': it may want TLS or a log-in' : ': it may want TLS'
}

/** OpenSSL's own words come between its numbers and its source files. */
const opensslWords = (why: string): string => /SSL routines:[^:]*:([^:]+):/.exec(why)?.[1] ?? why

const isTls = (error: Error, tls: boolean): boolean => {
  const code = 'code' in error ? String(error.code) : ''
  // Who hangs up during the handshake does not speak TLS.
  if (tls && code === 'ECONNRESET') return true
  return /^ERR_(SSL|TLS|OSSL)|CERT|SELF_SIGNED|UNABLE_TO|EPROTO/.test(code)
}

const socketTo = (broker: string, { tls, ca, cert, key }: KafkaAccess): Promise<Socket> => {
  const colon = broker.lastIndexOf(':')
  const [host, port] = [broker.slice(0, colon), Number(broker.slice(colon + 1))]
  // A name is what certificates are chosen by; an address is none.
  const servername = isIP(host) === 0 ? host : ''
  const read = (file: string | undefined): Buffer | undefined =>
    file === undefined ? undefined : readFileSync(file)
  return new Promise((resolve, reject) => {
    const socket = tls
      ? connectTls({ host, port, servername, ca: read(ca), cert: read(cert), key: read(key) })
      : connectPlain({ host, port })
    const late = setTimeout(() => fail(new Error('no answer within 10 s')), TIMEOUT_MS)
    const fail = (error: Error): void => {
      clearTimeout(late)
      socket.destroy()
      reject(error)
    }
    socket.once('error', fail)
    socket.once('close', () =>
      fail(Object.assign(new Error('the connection was closed'), { code: 'EPROTO' })),
    )
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      clearTimeout(late)
      socket.removeAllListeners()
      resolve(socket)
    })
  })
}
