/** Something that `kt verify` looks at in the rows of a log, which it sees in the order they were made in. */
export interface Check {
  /** The events whose rows it sees. */
  readonly events: readonly string[]
  readonly take: (event: string, row: object) => void
  readonly done: () => Seen
}

/** What a check has seen. */
export interface Seen {
  /** What was looked at, for a table: the same names in each row. */
  readonly rows: readonly Readonly<Record<string, string | number>>[]
  /** What is wrong, as sentences. */
  readonly findings: readonly string[]
}

/** Findings of one kind: the first of them word for word, and how many there are. */
export class Findings {
  readonly #said: string[] = []
  #more = 0

  add(finding: string): void {
    if (this.#said.length < SAID_MAX) this.#said.push(finding)
    else this.#more++
  }

  all(of: string): readonly string[] {
    return this.#more === 0 ? this.#said : [...this.#said, `${of}: ${this.#more} more of these`]
  }
}

const SAID_MAX = 20

/** The value of a key; made where there is none yet. */
export const madeIn = <K, V>(map: Map<K, V>, key: K, make: () => V): V => {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}

/** `binance:perp` of `binance:perp:BTC-USDT`: what tables of checks have a row of. */
export const marketOf = (instrument: string): string => instrument.split(':').slice(0, 2).join(':')

/** By key, so that two looks at the same rows say the same. */
export const inOrder = <V>(map: ReadonlyMap<string, V>): readonly (readonly [string, V])[] =>
  [...map].toSorted(([a], [b]) => (a < b ? -1 : 1))
