import type { Random } from '../graph/port.ts'
import type { ConnectionStatus } from '../graph/source.ts'
import type { Control } from '../market/system.ts'
import { remedy, waitMs } from './backoff.ts'
import type { Effect, Happening, Held, Topic } from './happening.ts'
import { Line } from './line.ts'
import type { Sub } from './line.ts'
import { ChannelSilence, limitUs, paced } from './staleness.ts'
import type { Reply, SocketRules } from './venue.ts'

const SECOND = 1_000_000
/** A session looks around this often, and more often while it has something left to say. */
const WAKE_MS = 1_000
const BUSY_WAKE_MS = 250
/** A connection that held this long was well, and the next failure counts as the first. */
const WELL_US = 60 * SECOND
/** A new line takes over when it has everything, or after this. */
const HANDOVER_US = 30 * SECOND

/**
 * One connection's life, as a state and what happens to it: it opens a socket, subscribes in batches under
 * the venue's quota, answers and asks for signs of life, tells which symbols are silent, and is there again
 * after a loss. When the venue is about to cut it, a second socket takes over before the first is closed.
 * Pure: time comes with each call.
 */
export class Session {
  readonly #rules: SocketRules
  readonly #random: Random
  readonly #connection: number
  readonly #held = new Map<string, Held>()
  readonly #silence = new ChannelSilence()
  #lines: readonly Line[] = []
  #epoch = 0
  #tries = 0
  #retryAt = 0
  #checkedAt = 0
  #why = ''
  #stopped = false
  #out: Effect[] = []

  constructor(rules: SocketRules, random: Random, connection: number) {
    this.#rules = rules
    this.#random = random
    this.#connection = connection
  }

  /** Topics that it holds, for planning. */
  get topics(): ReadonlyMap<string, Held> {
    return this.#held
  }

  /** The subscription of a topic on a line, for `heard`. */
  sub(line: number, topic: string): Sub | undefined {
    return this.#line(line)?.subs.get(topic)
  }

  /**
   * Take note of a message. Returns false when another line's messages of this topic count, and this one is a
   * repeat.
   */
  heard(sub: Sub, now: number): boolean {
    const { held, line } = sub
    line.heard = now
    if (this.#silence.any) this.#out.push(...this.#silence.spoke(held.channel, line))
    if (!sub.spoke || held.owner === 0) {
      sub.spoke = true
      line.channels.add(held.channel)
      if (held.owner === 0) this.#control('up', held, line.epoch, '')
      if (held.owner <= line.epoch) held.owner = line.epoch
    }
    if (held.owner !== line.epoch) return held.numbered
    paced(held, now)
    if (held.stale) {
      held.stale = false
      this.#control('live', held, line.epoch, '')
    }
    return true
  }

  /** Is this line still wanted? */
  wants(line: number): boolean {
    return this.#line(line) !== undefined
  }

  /** What `heard` caused, which is seldom anything. */
  take(): readonly Effect[] {
    if (this.#out.length === 0) return NONE
    const out = this.#out
    this.#out = []
    return out
  }

  on(happening: Happening, now: number): readonly Effect[] {
    switch (happening.kind) {
      case 'start': this.#connect(now); this.#out.push({ kind: 'wake', afterMs: BUSY_WAKE_MS }); break
      case 'wake': this.#wake(now); break
      case 'opened': this.#line(happening.line)?.opened(now, this.#held.values()); break
      case 'ping': this.#alive(happening.line, now); break
      case 'reply': this.#reply(happening.line, happening.reply, now); break
      case 'closed': this.#closed(happening.line, happening.code, happening.reason, now); break
      case 'want': this.#want(happening.topics); break
      case 'drop': this.#drop(happening.topics); break
      case 'again': this.#again(happening.topic, 'a hole in its ids', now); break
      case 'stop': this.#stop(); break
    }
    for (const line of this.#lines) {
      for (const text of line.due(this.#rules, now)) this.#out.push({ kind: 'send', line: line.epoch, text })
    }
    return this.take()
  }

  status(source: string): ConnectionStatus {
    const line = this.#lines.at(-1)
    const state = this.#stopped ? 'closed'
      : line === undefined ? 'waiting'
      : !line.open ? 'connecting'
      : line.busy ? 'subscribing'
      : 'live'
    const heard = Math.max(0, ...this.#lines.map((one) => one.heard))
    const symbols = new Set([...this.#held.values()].map((held) => held.instrument)).size
    return { source, connection: this.#connection, epoch: this.#epoch, state, symbols, why: this.#why, heard }
  }

  #line(epoch: number): Line | undefined {
    return this.#lines.find((line) => line.epoch === epoch)
  }

  #connect(now: number): void {
    this.#epoch += 1
    const ageUs = this.#rules.cutAfterMs * 1000
    // Lines that began together are not cut together.
    const cutAt = ageUs === 0 ? Infinity : now + ageUs - this.#random.below(Math.ceil(ageUs / 20))
    this.#lines = [...this.#lines, new Line(this.#epoch, now, cutAt)]
    this.#out.push({ kind: 'connect', line: this.#epoch })
  }

  #wake(now: number): void {
    if (this.#stopped) return
    if (this.#lines.length === 0 && now >= this.#retryAt) this.#connect(now)
    if (now - this.#checkedAt >= SECOND) {
      this.#checkedAt = now
      for (const line of this.#lines) this.#check(line, now)
      this.#handover(now)
    }
    const busy = this.#lines.some((line) => !line.open || line.busy)
    this.#out.push({ kind: 'wake', afterMs: busy || this.#lines.length === 0 ? BUSY_WAKE_MS : WAKE_MS })
  }

  #check(line: Line, now: number): void {
    if (!line.open) return
    if (now - line.heard > this.#rules.deadAfterMs * 1000) {
      return this.#give(line, `silent for ${this.#rules.deadAfterMs} ms`, now)
    }
    if (line.dead(now)) return this.#give(line, 'no answer to a ping', now)
    if (line.heard > line.told) {
      line.told = now
      for (const channel of line.channels) {
        this.#out.push({ kind: 'control', of: 'alive', line: line.epoch, channel, instrument: '', why: '' })
      }
    }
    for (const sub of line.subs.values()) this.#quiet(sub, now)
    this.#out.push(...this.#silence.fell(line, now))
  }

  #quiet(sub: Sub, now: number): void {
    const { held, line } = sub
    if (held.silence.of === 'channel' || sub.sentAt === 0) return
    if (!sub.spoke) {
      if (now - sub.sentAt < this.#rules.firstMessageMs * 1000) return
      if (sub.tries < 3) return this.#again(held.topic, 'it never spoke', now)
      if (sub.tries > 3) return
      sub.tries += 1
      const fix = 'It was accepted and never spoke: is its name right, and is it traded?'
      return this.#note('warn', 'topic is silent', { topic: held.topic, fix })
    }
    if (held.owner !== line.epoch) return
    if (now - held.heard <= limitUs(held.silence, held.mean)) return
    if (!held.stale) {
      this.#control('stale', held, line.epoch, `silent for ${Math.round((now - held.heard) / 1000)} ms`)
    }
    held.stale = true
    if (now >= held.againAt) this.#again(held.topic, 'it is silent', now)
  }

  /** A second line begins when the first is old, and the first ends when the second has all that it had. */
  #handover(now: number): void {
    const [first, second] = this.#lines
    if (first === undefined || !first.open) return
    if (second === undefined) {
      if (now >= first.cutAt && now >= this.#retryAt) this.#connect(now)
      return
    }
    if (!second.open) return
    const waiting = [...first.subs.values()].some(
      (sub) => sub.spoke && second.subs.get(sub.held.topic)?.spoke !== true,
    )
    if (waiting && now - second.openedAt < HANDOVER_US) return
    for (const { held } of first.subs.values()) if (held.owner === first.epoch) held.owner = second.epoch
    this.#lines = [second]
    this.#out.push({ kind: 'close', line: first.epoch })
    this.#note('info', 'connection was replaced', { connection: this.#connection, epoch: second.epoch })
  }

  #alive(epoch: number, now: number): void {
    const line = this.#line(epoch)
    if (line !== undefined) line.heard = now
  }

  #reply(epoch: number, reply: Reply, now: number): void {
    const line = this.#line(epoch)
    if (line === undefined) return
    line.heard = now
    if (reply.kind === 'pong') line.answered()
    if (reply.kind === 'shutdown') line.cutAt = now
    if (reply.kind !== 'ack') return
    const refused = line.acknowledged(reply.id, reply.why)
    if (refused === undefined) return
    const fix = 'Is the symbol still listed, and is the channel right?'
    this.#note('warn', 'topic was refused', { topic: refused, why: reply.why, fix })
  }

  #give(line: Line, why: string, now: number): void {
    this.#out.push({ kind: 'close', line: line.epoch })
    this.#closed(line.epoch, 0, why, now)
  }

  #closed(epoch: number, code: number, reason: string, now: number): void {
    const line = this.#line(epoch)
    if (line === undefined) return
    this.#lines = this.#lines.filter((one) => one !== line)
    this.#why = `${code === 0 ? '' : `${code} `}${reason}`.trim()
    this.#silence.forget()
    for (const { held } of line.subs.values()) {
      if (held.owner !== epoch) continue
      held.owner = 0
      held.mean = 0
      held.stale = false
      this.#control('down', held, epoch, this.#why)
    }
    if (this.#stopped) return
    if (line.open && now - line.openedAt > WELL_US) this.#tries = 0
    const refusal = { status: code, retryAfterS: Number(/retry-after: (\d+)/i.exec(reason)?.[1] ?? 0) }
    const afterMs = waitMs(this.#tries, refusal, this.#random)
    this.#tries += 1
    this.#retryAt = now + afterMs * 1000
    this.#note(code === 1000 || code === 1001 ? 'info' : 'warn', 'connection was lost', {
      connection: this.#connection, epoch, code, reason, retryAfterMs: afterMs,
      ...(code < 1000 ? { fix: remedy(refusal, this.#tries) } : {}),
    })
  }

  #want(topics: readonly Topic[]): void {
    for (const topic of topics) {
      if (this.#held.has(topic.topic)) continue
      const held: Held = { ...topic, owner: 0, heard: 0, mean: 0, stale: false, againAt: 0 }
      this.#held.set(topic.topic, held)
      for (const line of this.#lines) line.add(held)
    }
  }

  #drop(topics: readonly string[]): void {
    for (const topic of topics) {
      const held = this.#held.get(topic)
      if (held === undefined) continue
      this.#held.delete(topic)
      for (const line of this.#lines) line.remove(topic)
      if (held.owner > 0) this.#control('down', held, held.owner, 'no longer asked for')
    }
  }

  #again(topic: string, why: string, now: number): void {
    const held = this.#held.get(topic)
    const line = this.#lines.at(-1)
    if (held === undefined || line === undefined || !line.open || !line.again(topic)) return
    held.againAt = now + 60 * SECOND
    this.#note('debug', 'topic is subscribed to again', { topic, why })
  }

  #stop(): void {
    this.#stopped = true
    for (const line of this.#lines) this.#out.push({ kind: 'close', line: line.epoch })
    for (const held of this.#held.values()) {
      if (held.owner > 0) this.#control('down', held, held.owner, 'stopped')
    }
    this.#lines = []
  }

  #control(of: Control['kind'], { channel, instrument }: Held, line: number, why: string): void {
    this.#out.push({ kind: 'control', of, line, channel, instrument, why })
  }

  #note(level: 'debug' | 'info' | 'warn', what: string, facts: Readonly<Record<string, unknown>>): void {
    this.#out.push({ kind: 'note', level, what, facts })
  }
}

const NONE: readonly Effect[] = []
