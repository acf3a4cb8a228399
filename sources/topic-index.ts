import type { Memory } from './mapping/memory.ts'
import { spelling, spells } from './mapping/spelling.ts'
import type { Spelling } from './mapping/spelling.ts'

const QUOTE = 0x22
const QUOTES = 0x22222222
const ESCAPES = 0x5c5c5c5c
const [LOW, HIGH] = [0x01010101, 0x80808080]

interface Entry<T> {
  readonly topic: Spelling
  readonly hash: number
  value: T
}

/**
 * What belongs to a topic, found by the text of the key that a message begins with, four bytes at a time. It
 * finds nothing where a message begins otherwise, be it right or wrong: who asks must then look closer.
 */
export class TopicIndex<T> {
  /** How a message begins before its topic. */
  readonly #lead: Spelling
  #slots: (Entry<T> | undefined)[] = new Array<undefined>(64).fill(undefined)
  #size = 0
  /** Of the text that was measured last: its bytes, and its hash. */
  #length = 0
  #hash = 0

  constructor(key: string) {
    this.#lead = spelling(`{"${key}":"`)
  }

  /** The value of the topic of a message, which goes from `from` to `to`. */
  find({ view }: Memory, from: number, to: number): T | undefined {
    const begin = from + this.#lead.length
    if (begin > to || !spells(view, from, begin, this.#lead)) return undefined
    return this.#measure(view, begin, to) ? this.#slots[this.#slot(view, begin)]?.value : undefined
  }

  /** A topic with what JSON must escape is not kept: venues have none. */
  set(topic: string, value: T): void {
    const { view, length } = encoded(`${topic}"`)
    if (!this.#measure(view, 0, length) || this.#length !== length - 1) return
    if (this.#size * 2 >= this.#slots.length) this.#grow()
    const slot = this.#slot(view, 0)
    const held = this.#slots[slot]
    if (held !== undefined) {
      held.value = value
      return
    }
    this.#slots[slot] = { topic: spelling(topic), hash: this.#hash, value }
    this.#size += 1
  }

  /** Measure the text that begins here. False: it has an escape, or no end within the message. */
  #measure(view: DataView, begin: number, to: number): boolean {
    let hash = 0
    for (let at = begin; at < to; at += 4) {
      const word = view.getInt32(at, true)
      const [quotes, escapes] = [word ^ QUOTES, word ^ ESCAPES]
      const ends = (((quotes - LOW) & ~quotes) | ((escapes - LOW) & ~escapes)) & HIGH
      if (ends === 0) {
        hash = mixed(hash ^ word)
        continue
      }
      const rest = (31 - Math.clz32(ends & -ends)) >>> 3
      this.#hash = mixed(hash ^ (rest === 0 ? 0 : word & (-1 >>> (32 - 8 * rest))))
      this.#length = at + rest - begin
      return at + rest < to && view.getUint8(at + rest) === QUOTE
    }
    return false
  }

  /** Where the text that was measured is, or would be put. */
  #slot(view: DataView, begin: number): number {
    const mask = this.#slots.length - 1
    const end = begin + this.#length
    let slot = this.#hash & mask
    for (;;) {
      const held = this.#slots[slot]
      if (held === undefined || spells(view, begin, end, held.topic)) return slot
      slot = (slot + 1) & mask
    }
  }

  /** The topics differ: each goes to the first free slot. */
  #grow(): void {
    const slots = new Array<Entry<T> | undefined>(this.#slots.length * 2).fill(undefined)
    const mask = slots.length - 1
    for (const held of this.#slots) {
      if (held === undefined) continue
      let slot = held.hash & mask
      while (slots[slot] !== undefined) slot = (slot + 1) & mask
      slots[slot] = held
    }
    this.#slots = slots
  }
}

const mixed = (hash: number): number => {
  const product = Math.imul(hash, 0x9e3779b1)
  return product ^ (product >>> 15)
}

/** Eight bytes more than the text, as memory has them that is read four bytes at a time. */
const encoded = (text: string): { readonly view: DataView; readonly length: number } => {
  const bytes = new TextEncoder().encode(text)
  const room = new Uint8Array(bytes.length + 8)
  room.set(bytes)
  return { view: new DataView(room.buffer), length: bytes.length }
}
