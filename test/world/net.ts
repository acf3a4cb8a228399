import type { Answer, Net, SocketEvents } from '../../graph/port.ts'
import type { VirtualClock } from '../../runtime/virtual-clock.ts'
import type { Delivery } from '../../sources/sim/connection.ts'
import type { Exchange } from '../../sources/sim/exchange.ts'
import type { VenueName } from '../../sources/sim/universe.ts'

const encoder = new TextEncoder()

/** The endpoints under which a source finds the exchange of this world. */
export const endpointOf = (venue: string): { socket: string; rest: string } => ({
  socket: `sim://${venue}`,
  rest: `sim://${venue}`,
})

/**
 * The network of a simulated world: every byte takes a millisecond, nothing else can happen to it than what
 * the exchange does.
 */
export class WorldNet implements Net {
  readonly #exchange: Exchange
  readonly #clock: VirtualClock
  readonly #sockets = new Map<string, SocketEvents>()
  #opened = 0
  /** Names of connections must differ between the lives of a process. */
  readonly #life: number

  constructor(exchange: Exchange, clock: VirtualClock, life: number) {
    this.#exchange = exchange
    this.#clock = clock
    this.#life = life
  }

  readonly connect: Net['connect'] = (url, events) => {
    const id = `${this.#life}/${++this.#opened}`
    const [venue, path] = parts(url)
    this.#clock.after(1, () => {
      const status = this.#exchange.connect(id, venue, path)
      if (status !== 101) return events.close(status, `answered ${status}`)
      this.#sockets.set(id, events)
      events.open()
      this.deliver(this.#exchange.take())
    })
    return {
      send: (text) => {
        this.#clock.after(1, () => {
          if (!this.#sockets.has(id)) return
          this.#exchange.receive(id, text)
          this.deliver(this.#exchange.take())
        })
      },
      close: () => {
        this.#exchange.leave(id)
        const open = this.#sockets.delete(id)
        if (open) this.#clock.after(1, () => events.close(1000, 'closed by us'))
      },
    }
  }

  readonly get: Net['get'] = (url, timeoutMs) => {
    const [venue, path] = parts(url)
    const { status, headers, body, delayMs } = this.#exchange.rest(venue, path)
    const answer = (received: Partial<Answer>): Answer => ({
      status: 0,
      headers: {},
      body: new Uint8Array(0),
      why: '',
      received: this.#clock.now(),
      ...received,
    })
    return new Promise((resolve) => {
      if (delayMs + 1 >= timeoutMs)
        this.#clock.after(timeoutMs, () => resolve(answer({ why: `no answer within ${timeoutMs} ms` })))
      else
        this.#clock.after(delayMs + 1, () => resolve(answer({ status, headers, body: encoder.encode(body) })))
    })
  }

  /** Hand over what the exchange has sent. */
  deliver(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      const events = this.#sockets.get(delivery.connection)
      if (events === undefined) continue
      if (delivery.does === 'send') events.message(encoder.encode(delivery.text), this.#clock.now())
      else if (delivery.does === 'ping') {
        this.#exchange.pong(delivery.connection)
        events.ping()
      } else {
        this.#sockets.delete(delivery.connection)
        if (delivery.does === 'close') events.close(delivery.code, delivery.reason)
        else events.close(1006, 'reset')
      }
    }
  }

  /** The process is gone: the exchange sees its sockets close. */
  die(): void {
    for (const id of this.#sockets.keys()) this.#exchange.leave(id)
    this.#sockets.clear()
  }
}

const parts = (url: string): readonly [VenueName, string] => {
  const rest = url.slice('sim://'.length)
  const slash = rest.indexOf('/')
  return [rest.slice(0, slash) as VenueName, rest.slice(slash)]
}
