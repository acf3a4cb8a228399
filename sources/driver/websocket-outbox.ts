import { randomInt } from 'node:crypto'
import type { Socket as Wire } from 'node:net'
import type { Random } from '../../graph/port.ts'
import { encodeFrame, OPCODE } from '../socket-frame.ts'

export const systemRandom: Random = Object.freeze({ below: (n: number) => randomInt(n) })

/** What waits to be sent, bounded: before the connection is open here, and then in its socket. */
export class Outbox {
  readonly #random: Random
  readonly #bytesMax: number
  #wire: Wire | undefined
  #early: { readonly opcode: number; readonly body: Uint8Array }[] = []
  #earlyBytes = 0
  #gathering = false
  #corked = false

  constructor(random: Random, bytesMax: number) {
    this.#random = random
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#wire?.writableLength ?? this.#earlyBytes
  }

  /** Send what waited, and from now on at once. */
  open(wire: Wire): void {
    this.#wire = wire
    for (const { opcode, body } of this.#early) this.#write(wire, opcode, body)
    this.#early = []
  }

  message(message: string | Uint8Array): boolean {
    return typeof message === 'string'
      ? this.send(OPCODE.text, Buffer.from(message))
      : this.send(OPCODE.binary, message)
  }

  /** False, and nothing is sent, when more would wait than may. */
  send(opcode: number, body: Uint8Array): boolean {
    if (this.bytes + body.length > this.#bytesMax) return false
    if (this.#wire !== undefined) this.#write(this.#wire, opcode, body)
    else {
      this.#early.push({ opcode, body: Uint8Array.from(body) })
      this.#earlyBytes += body.length
    }
    return true
  }

  #write(wire: Wire, opcode: number, body: Uint8Array): void {
    if (this.#gathering && !this.#corked) {
      this.#corked = true
      wire.cork()
    }
    // A mask is not to be foreseen: https://www.rfc-editor.org/rfc/rfc6455#section-5.3
    wire.write(encodeFrame(opcode, body, this.#random.below(2 ** 32)))
  }

  /** Until `flush`, what is sent goes in one write: the answers to all pings of one read. */
  gather(): void {
    this.#gathering = true
  }

  flush(): void {
    this.#gathering = false
    if (this.#corked) this.#wire?.uncork()
    this.#corked = false
  }
}
