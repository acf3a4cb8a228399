const encoder = new TextEncoder()

/** A map whose keys are found by their bytes, so that no text is made of what comes off a socket. */
export class ByteMap<T> {
  #slots: ({ readonly key: Uint8Array; value: T } | undefined)[] = new Array<undefined>(64).fill(undefined)
  #size = 0

  get size(): number {
    return this.#size
  }

  set(key: string, value: T): void {
    if (this.#size * 2 >= this.#slots.length) this.#grow()
    const bytes = encoder.encode(key)
    const slot = this.#find(bytes, 0, bytes.length)
    const held = this.#slots[slot]
    if (held !== undefined) held.value = value
    else {
      this.#slots[slot] = { key: bytes, value }
      this.#size += 1
    }
  }

  /** The value of a key that stands somewhere in bytes. */
  get(bytes: Uint8Array, from = 0, to = bytes.length): T | undefined {
    return this.#slots[this.#find(bytes, from, to)]?.value
  }

  #find(key: Uint8Array, from: number, to: number): number {
    const mask = this.#slots.length - 1
    let hash = 0x811c9dc5
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ (key[i] as number), 0x01000193)
    let slot = (hash ^ (hash >>> 15)) & mask
    for (;;) {
      const held = this.#slots[slot]
      if (held === undefined || sameBytes(key, from, to, held.key)) return slot
      slot = (slot + 1) & mask
    }
  }

  #grow(): void {
    const old = this.#slots
    this.#slots = new Array<undefined>(old.length * 2).fill(undefined)
    for (const held of old)
      if (held !== undefined) this.#slots[this.#find(held.key, 0, held.key.length)] = held
  }
}

/** Do these bytes, from `from` to `to`, spell the others? */
export const sameBytes = (bytes: Uint8Array, from: number, to: number, key: Uint8Array): boolean => {
  if (to - from !== key.length) return false
  for (let i = 0; i < key.length; i++) if (bytes[from + i] !== key[i]) return false
  return true
}
