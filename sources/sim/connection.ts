import type { Channel, Publication } from './channel.ts'
import type { FaultKind, Faults } from './fault.ts'
import type { Random } from './random.ts'
import type { FaultTruth, Truth } from './truth.ts'
import type { VenueName } from './universe.ts'

/** Something the server must do to one connection. */
export type Delivery =
  | { readonly connection: string; readonly does: 'send'; readonly text: string }
  | { readonly connection: string; readonly does: 'ping'; readonly text: string }
  | { readonly connection: string; readonly does: 'close'; readonly code: number; readonly reason: string }
  | { readonly connection: string; readonly does: 'reset' }

/** A frame that is sent later. */
interface Late {
  readonly dueMs: number
  readonly text: string
  readonly publication: Publication | undefined
}

/** What a connection needs from the world. */
export interface ConnectionParts {
  readonly id: string
  readonly venue: VenueName
  /** The futures route, or the path's last word. */
  readonly route: string
  readonly combined: boolean
  readonly faults: Faults
  readonly random: Random
  readonly openedMs: number
  readonly outbox: Delivery[]
  readonly log: (truth: Truth) => void
}

/**
 * How often the venue pings, and how long it waits for the answer, milliseconds. Bybit leaves it to the
 * client.
 */
const pings: { readonly [V in VenueName]?: { readonly everyMs: number; readonly patienceMs: number } } = {
  'binance.spot': { everyMs: 20_000, patienceMs: 60_000 },
  'binance.usdm': { everyMs: 180_000, patienceMs: 600_000 },
}
/** Bybit ends a connection that sent nothing for ten minutes. */
const idleMs = 600_000

/** One client's socket as the venue sees it: what it subscribed to, and what is done wrong to it. */
export class Connection {
  readonly id: string
  readonly venue: VenueName
  readonly route: string
  readonly openedMs: number
  /** Whether frames come in the envelope of combined streams. */
  combined: boolean
  /** Subscribed names in order; a name that the venue never serves has no channel. */
  readonly channels = new Map<string, Channel | undefined>()
  ended = false
  readonly #parts: ConnectionParts
  readonly #random: Random
  readonly #held = new Map<string, { readonly publication: Publication; readonly text: string }>()
  readonly #gaps = new Map<string, number>()
  readonly #silent = new Map<string, number>()
  readonly #late: Late[] = []
  readonly #requests: number[] = []
  #mutedUntilMs = 0
  #slowUntilMs = 0
  #delayMs = 0
  #heardMs: number
  #pingedMs: number

  constructor(parts: ConnectionParts) {
    this.#parts = parts
    this.id = parts.id
    this.venue = parts.venue
    this.route = parts.route
    this.combined = parts.combined
    this.openedMs = parts.openedMs
    this.#random = parts.random
    this.#heardMs = parts.openedMs
    this.#pingedMs = parts.openedMs
  }

  /** Notes that the client said something (a message or a pong). */
  heard(nowMs: number): void {
    this.#heardMs = nowMs
  }

  /** Counts a request of the client; false when there were more than `limit` within a second. */
  request(nowMs: number, limit: number): boolean {
    while ((this.#requests[0] ?? Infinity) <= nowMs - 1000) this.#requests.shift()
    this.#requests.push(nowMs)
    return this.#requests.length <= limit
  }

  /** Answers a request. */
  reply(text: string, nowMs: number): void {
    if (nowMs >= this.#mutedUntilMs) this.#send(text, nowMs)
  }

  /** Ends the connection from the venue's side. */
  end(code: number, reason: string, nowMs: number): void {
    if (this.ended) return
    this.#parts.outbox.push({ connection: this.id, does: 'close', code, reason })
    this.leave(reason, nowMs)
  }

  /** Forgets the connection, however it ended. */
  leave(why: string, nowMs: number): void {
    if (this.ended) return
    this.ended = true
    for (const { publication } of this.#late) {
      if (publication !== undefined) this.#note('slow', publication, nowMs, 'never sent')
    }
    for (const { publication } of this.#held.values()) this.#note('reorder', publication, nowMs, 'never sent')
    for (const channel of this.channels.values()) channel?.subscribers.delete(this)
    const { venue, id: connection } = this
    this.#parts.log({ kind: 'session', venue, symbol: '', time: nowMs, connection, status: 'end', why })
  }

  /** Sends a publication, or does with it what the faults want. */
  offer(publication: Publication, nowMs: number): void {
    const loss = this.#lost(publication, nowMs)
    if (loss !== undefined) {
      this.#note(loss, publication, nowMs, '')
      return
    }
    const text = this.#spoiled(publication, nowMs)
    const held = this.#held.get(publication.channel)
    const { reorder, duplicate } = this.#parts.faults
    if (held === undefined && this.#random.chance(reorder)) {
      this.#held.set(publication.channel, { publication, text })
      return
    }
    this.#send(text, nowMs, publication)
    if (held !== undefined) this.#release(publication.channel, nowMs)
    if (this.#random.chance(duplicate)) {
      this.#send(text, nowMs, publication)
      this.#note('duplicate', publication, nowMs, '')
    }
  }

  /** Lets time pass: late frames become due, pings are sent, and once a second faults may begin. */
  step(nowMs: number): void {
    while (this.#late.length > 0 && (this.#late[0]?.dueMs ?? Infinity) <= nowMs) {
      const late = this.#late.shift()
      if (late !== undefined) this.#parts.outbox.push({ connection: this.id, does: 'send', text: late.text })
    }
    if (nowMs % 1000 !== 0) return
    for (const channel of [...this.#held.keys()]) this.#release(channel, nowMs)
    this.#begin(nowMs)
    if (this.ended) return
    const ping = pings[this.venue]
    const patienceMs = ping?.patienceMs ?? idleMs
    if (nowMs - this.#heardMs > patienceMs + (ping?.everyMs ?? 0)) this.end(1008, 'disconnected', nowMs)
    else if (ping !== undefined && nowMs - this.#pingedMs >= ping.everyMs && nowMs >= this.#mutedUntilMs) {
      this.#pingedMs = nowMs
      this.#parts.outbox.push({ connection: this.id, does: 'ping', text: String(nowMs) })
    }
  }

  #begin(nowMs: number): void {
    const { faults } = this.#parts
    if (this.#random.chance(faults.silence)) this.#silence(nowMs)
    if (this.#random.chance(faults.mute) && nowMs >= this.#mutedUntilMs) {
      this.#mutedUntilMs = nowMs + 3000 + this.#random.below(20_000)
      this.#event('mute', '', nowMs, `until ${this.#mutedUntilMs}`)
    }
    if (this.#random.chance(faults.slow) && nowMs >= this.#slowUntilMs) {
      this.#delayMs = 200 + this.#random.below(2800)
      this.#slowUntilMs = nowMs + 1000 + this.#random.below(9000)
      this.#event('slow', '', nowMs, `${this.#delayMs} ms until ${this.#slowUntilMs}`)
    }
    if (this.#random.chance(faults.reset)) {
      this.#event('reset', '', nowMs, '')
      this.#parts.outbox.push({ connection: this.id, does: 'reset' })
      this.leave('reset', nowMs)
    } else if (this.#random.chance(faults.close)) {
      this.#event('close', '', nowMs, '')
      this.end(1001, 'going away', nowMs)
    }
  }

  #release(channel: string, nowMs: number): void {
    const held = this.#held.get(channel)
    if (held === undefined) return
    this.#held.delete(channel)
    this.#send(held.text, nowMs, held.publication)
    this.#note('reorder', held.publication, nowMs, '')
  }

  #silence(nowMs: number): void {
    const served = [...this.channels.keys()]
    const name = served[this.#random.below(Math.max(1, served.length))]
    if (name === undefined) return
    const at = name.indexOf('@')
    const symbol = at >= 0 ? name.slice(0, at).toUpperCase() : (name.split('.').at(-1) ?? '')
    if (nowMs < (this.#silent.get(symbol) ?? 0)) return
    const untilMs = nowMs + 5000 + this.#random.below(15_000)
    this.#silent.set(symbol, untilMs)
    this.#event('silence', symbol, nowMs, `until ${untilMs}`)
  }

  #lost(publication: Publication, nowMs: number): FaultKind | undefined {
    const { faults } = this.#parts
    if (nowMs < this.#mutedUntilMs) return 'mute'
    if (nowMs < (this.#silent.get(publication.symbol) ?? 0)) return 'silence'
    const left = this.#gaps.get(publication.channel) ?? 0
    if (left > 0) {
      this.#gaps.set(publication.channel, left - 1)
      return 'gap'
    }
    if (this.#random.chance(faults.gap)) {
      this.#gaps.set(publication.channel, 1 + this.#random.below(7))
      return 'gap'
    }
    return this.#random.chance(faults.drop) ? 'drop' : undefined
  }

  #spoiled(publication: Publication, nowMs: number): string {
    const { faults } = this.#parts
    const text = this.combined ? publication.combined : publication.text
    if (this.#random.chance(faults.wrongId)) {
      const shift = 1 + this.#random.below(1000)
      const wrong = text.replace(/"(u|t|seq)":(\d+)/, (_, key, id) => `"${key}":${Number(id) + shift}`)
      if (wrong !== text) this.#note('wrongId', publication, nowMs, `id + ${shift}`)
      return wrong
    }
    if (!this.#random.chance(faults.malformed)) return text
    const wrong = mistyped(text)
    if (wrong === text || this.#random.chance(0.5)) {
      this.#note('malformed', publication, nowMs, 'cut off')
      return text.slice(0, Math.floor(text.length * (0.2 + this.#random.unit() * 0.7)))
    }
    this.#note('malformed', publication, nowMs, 'wrong type')
    return wrong
  }

  #send(text: string, nowMs: number, publication?: Publication): void {
    const dueMs = nowMs < this.#slowUntilMs ? nowMs + this.#delayMs : nowMs
    if (this.#late.length === 0 && dueMs === nowMs) {
      this.#parts.outbox.push({ connection: this.id, does: 'send', text })
    } else this.#late.push({ dueMs, text, publication })
  }

  #note(fault: FaultKind, publication: Publication, nowMs: number, note: string): void {
    const { symbol, channel, first, last } = publication
    this.#log({ fault, symbol, channel, first, last, note, time: nowMs })
  }

  #event(fault: FaultKind, symbol: string, nowMs: number, note: string): void {
    this.#log({ fault, symbol, channel: '', first: '', last: '', note, time: nowMs })
  }

  #log(fault: Omit<FaultTruth, 'kind' | 'venue' | 'connection'>): void {
    this.#parts.log({ kind: 'fault', venue: this.venue, connection: this.id, ...fault })
  }
}

/** Valid JSON in which a price is an object, or the levels are a text. */
function mistyped(text: string): string {
  return text.replace(/"(p|b|bids|markPrice|lastPrice)":("[^"]*"|\[)/, (_, key: string, value: string) =>
    value === '[' ? `"${key}":"","was":[` : `"${key}":{"value":${value}}`)
}
