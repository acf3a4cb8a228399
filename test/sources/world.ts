import { listed } from '../listed.ts'
import type { Answer, Clock, Net, Socket, SocketEvents } from '../../graph/port.ts'
import { kept } from '../../graph/row.ts'
import type { AnySource, Opening, SourceHost } from '../../graph/source.ts'
import { loadMapping } from '../../sources/driver/jsonata.ts'

export type Row = Readonly<Record<string, unknown>>
export interface Emitted {
  readonly schema: string
  readonly row: Row
}

/** Time that goes only when it is told to. */
export class VirtualClock implements Clock {
  #now: number
  readonly #due: { at: number; call: () => void }[] = []

  constructor(now = 1_770_000_000_000_000) {
    this.#now = now
  }

  now = (): number => this.#now

  after = (ms: number, call: () => void): (() => void) => {
    const one = { at: this.#now + ms * 1000, call }
    this.#due.push(one)
    return () => {
      const at = this.#due.indexOf(one)
      if (at >= 0) this.#due.splice(at, 1)
    }
  }

  set(now: number): void {
    this.#now = now
  }

  /** Let time pass, with all that is due in it, in order. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms * 1000
    for (;;) {
      await settle()
      let next = this.#due[0]
      for (const one of this.#due) if (next === undefined || one.at < next.at) next = one
      if (next === undefined || next.at > until) break
      this.#due.splice(this.#due.indexOf(next), 1)
      this.#now = Math.max(this.#now, next.at)
      next.call()
    }
    this.#now = until
    await settle()
  }
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 8; i++) await Promise.resolve()
}

/** The venue's end of a connection. */
export class Wire {
  readonly url: string
  readonly events: SocketEvents
  readonly sent: { readonly text: string; readonly at: number }[] = []
  closed = false
  readonly #clock: VirtualClock

  constructor(url: string, events: SocketEvents, clock: VirtualClock) {
    this.url = url
    this.events = events
    this.#clock = clock
  }

  say(message: unknown): void {
    const text = typeof message === 'string' ? message : JSON.stringify(message)
    this.events.message(new TextEncoder().encode(text), this.#clock.now())
  }

  /** All topics that were subscribed to, less those that were left. */
  topics(): readonly string[] {
    const topics = new Set<string>()
    for (const { text } of this.sent) {
      const message = JSON.parse(text) as { method?: string; op?: string; params?: string[]; args?: string[] }
      const adds = message.method === 'SUBSCRIBE' || message.op === 'subscribe'
      for (const topic of message.params ?? message.args ?? []) {
        if (adds) topics.add(topic)
        else topics.delete(topic)
      }
    }
    return [...topics]
  }
}

export interface Reply {
  readonly status?: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly why?: string
  readonly afterMs?: number
}

/** A network that answers as a script says, in virtual time. */
export class ScriptedNet implements Net {
  readonly wires: Wire[] = []
  readonly asked: { readonly path: string; readonly at: number }[] = []
  /** The answer to a path; undefined: nothing answers. */
  answer: (path: string) => Reply | undefined = () => undefined
  /** What becomes of a new connection; by default it opens at once. */
  welcome: (wire: Wire) => void = (wire) => wire.events.open()
  readonly #clock: VirtualClock

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  connect = (url: string, events: SocketEvents): Socket => {
    const wire = new Wire(url, events, this.#clock)
    this.wires.push(wire)
    this.#clock.after(1, () => this.welcome(wire))
    return {
      send: (text) => void wire.sent.push({ text, at: this.#clock.now() }),
      close: () => { wire.closed = true },
    }
  }

  get = async (url: string, timeoutMs: number): Promise<Answer> => {
    const { pathname, search } = new URL(url)
    this.asked.push({ path: pathname + search, at: this.#clock.now() })
    const reply = this.answer(pathname + search)
    await new Promise<void>((resolve) => void this.#clock.after(reply?.afterMs ?? (reply === undefined ? timeoutMs : 5), resolve))
    const body = new TextEncoder().encode(typeof reply?.body === 'string' ? reply.body : JSON.stringify(reply?.body ?? {}))
    const status = reply === undefined ? 0 : (reply.status ?? 200)
    return { status, headers: reply?.headers ?? {}, body, why: reply?.why ?? '', received: this.#clock.now() }
  }
}

/** A host that keeps all that a source says. */
export const scripted = (clock = new VirtualClock()): {
  readonly clock: VirtualClock
  readonly net: ScriptedNet
  readonly host: SourceHost
  readonly rows: Emitted[]
  readonly system: Emitted[]
  readonly notes: { readonly level: string; readonly what: string; readonly facts: Row }[]
  readonly errors: unknown[]
  readonly controls: (kind: string) => readonly Row[]
} => {
  const net = new ScriptedNet(clock)
  const [rows, system, errors]: [Emitted[], Emitted[], unknown[]] = [[], [], []]
  const notes: { level: string; what: string; facts: Row }[] = []
  let seed = 7
  const host: SourceHost = {
    clock, net, mapping: loadMapping,
    random: { below: (n) => (seed = (seed * 48271) % 2147483647) % n },
    frame: (frame) => {
      try {
        frame.read((schema, row) => rows.push({ schema, row: listed(kept(row)) as Row }))
      } catch (error) {
        errors.push(error)
      }
    },
    system: (schema, row) => system.push({ schema, row: row as Row }),
    note: (level, what, facts) => notes.push({ level, what, facts }),
  }
  const controls = (kind: string): readonly Row[] => system.filter(({ schema, row }) => schema === 'control' && row['kind'] === kind).map(({ row }) => row)
  return { clock, net, host, rows, system, notes, errors, controls }
}

export const opening = (source: AnySource, part: Partial<Opening> = {}): Opening => ({
  channels: Object.keys(source.channels), universe: {}, endpoint: undefined, owns: () => true, ...part,
})
