import { ByteMap } from '../graph/byte-map.ts'

/** What a symbol is called here, and whether it is read at all. There is one for all that know the symbol. */
export interface Named {
  instrument: string
  wanted: boolean
}

/** Our names for a venue's symbols. */
export class Names {
  readonly #names = new Map<string, Named>()
  readonly #inBytes = new ByteMap<Named>()

  /** Give a symbol its name, or another one. */
  set(symbol: string, { instrument, wanted }: Readonly<Named>): void {
    const known = this.#names.get(symbol)
    if (known === undefined) {
      const made = { instrument, wanted }
      this.#names.set(symbol, made)
      this.#inBytes.set(symbol, made)
    } else {
      known.instrument = instrument
      known.wanted = wanted
    }
  }

  get(symbol: string): Named | undefined {
    return this.#names.get(symbol)
  }

  /** The same, of bytes that spell a symbol. */
  at(bytes: Uint8Array, from: number, to: number): Named | undefined {
    return this.#inBytes.get(bytes, from, to)
  }
}
