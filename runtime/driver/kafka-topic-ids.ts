import { setTimeout as pause } from 'node:timers/promises'
import { HostError } from '../../graph/error.ts'
import type { ObjectStore } from '../../graph/port.ts'
import { unanswered } from './kafka-access.ts'
import { NO_ID } from './kafka-topic-asking.ts'

/** The ids of those of some topics that are there; names are with the prefix, here and below. */
export type AskIds = (names: readonly string[]) => Promise<ReadonlyMap<string, string>>

/** Where ids are remembered. */
export type IdStore = Pick<ObjectStore, 'get' | 'put' | 'putIfAbsent'>

/**
 * Which topics are meant by their names. Brokers give every topic an id of its own, by which one that was
 * deleted and made anew is told from the one before, however many records it has. The id that a topic had
 * when it was first used is remembered beside the positions in it.
 *
 * @see https://cwiki.apache.org/confluence/display/KAFKA/KIP-516
 */
export class TopicIds {
  readonly #ask: AskIds
  readonly #store: IdStore | undefined
  /** The ids of topics that are used. */
  readonly #first = new Map<string, string>()
  /** Since when brokers say that a topic is another one, or that there is none. */
  readonly #otherSince = new Map<string, number>()

  /** Without a store ids are remembered for as long as this is. */
  constructor(ask: AskIds, store: IdStore | undefined) {
    this.#ask = ask
    this.#store = store
  }

  /** Before topics are used or made: they are those that were used, if any were. Rejects with KT3035. */
  async expect(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const kept = await this.#store?.get(pathOf(name))
      if (kept !== undefined) this.#first.set(name, new TextDecoder().decode(kept))
    }
    while (!(await this.#agree(names))) await pause(AGAIN_MS)
  }

  /** The topic is there, and used from now on. */
  async keep(name: string): Promise<void> {
    if (this.#first.has(name)) return
    const id = await this.#there(name)
    if (id === NO_ID) return
    const won = await this.#store?.putIfAbsent(pathOf(name), new TextEncoder().encode(id))
    if (won === false) return this.expect([name])
    this.#first.set(name, id)
  }

  /** They are those that were first used. Rejects with KT3035, and with KT3031 while nobody says. */
  async check(names: readonly string[]): Promise<void> {
    if (await this.#agree(names)) return
    throw unanswered(names.join(', '), 'A broker says that a topic is another one, or that there is none.')
  }

  /** A broker may be behind the others: that it knows another topic counts when that is still so later. */
  async #agree(names: readonly string[]): Promise<boolean> {
    const asked = names.filter((name) => this.#first.has(name))
    if (asked.length === 0) return true
    const found = await this.#ask(asked)
    const now = performance.now()
    let all = true
    for (const name of asked) {
      const [first, id] = [this.#first.get(name), found.get(name)]
      const since = this.#otherSince.get(name) ?? now
      if (id === first || id === NO_ID) this.#otherSince.delete(name)
      else if (now - since >= CERTAIN_MS) throw remade(name, String(first), id)
      else {
        this.#otherSince.set(name, since)
        all = false
      }
    }
    return all
  }

  /** A topic that has just been made is not known to every broker at once. */
  async #there(name: string): Promise<string> {
    for (const until = performance.now() + CERTAIN_MS; ; await pause(AGAIN_MS)) {
      const id = (await this.#ask([name])).get(name)
      if (id !== undefined) return id
      if (performance.now() > until) throw unanswered(name, 'The topic was made, and is not known there.')
    }
  }
}

const AGAIN_MS = 200
const CERTAIN_MS = 5000

const pathOf = (name: string): string => `kafka/${name}`

/** KT3035. `name`: with the prefix; `where`: it, or a partition of it. */
export const vanished = (name: string, where: string, why: string, fix = ''): HostError =>
  new HostError('KT3035', `topic "${name}" is not the one any more that this run has used`, {
    where,
    why,
    fix: `End the run. Bring the topic back, or begin with another data folder and KT_KAFKA_PREFIX.${fix}`,
    facts: { topic: name },
    retry: 'never',
  })

const remade = (name: string, first: string, id: string | undefined): HostError => {
  const kept = ` If it is brought back with all its offsets, remove state/${pathOf(name)} in the data folder.`
  if (id === undefined) return vanished(name, name, 'There is no such topic any more: it was deleted.', kept)
  const why = `It was deleted and made anew: its id was ${first}, and is ${id} now.`
  return vanished(name, name, `${why} Positions in the old one mean other records in the new one.`, kept)
}
