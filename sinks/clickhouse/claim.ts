import type { ObjectStore } from '../../graph/port.ts'

/** Whole records of one topic partition that are loaded by one insert. */
export interface Claim {
  readonly first: number
  readonly last: number
}

/** Claims that are kept behind the newest, for a twin that was asleep. */
const KEPT = 32

/**
 * What was about to be inserted into a table, written down before it is. The object is put only if it is
 * absent, so whoever loads this partition, twice started or woken from sleep, cuts the log into the same
 * batches under the same tokens. All records before the newest claim are complete: a claim is taken when the
 * one before it is.
 */
export class Claims {
  readonly #objects: ObjectStore
  readonly #folder: string

  /** @param folder of this partition in this table: `positions/clickhouse/<uuid>/<topic>/<partition>` */
  constructor(objects: ObjectStore, folder: string) {
    this.#objects = objects
    this.#folder = folder
  }

  /** The newest claim: the one that may not be complete. */
  async newest(): Promise<Claim | undefined> {
    const name = (await this.#objects.list(`${this.#folder}/`)).at(-1)
    return name === undefined ? undefined : this.#read(name)
  }

  /**
   * Claim a batch. Where another claim of the same first record stands, that one counts, and `ours` is false;
   * so it is where claims stand beyond it: then we slept, and another has loaded on.
   */
  async take(wanted: Claim): Promise<{ readonly claim: Claim; readonly ours: boolean }> {
    const name = `${this.#folder}/${String(wanted.first).padStart(16, '0')}.json`
    const ours = await this.#objects.putIfAbsent(
      name,
      new TextEncoder().encode(`${JSON.stringify(wanted)}\n`),
    )
    const names = await this.#objects.list(`${this.#folder}/`)
    for (const old of names.slice(0, -KEPT)) if (old < name) await this.#objects.remove(old)
    const claim = ours ? wanted : ((await this.#read(name)) ?? wanted)
    return { claim, ours: ours && names.at(-1) === name }
  }

  async #read(name: string): Promise<Claim | undefined> {
    const bytes = await this.#objects.get(name)
    if (bytes === undefined) return undefined
    const { first, last } = JSON.parse(new TextDecoder().decode(bytes)) as Claim
    return { first, last }
  }
}
