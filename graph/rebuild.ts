import { GraphError } from './error.ts'
import type { Graph, Node } from './graph.ts'
import { inputTopics, plan } from './plan.ts'
import type { Plan, SinkPlan, Stage, System } from './plan.ts'
import { cut } from './stages.ts'
import type { AnyTopic } from './topic.ts'

/** A graph as it is run again over rows that a run of it has logged. */
export interface Rebuild {
  /**
   * Every stage, with those that are not run among them: by these, stages find who wrote what they read. The
   * partitions of kt's own topics that the run used stay its own.
   */
  readonly plan: Plan
  /** Stages that are run, in order. */
  readonly runs: readonly Stage[]
  /** Topics of the graph that are read from the run. */
  readonly from: readonly AnyTopic[]
  /** Topics of the graph that are made again. */
  readonly makes: readonly AnyTopic[]
  /** Partitions of kt's own topics that are the run's. */
  readonly partitions: number
}

/**
 * What it takes to make again all that follows from some topics: operators that stood behind them within a
 * stage read the topics instead, in the same order, since every row says its place in its step. Other topics
 * that these operators need are read too, whether they are named or not. Without names: from all that
 * normalizers make.
 */
export const rebuildOf = (graph: Graph, system: System, named: readonly string[] = []): Rebuild => {
  const live = plan(graph, system)
  const nodes = withInputs(graph)
  const wanted = named.length === 0 ? rawTopics(nodes) : named
  for (const name of wanted) if (topicOf(nodes, name) === undefined) throw unknown(name, nodes)
  const below = reached(nodes, wanted)
  const from = new Set(wanted.filter((name) => !below.has(name)))
  const rewired = nodes.map((node): Node => (below.has(node.name) ? rewire(nodes, node, below, from) : node))
  if (![...below].some((name) => topicOf(nodes, name) !== undefined)) throw nothing(wanted)
  const { stages } = cut({ name: graph.name, nodes: rewired }, system.topics, [])
  const made = (stage: Stage): boolean => stage.operators.some(({ name }) => below.has(name))
  const runs = stages.filter((stage) => made(stage) || copies(stage, below))
  const partitions = live.stages.length
  const placed = stages.map((stage) => {
    const at = runs.indexOf(stage)
    return at < 0 ? asLive(stage, live) : { ...stage, partition: partitions + at }
  })
  const own = system.topics.map((topic) => Object.freeze({ ...topic, partitions: partitions + runs.length }))
  const whole = placed.map((stage) => withTopics(stage, own))
  const topics = (names: ReadonlySet<string>): readonly AnyTopic[] =>
    nodes.flatMap((node) => (node.kind === 'topic' && names.has(node.name) ? [node.is] : []))
  const all = [...topics(new Set([...from, ...below])), ...own]
  return {
    plan: { name: live.name, stages: whole, topics: all, sinks: [] },
    runs: whole.filter((_, at) => runs.includes(stages[at]!)),
    from: topics(from),
    makes: topics(below),
    partitions,
  }
}

/** The sinks of what is made again, and of what it is made of: `sinks` are those of the run. */
export const sinksOf = (
  { from, makes, partitions }: Rebuild,
  sinks: readonly SinkPlan[],
): readonly SinkPlan[] =>
  sinks.flatMap((one) => {
    const { topic, sink } = one
    if (makes.some(({ name }) => name === topic.name)) return [one]
    // What the run has in its lake stays there.
    if (sink.engine === 'lake') return []
    if (from.some(({ name }) => name === topic.name)) return [one]
    return topic.name.startsWith('kt.') ? [{ sink, topic: { ...topic, partitions } }] : []
  })

/** The nodes of a graph, with the topics of kt's own that hold what a normalizer makes. */
const withInputs = (graph: Graph): readonly Node[] => [
  ...graph.nodes,
  ...inputTopics(graph).map(({ topic, from }): Node => ({
    kind: 'topic',
    name: topic.name,
    from: [from],
    is: topic,
  })),
]

const nodeOf = (nodes: readonly Node[], name: string): Node => nodes.find((one) => one.name === name)!

const topicOf = (nodes: readonly Node[], name: string): AnyTopic | undefined => {
  const node = nodes.find((one) => one.name === name)
  return node?.kind === 'topic' ? node.is : undefined
}

const isFrames = (node: Node): boolean => node.kind === 'operator' && node.is.frames

const rawTopics = (nodes: readonly Node[]): readonly string[] =>
  nodes.flatMap((node) =>
    node.kind === 'topic' && node.from.every((from) => isFrames(nodeOf(nodes, from))) ? [node.name] : [],
  )

/** The operators and topics behind some topics: what feeds a topic feeds what stands beside it too. */
const reached = (nodes: readonly Node[], from: readonly string[]): ReadonlySet<string> => {
  const found = new Set<string>()
  const feeds = (node: Node, above: string): boolean =>
    found.has(above) ||
    from.includes(above) ||
    (node.kind === 'operator' && topicsBehind(nodes, above, node).some((name) => from.includes(name)))
  for (let more = true; more;) {
    more = false
    for (const node of nodes) {
      if (node.kind !== 'operator' && node.kind !== 'topic') continue
      if (found.has(node.name) || !node.from.some((above) => feeds(node, above))) continue
      found.add(node.name)
      more = true
    }
  }
  return found
}

/** Topics that hold what a node makes and an operator behind it takes. */
const topicsBehind = (
  nodes: readonly Node[],
  above: string,
  { is }: Node & { kind: 'operator' },
): readonly string[] =>
  nodes.flatMap((node) =>
    node.kind === 'topic' &&
    node.from.includes(above) &&
    is.inputs.some((schema) => schema.name === node.is.schema.name)
      ? [node.name]
      : [],
  )

/** A node that reads topics of the run where it stood behind what is not made again. */
const rewire = (nodes: readonly Node[], node: Node, below: ReadonlySet<string>, from: Set<string>): Node => {
  const feeds = node.from.flatMap((above): readonly string[] => {
    if (below.has(above)) return [above]
    const is = topicOf(nodes, above) !== undefined
    const names = is ? [above] : node.kind === 'operator' ? topicsBehind(nodes, above, node) : []
    if (names.length === 0) throw unlogged(node.name, above)
    for (const name of names) from.add(name)
    return names
  })
  return { ...node, from: [...new Set(feeds)] }
}

/** A stage without operators that deals rows of one topic to another. */
const copies = ({ operators, writes }: Stage, below: ReadonlySet<string>): boolean =>
  operators.length === 0 && writes.some(({ topic }) => below.has(topic.name))

/** A stage that is not run is known by the name and the partition that it has in the run. */
const asLive = (stage: Stage, live: Plan): Stage => {
  if (stage.sources.length > 0) return stage
  const own = new Set(stage.writes.filter(({ from }) => from.length > 0).map(({ topic }) => topic.name))
  const found = live.stages.find(({ writes }) =>
    writes.some(({ topic, from }) => from.length > 0 && own.has(topic.name)),
  )
  return found === undefined ? stage : { ...stage, name: found.name, partition: found.partition }
}

const withTopics = (stage: Stage, own: readonly AnyTopic[]): Stage => {
  const known = (topic: AnyTopic): AnyTopic => own.find(({ name }) => name === topic.name) ?? topic
  return Object.freeze({
    ...stage,
    reads: stage.reads.map(known),
    writes: stage.writes.map(({ topic, from }) => ({ topic: known(topic), from })),
  })
}

const unknown = (name: string, nodes: readonly Node[]): GraphError =>
  new GraphError('KT1021', `the graph has no topic "${name}" to read again`, {
    fix: `It has ${nodes.flatMap((node) => (node.kind === 'topic' ? [node.name] : [])).join(', ')}.`,
  })

const nothing = (names: readonly string[]): GraphError =>
  new GraphError('KT1022', `nothing follows from ${names.join(', ')}`, {
    why: 'No operator that writes a topic stands behind them.',
    fix: 'Name the topics that what you want to make again is made of: kt graph show prints them.',
  })

const unlogged = (node: string, above: string): GraphError =>
  new GraphError('KT1023', `"${node}" cannot be made again: what "${above}" makes is in no topic`, {
    fix: `Name a topic before "${above}" too, or put .through(topic) behind it and run it for a while.`,
  })
