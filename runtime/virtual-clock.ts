import type { Clock } from '../graph/port.ts'

interface Call {
  readonly at: number
  /** Of two calls due at the same time, the one that was asked for first comes first. */
  readonly order: number
  /** Undefined: it was cancelled. */
  call: (() => void) | undefined
}

/** Time that moves only when it is told to: replay and simulation. */
export class VirtualClock implements Clock {
  #now: number
  #order = 0
  /** A heap: the next call to come is the first. */
  readonly #calls: Call[] = []

  constructor(startMicros: number) {
    this.#now = startMicros
  }

  readonly now = (): number => this.#now

  readonly after = (ms: number, call: () => void): (() => void) => {
    const planned: Call = { at: this.#now + Math.max(0, Math.round(ms * 1000)), order: this.#order++, call }
    this.#push(planned)
    return () => void (planned.call = undefined)
  }

  /** When the next call is due, microseconds; undefined: none is. */
  get due(): number | undefined {
    for (let first = this.#calls[0]; first !== undefined; first = this.#calls[0]) {
      if (first.call !== undefined) return first.at
      this.#pop()
    }
    return undefined
  }

  /**
   * Move on to a time, and make the calls that are due by then, each at its own time. Never back: an earlier
   * time is no move.
   */
  advance(toMicros: number): void {
    for (let due = this.due; due !== undefined && due <= toMicros; due = this.due) {
      const { at, call } = this.#pop()
      this.#now = Math.max(this.#now, at)
      call?.()
    }
    this.#now = Math.max(this.#now, toMicros)
  }

  #push(call: Call): void {
    const calls = this.#calls
    let at = calls.length
    calls.push(call)
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!before(call, calls[above]!)) break
      calls[at] = calls[above]!
      at = above
    }
    calls[at] = call
  }

  #pop(): Call {
    const calls = this.#calls
    const first = calls[0]!
    const last = calls.pop()!
    if (calls.length === 0) return first
    let at = 0
    for (let below = 1; below < calls.length; below = 2 * at + 1) {
      if (below + 1 < calls.length && before(calls[below + 1]!, calls[below]!)) below++
      if (!before(calls[below]!, last)) break
      calls[at] = calls[below]!
      at = below
    }
    calls[at] = last
    return first
  }
}

const before = (a: Call, b: Call): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
