import type { Shard } from './segment-name.ts'

/**
 * What a table does not know for certain, because frames that cannot be read lay before where it is. A whole
 * table behind them says all of it again, and steps of a shard say how far that one is. Who writes has to be
 * certain: an offset that is given twice is two records in one place.
 */
export class Doubt {
  #all = false
  /** With the inputs of which the shard has not said since how far it is. */
  readonly #shards = new Map<Shard, Set<number>>()

  /** What lay there may have been anything, names as well. */
  all(): void {
    this.#all = true
  }

  shard(shard: Shard): void {
    this.#shards.set(shard, new Set(shard.inputs.keys()))
  }

  /** All was said. */
  none(): void {
    this.#all = false
    this.#shards.clear()
  }

  /** A step of this shard has said how far this input is. */
  input(shard: Shard, place: number): void {
    const open = this.#shards.get(shard)
    if (open?.delete(place) === true && open.size === 0) this.#shards.delete(shard)
  }

  /** What is not known, as a sentence; undefined: nothing. */
  why(): string | undefined {
    if (this.#all) return 'Nothing behind it says which offsets were given there.'
    const [shard] = this.#shards.keys()
    return shard === undefined
      ? undefined
      : `Nothing behind it says what shard "${shard.name}" had read there.`
  }
}
