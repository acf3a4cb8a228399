import { GraphError } from './error.ts'
import type { Graph, Node } from './graph.ts'
import type { Placement, Stage } from './plan.ts'
import type { AnyTopic } from './topic.ts'

/** What a normalizer makes and only operators read: kt logs it in a topic of its own. */
export interface InputTopic {
  readonly topic: AnyTopic
  readonly from: string
}

/**
 * Cut a graph at its topics. Nodes that feed each other without a topic between them are one stage, and so
 * is all that writes one topic: its rows then have one order. All sources are one stage, whose steps are the
 * clock of the graph. Stages come in an order in which each stands behind those whose topics it reads.
 */
export const cut = (
  graph: Graph,
  system: readonly AnyTopic[],
  inputs: readonly InputTopic[],
): { readonly stages: readonly Stage[]; readonly system: readonly AnyTopic[] } => {
  const groups = ordered(graph, groupsOf(graph))
  const shared = system.map((topic) => Object.freeze({ ...topic, partitions: groups.length }))
  return {
    stages: groups.map((group, number) => stageOf(graph, group, number, shared, inputs)),
    system: shared,
  }
}

/** Nodes of one stage, in the order of the graph, with the topics that they write. */
type Group = readonly Node[]

const isTopic = (graph: Graph, name: string): boolean =>
  graph.nodes.find((one) => one.name === name)?.kind === 'topic'

const groupsOf = (graph: Graph): readonly Group[] => {
  const up = new Map<string, string>()
  const leader = (name: string): string => {
    const above = up.get(name) ?? name
    return above === name ? name : leader(above)
  }
  const join = (one: string, other: string): void => void up.set(leader(other), leader(one))
  const nodes = graph.nodes.filter((node) => node.kind !== 'sink')
  const first = nodes.find((node) => node.kind === 'source')
  for (const node of nodes) {
    if (node.kind === 'source') join(first!.name, node.name)
    for (const from of node.from) if (!isTopic(graph, from)) join(from, node.name)
  }
  return [...Map.groupBy(nodes, (node) => leader(node.name)).values()]
}

/** Each group behind those whose topics it reads; sources first. */
const ordered = (graph: Graph, groups: readonly Group[]): readonly Group[] => {
  const home = new Map(groups.flatMap((group) => group.map((node) => [node.name, group] as const)))
  const read = (group: Group): readonly (readonly [Node, string])[] =>
    group.flatMap((node) =>
      node.from.flatMap((from) => (isTopic(graph, from) ? [[node, from] as const] : [])),
    )
  const placed: Group[] = []
  const left = new Set(groups)
  while (left.size > 0) {
    const next = [...left].find((group) => read(group).every(([, topic]) => !left.has(home.get(topic)!)))
    if (next === undefined) break
    placed.push(next)
    left.delete(next)
  }
  const follows = (group: Group, from: Group, seen = new Set<Group>()): boolean =>
    group === from ||
    (!seen.has(group) &&
      seen.add(group) !== undefined &&
      read(group).some(([, topic]) => follows(home.get(topic)!, from, seen)))
  for (const group of left)
    for (const [node, topic] of read(group)) if (follows(home.get(topic)!, group)) throw circular(node, topic)
  return placed
}

const circular = (node: Node, topic: string): GraphError =>
  new GraphError(
    'KT1020',
    `"${node.name}" takes topic "${topic}" beside a stream that the topic follows from`,
    {
      why: 'A stage that reads a topic runs behind the one that writes it, so it cannot be a part of it.',
      fix: 'Put .through(topic) behind the other stream too, or take both from before their topics.',
    },
  )

const stageOf = (
  graph: Graph,
  nodes: Group,
  number: number,
  system: readonly AnyTopic[],
  inputs: readonly InputTopic[],
): Stage => {
  const sources = nodes.flatMap((node) => (node.kind === 'source' ? [node.is] : []))
  const { operators, outlets } = placed(nodes)
  const own = new Set(nodes.map((node) => node.name))
  const writes = nodes.flatMap((node): Stage['writes'][number][] =>
    node.kind === 'topic'
      ? [{ topic: node.is, from: node.from.flatMap((from) => outlets.get(from) ?? [from]) }]
      : [],
  )
  for (const input of inputs)
    if (own.has(input.from))
      writes.push({ topic: input.topic, from: outlets.get(input.from) ?? [input.from] })
  return Object.freeze({
    name: `${graph.name}/${sources.length > 0 ? 0 : nodes[0]!.name}`,
    partition: number,
    sources,
    reads: readsOf(graph, nodes, system),
    operators,
    writes: [...writes, ...system.map((topic) => ({ topic, from: [] }))],
    keep: sources[0]?.keep,
    shards: 1,
  })
}

/** The operators of a stage with those that follow them, and by which names their outputs leave. */
const placed = (nodes: Group) => {
  const operators: Placement[] = []
  const outlets = new Map<string, readonly string[]>()
  for (const node of nodes) {
    if (node.kind !== 'operator') continue
    const from = node.from.flatMap((one) => outlets.get(one) ?? [one])
    const { followedBy } = node.is
    const entry = node.is.frames
    operators.push({ name: node.name, operator: node.is, from, entry: entry && followedBy.length === 0 })
    for (const follower of followedBy)
      operators.push({ name: follower.name, operator: follower, from: [node.name], entry })
    outlets.set(node.name, followedBy.length === 0 ? [node.name] : followedBy.map((one) => one.name))
  }
  return { operators, outlets }
}

/**
 * The topics of the graph that a stage reads, and then those of kt: ticks, because by them it knows how far
 * the others are, and listings where an operator names them.
 */
const readsOf = (graph: Graph, nodes: Group, system: readonly AnyTopic[]): readonly AnyTopic[] => {
  const names = new Set(nodes.flatMap((node) => node.from))
  const own = graph.nodes.flatMap((node) => (node.kind === 'topic' && names.has(node.name) ? [node.is] : []))
  if (own.length === 0) return []
  const named = new Set(
    nodes.flatMap((node) => (node.kind === 'operator' ? node.is.inputs.map((input) => input.name) : [])),
  )
  const supplied = system.filter(
    ({ schema }) => schema.name === 'control' || (schema.name === 'instrument' && named.has(schema.name)),
  )
  return [...own, ...supplied]
}
