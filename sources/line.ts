import type { Held } from './happening.ts'
import type { SocketRules } from './venue.ts'

/** A topic as one line has it. */
export interface Sub {
  readonly held: Held
  readonly line: Line
  /** When it was asked for; 0: not yet. */
  sentAt: number
  spoke: boolean
  /** It was left, or refused. */
  gone: boolean
  tries: number
}

interface Request {
  readonly topics: readonly string[]
  readonly adds: boolean
}

/** One socket of a session: what is subscribed on it, what waits to be said, and when it was last heard. */
export class Line {
  readonly epoch: number
  readonly subs = new Map<string, Sub>()
  /** Channels that spoke on it: their life is proven by anything else on the line. */
  readonly channels = new Set<string>()
  open = false
  openedAt = 0
  heard: number
  /** When life was last told of. */
  told = 0
  cutAt: number
  #queue: string[] = []
  #off: string[] = []
  /** Topics of a refused batch are asked for one by one, to find the one. */
  #alone: string[] = []
  readonly #requests = new Map<number, Request>()
  #id = 0
  #sends: number[] = []
  #pingAt = 0
  #pongBy = Infinity

  constructor(epoch: number, now: number, cutAt: number) {
    this.epoch = epoch
    this.heard = now
    this.cutAt = cutAt
  }

  /** Is there something left to say? */
  get busy(): boolean {
    return this.#queue.length + this.#off.length + this.#alone.length > 0
  }

  opened(now: number, topics: Iterable<Held>): void {
    this.open = true
    this.openedAt = now
    this.heard = now
    for (const held of topics) this.add(held)
  }

  add(held: Held): void {
    if (!this.open || this.subs.has(held.topic)) return
    this.subs.set(held.topic, { held, line: this, sentAt: 0, spoke: false, gone: false, tries: 0 })
    this.#queue.push(held.topic)
  }

  remove(topic: string): void {
    if (!this.#leave(topic)) return
    this.#queue = this.#queue.filter((one) => one !== topic)
    this.#off.push(topic)
  }

  /** Unsubscribe and subscribe. False when that is on its way already. */
  again(topic: string): boolean {
    const sub = this.subs.get(topic)
    if (sub === undefined || this.#queue.includes(topic)) return false
    sub.tries += 1
    this.#off.push(topic)
    this.#queue.push(topic)
    return true
  }

  /** A topic that was refused, once it is known which. */
  acknowledged(id: number, why: string): string | undefined {
    const request = this.#requests.get(id)
    this.#requests.delete(id)
    if (request === undefined || why === '' || !request.adds) return undefined
    if (request.topics.length > 1) {
      this.#alone.push(...request.topics.filter((topic) => this.subs.has(topic)))
      return undefined
    }
    const [topic = ''] = request.topics
    return this.#leave(topic) ? topic : undefined
  }

  #leave(topic: string): boolean {
    const sub = this.subs.get(topic)
    if (sub !== undefined) sub.gone = true
    return this.subs.delete(topic)
  }

  answered(): void {
    this.#pongBy = Infinity
  }

  /** No answer came to our sign of life in time. */
  dead(now: number): boolean {
    return now > this.#pongBy
  }

  /**
   * What may be said now, under the venue's quota: signs of life first, then what to leave, then what to
   * take.
   */
  due(rules: SocketRules, now: number): readonly string[] {
    if (!this.open) return NOTHING
    const texts: string[] = []
    this.#sends = this.#sends.filter((at) => at > now - 1_000_000)
    const say = (message: object): void => {
      this.#sends.push(now)
      texts.push(JSON.stringify(message))
    }
    const { heartbeat, words, topicsPerRequest } = rules
    if (heartbeat.from === 'client' && now >= this.#pingAt) {
      if (this.#pongBy === Infinity) this.#pongBy = now + heartbeat.everyMs * 1000
      this.#pingAt = now + heartbeat.everyMs * 1000
      say(heartbeat.message)
    }
    while (this.#sends.length < rules.messagesPerSecond && this.busy) {
      this.#id += 1
      const adds = this.#off.length === 0
      const from = !adds ? this.#off : this.#queue.length > 0 ? this.#queue : this.#alone
      const topics = from.splice(0, from === this.#alone ? 1 : topicsPerRequest)
      this.#requests.set(this.#id, { topics, adds })
      say(adds ? words.subscribe(topics, this.#id) : words.unsubscribe(topics, this.#id))
      for (const topic of adds ? topics : NOTHING) {
        const sub = this.subs.get(topic)
        if (sub !== undefined) sub.sentAt = now
      }
    }
    return texts
  }
}

const NOTHING: readonly string[] = []
