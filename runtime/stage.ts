import { HostError } from '../graph/error.ts'
import type { AnyOperator } from '../graph/operator.ts'
import type { Placement, Stage as StagePlan } from '../graph/plan.ts'
import type { EmitRow, Frame } from '../graph/source.ts'
import type { AnyTopic } from '../graph/topic.ts'

/**
 * One key's state in one node. `step` is the last step that a loaded state already holds; its rows are not
 * fed again.
 */
interface Entry {
  readonly key: string
  readonly state: unknown
  readonly step: number
}

type Take = (row: object) => void
type TakeFor = (entry: Entry, row: object) => void
const NONE: readonly Take[] = []

/** Where the rows of one of kt's own schemas go: its topic, and the operators that named it. */
interface SystemRows {
  readonly topic: AnyTopic
  readonly takers: readonly { readonly running: Running; readonly take: TakeFor }[]
}

/** A saved state: which node, which key, as of which step. */
export interface SavedEntry {
  readonly node: string
  readonly version: number
  readonly key: string
  readonly step: number
  readonly saved: unknown
}

/** An operator at work: its states by key, and where its events go. */
class Running {
  readonly name: string
  readonly operator: AnyOperator
  readonly entries = new Map<string, Entry>()
  /** In order, so that a tick reaches the keys in the same order after a restart. */
  keys: string[] = []
  readonly emit: Record<string, Take> = {}
  readonly takes = new Map<string, Take>()

  constructor(placement: Placement) {
    this.name = placement.name
    this.operator = placement.operator
  }

  entry(key: string): Entry {
    const found = this.entries.get(key)
    if (found !== undefined) return found
    return this.put({ key, state: this.operator.state.create(key), step: -1 })
  }

  put(entry: Entry): Entry {
    if (!this.entries.has(entry.key)) {
      const at = this.keys.findIndex((key) => key > entry.key)
      this.keys.splice(at < 0 ? this.keys.length : at, 0, entry.key)
    }
    this.entries.set(entry.key, entry)
    return entry
  }
}

/**
 * The nodes of one stage, wired once. Synchronous: a frame or row is through all operators when the call
 * returns. `write` gets every row of every topic, in order.
 */
export class Stage {
  readonly plan: StagePlan
  readonly #write: (topic: AnyTopic, row: object) => void
  readonly #running = new Map<string, Running>()
  /** Where a logged row is fed again, by its schema. */
  readonly #entries = new Map<string, Take>()
  readonly #system = new Map<string, SystemRows>()
  /** Who takes the frames of a channel, by its source. */
  readonly #frames = new Map<string, Map<string, Take[]>>()
  /** Whose frames came last, and who takes them. */
  #source = ''
  #channel = ''
  #takes: readonly Take[] = NONE
  /** Who takes the rows of each topic that the stage reads. */
  readonly #topics = new Map<string, Take>()
  /** While the past is fed again, the step it belongs to; -1 in the present. Nothing is written meanwhile. */
  #past = -1

  constructor(plan: StagePlan, write: (topic: AnyTopic, row: object) => void) {
    this.plan = plan
    this.#write = (topic, row) => this.#past < 0 && write(topic, row)
    for (const placement of plan.operators) this.#running.set(placement.name, new Running(placement))
    for (const { topic, from } of plan.writes) if (from.length === 0) this.#addSystem(topic)
    for (const placement of plan.operators.toReversed()) this.#wire(placement)
    for (const topic of plan.reads) this.#topics.set(topic.name, this.#reading(topic))
  }

  /**
   * Map a frame and follow its rows. Throws VenueError when its channel's contract is broken: nothing was
   * emitted then.
   */
  frame(frame: Frame<never>): void {
    const { source, channel } = frame
    if (channel !== this.#channel || source !== this.#source) {
      this.#source = source
      this.#channel = channel
      this.#takes = this.#frames.get(source)?.get(channel) ?? NONE
    }
    const takes = this.#takes
    for (let i = 0; i < takes.length; i++) takes[i]!(frame)
  }

  /** A row of kt's own: it is logged, and given to the operators that name its schema. */
  readonly system: EmitRow = (schema, row) => {
    const found = this.#system.get(schema)
    if (found === undefined) return
    this.#write(found.topic, row)
    give(found, row)
  }

  /**
   * A row of a topic that the stage reads. `past`: its step, when the log holds already what follows from it;
   * else -1.
   */
  row(topic: string, row: object, past: number): void {
    this.#past = past
    try {
      this.#topics.get(topic)!(row)
    } finally {
      this.#past = -1
    }
  }

  /** Topics whose rows, fed to `past` in their order, rebuild every state. */
  readonly pastTopics = (): readonly AnyTopic[] => {
    const entries = new Set(this.plan.operators.filter((one) => one.entry).map((one) => one.name))
    const logged = new Map<string, AnyTopic>()
    for (const { topic, from } of this.plan.writes) {
      const entry = from.find((name) => entries.has(name))
      if (entry !== undefined && !logged.has(topic.schema.name)) logged.set(topic.schema.name, topic)
    }
    return [
      ...logged.values(),
      ...[...this.#system.values()].filter((one) => one.takers.length > 0).map((one) => one.topic),
    ]
  }

  /** Feed a logged row again: states change, nothing is written. */
  past(step: number, schema: string, row: object): void {
    this.#past = step
    try {
      if (this.#system.has(schema)) this.system(schema, row)
      else this.#entries.get(schema)?.(row)
    } finally {
      this.#past = -1
    }
  }

  /** All states in an order in which a node stands below what feeds it: `[node, key]`. */
  states(): readonly (readonly [string, string])[] {
    return [...this.#running.values()].flatMap((running) =>
      running.operator.frames ? [] : running.keys.map((key) => [running.name, key] as const),
    )
  }

  save(node: string, key: string, step: number): SavedEntry | undefined {
    const running = this.#running.get(node)
    const entry = running?.entries.get(key)
    if (running === undefined || entry === undefined) return undefined
    const { version, save } = running.operator.state
    return { node, version, key, step, saved: save(entry.state) }
  }

  /**
   * Take a saved state. One of a node that the graph no longer has is left aside; one of another version is
   * refused.
   */
  load(saved: SavedEntry): boolean {
    const running = this.#running.get(saved.node)
    if (running === undefined) return false
    const { version, load } = running.operator.state
    if (saved.version !== version) {
      throw new HostError(
        'KT4001',
        `the state of "${saved.node}" in the checkpoint is of version ${saved.version}, not ${version}`,
        {
          why: 'the operator has changed the shape of what it remembers',
          fix: 'Start with --rebuild to make the state from the log, or give the operator another name.',
          retry: 'never',
        },
      )
    }
    running.put({ key: saved.key, state: load(saved.saved, saved.key), step: saved.step })
    return true
  }

  #addSystem(topic: AnyTopic): void {
    const takers = this.plan.operators.filter(({ operator }) =>
      operator.inputs.some((input) => input.name === topic.schema.name),
    )
    const running = takers.map((one) => this.#running.get(one.name)!)
    this.#system.set(topic.schema.name, {
      topic,
      takers: running.map((one) => ({ running: one, take: this.#taker(one, topic.schema.name) })),
    })
  }

  /** Rows of kt's own topics go to the operators that name them, others to the nodes on the topic. */
  #reading(topic: AnyTopic): Take {
    const system = this.#system.get(topic.schema.name)
    return system?.topic.name === topic.name
      ? (row) => give(system, row)
      : fan(this.#below(topic.name, topic.schema.name))
  }

  /** Point the node's outputs at what is below it, and its inputs at its states. */
  #wire(placement: Placement): void {
    const running = this.#running.get(placement.name)!
    const { operator } = placement
    for (const schema of operator.outputs)
      running.emit[schema.name] = fan(this.#below(placement.name, schema.name))
    for (const schema of operator.reports) {
      const topic = this.#system.get(schema.name)?.topic
      running.emit[schema.name] = (row) => topic !== undefined && this.#write(topic, row)
    }
    if (operator.frames) {
      if (placement.entry)
        for (const [schema, take] of Object.entries(running.emit)) this.#entries.set(schema, take)
      const on = operator.on['frame'] as unknown as (state: unknown, frame: object, emit: object) => void
      for (const from of placement.from) {
        const dot = from.lastIndexOf('.')
        const channels = this.#frames.get(from.slice(0, dot)) ?? new Map<string, Take[]>()
        const takes = channels.get(from.slice(dot + 1)) ?? []
        takes.push((frame) => on(undefined, frame, running.emit))
        this.#frames.set(from.slice(0, dot), channels.set(from.slice(dot + 1), takes))
      }
      return
    }
    for (const { name } of operator.inputs) {
      const take = this.#taker(running, name)
      const keyed: Take = (row) => take(running.entry(operator.key.of(row as never)), row)
      running.takes.set(name, keyed)
      if (placement.entry && operator.outputs.some((output) => output.name === name))
        this.#entries.set(name, keyed)
    }
  }

  #taker(running: Running, schema: string): TakeFor {
    const on = running.operator.on[schema] as unknown as (state: unknown, row: object, emit: object) => void
    return (entry, row) => {
      if (this.#past >= 0 && entry.step >= this.#past) return
      on(entry.state, row, running.emit)
    }
  }

  /**
   * Who takes the rows of a schema that a node emits: topics first, so that a row is logged before what
   * follows from it.
   */
  #below(node: string, schema: string): readonly Take[] {
    const topics = this.plan.writes.filter(
      ({ topic, from }) => topic.schema.name === schema && from.includes(node),
    )
    const below = this.plan.operators.filter(
      (one) => one.from.includes(node) && one.operator.inputs.some((input) => input.name === schema),
    )
    return [
      ...topics.map(
        ({ topic }): Take =>
          (row) =>
            this.#write(topic, row),
      ),
      ...below.map(({ name }) => this.#running.get(name)!.takes.get(schema)!),
    ]
  }
}

/** A row about one instrument goes to its state, any other to all states. */
const give = ({ takers }: SystemRows, row: object): void => {
  const { instrument } = row as { readonly instrument?: string }
  for (const { running, take } of takers) {
    if (instrument !== undefined && instrument !== '')
      take(running.entry(running.operator.key.of(row as never)), row)
    else for (const key of running.keys) take(running.entries.get(key)!, row)
  }
}

const fan = (takes: readonly Take[]): Take => {
  if (takes.length === 1) return takes[0]!
  return (row) => {
    for (let i = 0; i < takes.length; i++) takes[i]!(row)
  }
}
