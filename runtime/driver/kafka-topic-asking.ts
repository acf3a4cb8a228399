import { HostError } from '../../graph/error.ts'
import { closed } from '../log.ts'
import { FORBIDDEN, forbidden, unanswered } from './kafka-access.ts'
import type { KafkaAccess } from './kafka-access.ts'
import { METADATA, Writing, openWire } from './kafka-wire.ts'
import type { Reading, Wire } from './kafka-wire.ts'

/** What brokers that give topics no ids are taken to say. */
export const NO_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

interface Connected {
  readonly wire: Wire
  /** Whether it gives topics ids. */
  readonly able: boolean
}

/**
 * Asks whichever broker answers for the ids of topics. The client library asks one of them alone, and waits
 * when that one has died.
 */
export class TopicAsking {
  readonly #access: KafkaAccess
  #brokers: readonly string[]
  #connected: Promise<Connected> | undefined
  #asking: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(access: KafkaAccess) {
    this.#access = access
    this.#brokers = access.brokers.split(',')
  }

  /** The ids of those that are there, as Kafka's tools print them. Throws KT3031, KT3032 and KT3033. */
  ids(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const asking = this.#asking.then(() => this.#insist(names))
    this.#asking = asking.catch(() => undefined)
    return asking
  }

  /** Waits for nobody: who has asked is told that nobody answers. */
  close(): void {
    this.#closed = true
    this.#connected?.then(
      ({ wire }) => wire.close(),
      () => undefined,
    )
  }

  /** A connection that was left alone for long is closed by the broker: that is no reason to fail. */
  async #insist(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    try {
      return await this.#ask(names)
    } catch {
      await this.#leave()
    }
    try {
      return await this.#ask(names)
    } catch (error) {
      await this.#leave()
      if (error instanceof HostError) throw error
      throw unanswered(this.#access.brokers, error instanceof Error ? error.message : String(error))
    }
  }

  async #ask(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (this.#closed) throw closed()
    this.#connected ??= connect({ ...this.#access, brokers: this.#brokers.join(',') })
    const { wire, able } = await this.#connected
    if (!able) return new Map(names.map((name) => [name, NO_ID]))
    const { brokers, topics } = metadataIn(await wire.ask(METADATA, WITH_IDS, request(names)))
    this.#brokers = [...new Set([...this.#brokers, ...brokers])]
    const there = topics.filter(({ error }) => error !== UNKNOWN_TOPIC)
    for (const { name, error } of there) check(this.#access.brokers, name, error)
    return new Map(there.map(({ name, id }) => [name, id]))
  }

  /** The next one is asked first from now on. */
  async #leave(): Promise<void> {
    const connected = await this.#connected?.catch(() => undefined)
    this.#connected = undefined
    connected?.wire.close()
    this.#brokers = [...this.#brokers.slice(1), ...this.#brokers.slice(0, 1)]
  }
}

const VERSIONS = 18
/** The version of the request from which on topics have ids, and texts and lists are written otherwise. */
const WITH_IDS = 10
const UNKNOWN_TOPIC = 3
const ID_BYTES = 16

const connect = async (access: KafkaAccess): Promise<Connected> => {
  const wire = await openWire(access)
  try {
    const answer = await wire.ask(VERSIONS, 0, new Writing())
    answer.int(2)
    const newest = answer.list(() => [answer.int(2), answer.int(2), answer.int(2)] as const)
    return { wire, able: newest.some(([api, , version]) => api === METADATA && version >= WITH_IDS) }
  } catch (error) {
    wire.close()
    throw error
  }
}

/** The first and the last zero of each part: no more fields. */
const request = (names: readonly string[]): Writing => {
  const body = new Writing().int(1, 0)
  count(body, names.length)
  for (const name of names) {
    body.raw(Buffer.alloc(ID_BYTES))
    const text = Buffer.from(name)
    count(body, text.length)
    body.raw(text).int(1, 0)
  }
  return body.int(1, 0).int(1, 0).int(1, 0).int(1, 0)
}

/** One more than it is, seven bits at a time. */
const count = (body: Writing, length: number): void => {
  const bytes: number[] = []
  let left = length + 1
  for (; left > 127; left >>>= 7) bytes.push((left & 127) | 128)
  body.raw(Buffer.from([...bytes, left]))
}

interface Answered {
  readonly brokers: readonly string[]
  readonly topics: readonly { readonly error: number; readonly name: string; readonly id: string }[]
}

/** @see https://kafka.apache.org/protocol#The_Messages_Metadata */
const metadataIn = (answer: Reading): Answered => {
  rest(answer)
  answer.int(4)
  const brokers = list(answer, () => {
    answer.int(4)
    const [host, port] = [text(answer), answer.int(4)]
    text(answer)
    rest(answer)
    return `${host}:${port}`
  })
  text(answer)
  answer.int(4)
  const topics = list(answer, () => {
    const [error, name] = [answer.int(2), text(answer)]
    const id = answer.raw(ID_BYTES).toString('base64url')
    answer.int(1)
    list(answer, () => partition(answer))
    answer.int(4)
    rest(answer)
    return { error, name, id }
  })
  return { brokers, topics }
}

const partition = (answer: Reading): void => {
  answer.int(2)
  for (let field = 0; field < 3; field++) answer.int(4)
  for (let field = 0; field < 3; field++) list(answer, () => answer.int(4))
  rest(answer)
}

const varint = (answer: Reading): number => {
  for (let value = 0, shift = 0; ; shift += 7) {
    const byte = answer.int(1)
    value |= (byte & 127) << shift
    if (byte >= 0) return value
  }
}

const text = (answer: Reading): string => answer.raw(Math.max(0, varint(answer) - 1)).toString()

const list = <T>(answer: Reading, read: () => T): readonly T[] =>
  Array.from({ length: Math.max(0, varint(answer) - 1) }, read)

/** Fields that newer brokers may add. */
const rest = (answer: Reading): void => {
  for (let left = varint(answer); left > 0; left--) {
    varint(answer)
    answer.raw(varint(answer))
  }
}

const check = (brokers: string, name: string, error: number): void => {
  if (error === 0) return
  if (FORBIDDEN.has(error)) throw forbidden(brokers, `look at topic "${name}"`, `Kafka's code is ${error}.`)
  throw unanswered(brokers, `It could not look at topic "${name}" (${error}).`)
}
