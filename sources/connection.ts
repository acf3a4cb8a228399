import type { Socket } from '../graph/port.ts'
import type { ConnectionStatus, SourceHost } from '../graph/source.ts'
import type { Budget } from './budget.ts'
import type { Effect, Happening, Topic } from './happening.ts'
import type { Inlet, InletLine } from './inlet.ts'
import type { Intake } from './intake.ts'
import type { Sub } from './line.ts'
import { ByteMap } from '../graph/byte-map.ts'
import { memoryOf } from './mapping/memory.ts'
import { KeyFinder } from './scan.ts'
import { Session } from './session.ts'
import { TopicIndex } from './topic-index.ts'
import type { MarketRules } from './venue.ts'

/** A topic with the symbol whose messages it carries. */
export interface Place extends Topic {
  readonly symbol: string
}

export interface ConnectionParts {
  readonly number: number
  readonly url: string
  readonly market: MarketRules
  readonly host: SourceHost
  readonly intake: Intake
  /** New sockets of the whole source, a minute. */
  readonly gate: Budget
}

interface Open {
  readonly line: InletLine
  readonly socket: Socket
  /** Topics that spoke on it: all that a message of theirs needs is found at once. */
  readonly spoken: TopicIndex<Spoken>
  /** The same, of messages that must be looked at closer. */
  readonly topics: Map<string, Spoken>
}

interface Spoken {
  readonly sub: Sub
  readonly inlet: Inlet
}

const decoder = new TextDecoder()
/** Replies are short; anything longer without a known topic is not one. */
const REPLY_BYTES_MAX = 65_536

/** A session at work: it plays the session's effects on the ports, and finds the topic of each message. */
export class Connection {
  readonly route: string
  readonly #parts: ConnectionParts
  readonly #session: Session
  readonly #places = new ByteMap<Place | undefined>()
  readonly #open = new Map<number, Open>()
  readonly #topic: KeyFinder
  #cancel: () => void = () => {}

  constructor(parts: ConnectionParts, route: string) {
    this.route = route
    this.#parts = parts
    this.#session = new Session(parts.market.socket, parts.host.random, parts.number)
    this.#topic = new KeyFinder(parts.market.socket.words.key)
  }

  get topics(): number {
    return this.#session.topics.size
  }

  /** Letters of all its topics. */
  get letters(): number {
    let sum = 0
    for (const topic of this.#session.topics.keys()) sum += topic.length
    return sum
  }

  has(topic: string): boolean {
    return this.#session.topics.has(topic)
  }

  start(): void {
    this.#do({ kind: 'start' })
  }

  want(places: readonly Place[]): void {
    for (const place of places) this.#places.set(place.topic, place)
    this.#do({ kind: 'want', topics: places })
  }

  drop(topics: readonly string[]): void {
    for (const topic of topics) this.#places.set(topic, undefined)
    this.#do({ kind: 'drop', topics })
  }

  again(topic: string): void {
    this.#do({ kind: 'again', topic })
  }

  stop(): void {
    this.#do({ kind: 'stop' })
    this.#cancel()
  }

  status(): ConnectionStatus {
    return this.#session.status(this.#parts.market.name)
  }

  #do(happening: Happening): void {
    this.#play(this.#session.on(happening, this.#parts.host.clock.now()))
  }

  #play(effects: readonly Effect[]): void {
    for (const effect of effects) this.#effect(effect)
  }

  #effect(effect: Effect): void {
    const { host, intake, number } = this.#parts
    switch (effect.kind) {
      case 'connect':
        return this.#connect(effect.line)
      case 'send':
        return this.#open.get(effect.line)?.socket.send(effect.text)
      case 'close':
        return this.#close(effect.line)
      case 'wake':
        this.#cancel()
        this.#cancel = host.clock.after(effect.afterMs, () => this.#do({ kind: 'wake' }))
        return
      case 'control': {
        const { of, channel, instrument, line, why } = effect
        if (of === 'down') this.#forget(channel, instrument)
        return intake.control(
          of,
          { channel, instrument, connection: number, epoch: line, why },
          host.clock.now(),
        )
      }
      case 'note':
        return host.note(effect.level, effect.what, { source: this.#parts.market.name, ...effect.facts })
    }
  }

  #connect(epoch: number): void {
    const { host, gate, url, number } = this.#parts
    const waitMs = gate.take(1, host.clock.now())
    if (waitMs > 0) {
      host.clock.after(waitMs, () => {
        if (this.#session.wants(epoch)) this.#connect(epoch)
      })
      return
    }
    const line: InletLine = { connection: number, epoch, frames: 0 }
    const socket = host.net.connect(url, {
      open: () => this.#do({ kind: 'opened', line: epoch }),
      message: (bytes, received) => this.#message(epoch, bytes, 0, bytes.length, received),
      bytes: (bytes, from, to, received) => this.#message(epoch, bytes, from, to, received),
      ping: () => this.#do({ kind: 'ping', line: epoch }),
      close: (code, reason) => {
        this.#open.delete(epoch)
        this.#do({ kind: 'closed', line: epoch, code, reason })
      },
    })
    const spoken = new TopicIndex<Spoken>(this.#parts.market.socket.words.key)
    this.#open.set(epoch, { line, socket, spoken, topics: new Map() })
  }

  #close(epoch: number): void {
    const open = this.#open.get(epoch)
    this.#open.delete(epoch)
    open?.socket.close()
  }

  #message(epoch: number, bytes: Uint8Array, from: number, to: number, received: number): void {
    const open = this.#open.get(epoch)
    if (open === undefined) return
    const memory = memoryOf(bytes, to)
    const { byteOffset } = bytes
    let spoken =
      memory === undefined ? undefined : open.spoken.find(memory, byteOffset + from, byteOffset + to)
    if (spoken === undefined || spoken.sub.gone) {
      const topic = this.#topic
      const found = topic.find(bytes, from, to)
      const place = found ? this.#places.get(bytes, topic.from, topic.to) : undefined
      if (place === undefined) {
        const said = found ? bytes.subarray(topic.from, topic.to) : undefined
        return this.#other(open, said, bytes.subarray(from, to), received)
      }
      spoken = this.#speaks(open, place)
      if (spoken === undefined) return
    }
    const counts = this.#session.heard(spoken.sub, received)
    this.#play(this.#session.take())
    if (counts) this.#parts.intake.take(spoken.inlet, bytes, received, from, to)
  }

  /** Nothing where the topic is not subscribed to on this line. */
  #speaks(open: Open, { topic, channel, symbol }: Place): Spoken | undefined {
    const known = open.topics.get(topic)
    if (known?.sub.gone === false) return known
    const sub = this.#session.sub(open.line.epoch, topic)
    if (sub === undefined) return undefined
    const spoken = { sub, inlet: this.#parts.intake.inlet(channel, symbol, open.line) }
    open.spoken.set(topic, spoken)
    open.topics.set(topic, spoken)
    return spoken
  }

  /** A reply, a farewell, the last words of a topic that was left, or something that nobody knows. */
  #other(open: Open, topic: Uint8Array | undefined, bytes: Uint8Array, received: number): void {
    const { host, market, intake } = this.#parts
    if (bytes.length <= REPLY_BYTES_MAX) {
      const reply = parsed(bytes)
      const means = reply === undefined ? undefined : market.socket.words.reply(reply)
      if (means !== undefined && means.kind !== 'other') {
        return this.#play(this.#session.on({ kind: 'reply', line: open.line.epoch, reply: means }, received))
      }
    }
    if (topic !== undefined && this.#left(topic)) return
    // A book is not doubted for it: what was missed of one shows in its ids.
    const channels = [...this.#session.topics.values()].map((held) => held.channel)
    const channel = channels.find((one) => intake.channel(one).card.model !== 'delta')
    if (channel !== undefined) return intake.stray(channel, open.line, bytes, received)
    host.note('warn', 'message is of no channel', {
      source: market.name,
      bytes: bytes.length,
      begins: decoder.decode(bytes.subarray(0, 100)),
    })
  }

  /** Topics that were left may still speak for a moment. */
  #left(topic: Uint8Array): boolean {
    const { kind } = this.#parts.market.socket.words.parts(decoder.decode(topic))
    return Object.values(this.#parts.market.channels).some(
      ({ from }) => 'topic' in from && from.topic === kind,
    )
  }

  #forget(channel: string, instrument: string): void {
    for (const held of this.#session.topics.values()) {
      if (held.channel !== channel || held.instrument !== instrument) continue
      this.#parts.intake.forget(channel, (held as unknown as Place).symbol)
    }
  }
}

const parsed = (bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes))
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined
  } catch {
    return undefined
  }
}
