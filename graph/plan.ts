import { GraphError } from './error.ts'
import { holds } from './key.ts'
import type { AnyKey } from './key.ts'
import type { Graph, Node, Want } from './graph.ts'
import type { AnyOperator } from './operator.ts'
import type { AnySchema } from './schema.ts'
import type { AnySink } from './sink.ts'
import { cut } from './stages.ts'
import type { InputTopic } from './stages.ts'
import type { AnyTopic } from './topic.ts'

/** The nodes between topics, which run together in one thread. */
export interface Stage {
  /**
   * `basis/0` reads the sources, and a shard of it is `basis/0/0`. A stage that reads topics is named by its
   * first node, as in `basis/bars.1m`, so that its shards are found again after edits elsewhere.
   */
  readonly name: string
  /** The partition of kt's own topics that it writes: with a writer each, their rows have one order. */
  readonly partition: number
  readonly sources: readonly Want[]
  /** Topics that it reads: those of the graph, then those of kt. */
  readonly reads: readonly AnyTopic[]
  /** In an order in which every operator stands below what feeds it. */
  readonly operators: readonly Placement[]
  /** Topics that it writes, with the nodes that write them. */
  readonly writes: readonly { readonly topic: AnyTopic; readonly from: readonly string[] }[]
  /** What its instruments are dealt to shards by. */
  readonly keep: AnyKey | undefined
  readonly shards: number
}

/** An operator where it stands: `from` are the names of nodes, or of the topics that the stage reads. */
export interface Placement {
  readonly name: string
  readonly operator: AnyOperator
  readonly from: readonly string[]
  /**
   * Its output is logged as it is, so a restart can feed it again: the operators below are rebuilt from it.
   */
  readonly entry: boolean
}

export interface SinkPlan {
  readonly sink: AnySink
  readonly topic: AnyTopic
}

/** A graph cut into what runs: checked, named, and with kt's own topics. */
export interface Plan {
  readonly name: string
  readonly stages: readonly Stage[]
  readonly topics: readonly AnyTopic[]
  readonly sinks: readonly SinkPlan[]
}

/** What every graph has besides its own nodes: kt's topics, and how each engine stores them. */
export interface System {
  /** gap, control, instrument, latency: every stage writes them. */
  readonly topics: readonly AnyTopic[]
  readonly sink: (engine: AnySink['engine'], schema: AnySchema) => AnySink
}

/**
 * Cut a graph at its topics into stages, and check what types cannot see. Every engine it uses stores kt's
 * topics too; and a lake all that operators read, so that it alone can make everything again.
 */
export const plan = (graph: Graph, { topics: system, sink }: System): Plan => {
  check(graph)
  const inputs = inputTopics(graph)
  const { stages, system: shared } = cut(graph, system, inputs)
  const engines = [...new Set(graph.nodes.flatMap((node) => (node.kind === 'sink' ? [node.is.engine] : [])))]
  const sinks: SinkPlan[] = graph.nodes.flatMap((node) => {
    if (node.kind !== 'sink') return []
    return node.from.map((from) => ({ sink: node.is, topic: topicNamed(graph, from)! }))
  })
  for (const topic of shared) {
    for (const engine of engines) {
      sinks.push({ sink: sink(engine, topic.schema), topic })
    }
  }
  if (engines.includes('lake')) {
    for (const { topic } of inputs) {
      const store = sink('lake', topic.schema)
      if (sinks.every((one) => one.sink.name !== store.name)) sinks.push({ sink: store, topic })
    }
  }
  const own = graph.nodes.flatMap((node) => (node.kind === 'topic' ? [node.is] : []))
  return Object.freeze({
    name: graph.name,
    stages,
    topics: [...own, ...inputs.map((one) => one.topic), ...shared],
    sinks,
  })
}

const topicNamed = (graph: Graph, name: string): AnyTopic | undefined => {
  const node = graph.nodes.find((one) => one.name === name)
  return node?.kind === 'topic' ? node.is : undefined
}

const nodeNamed = (graph: Graph, name: string): Node => {
  const node = graph.nodes.find((one) => one.name === name)
  if (node === undefined)
    throw new GraphError('KT1010', `graph "${graph.name}" uses a stream of another graph, from "${name}"`, {
      fix: 'Use only streams that this graph made.',
    })
  return node
}

/** The schemas that flow out of a node. */
const flowing = (node: Node): readonly AnySchema[] => {
  if (node.kind === 'source') return []
  if (node.kind === 'operator') return node.is.outputs
  return node.kind === 'topic' ? [node.is.schema] : []
}

/** What a type error would have said, for graphs that were not type-checked; and what types cannot see. */
const check = (graph: Graph): void => {
  if (graph.nodes.length === 0)
    throw new GraphError('KT1011', `graph "${graph.name}" is empty`, { fix: 'Begin with g.source(...).' })
  for (const node of graph.nodes) {
    const from = node.from.map((name) => nodeNamed(graph, name))
    if (node.kind === 'source') checkChannel(node.is)
    if (node.kind === 'operator') checkOperator(graph, node.name, node.is, from)
    if (node.kind === 'topic' || node.kind === 'sink') {
      const carried = new Set(from.flatMap(flowing).map((schema) => schema.name))
      const carriedText = [...carried].join(', ') || 'frames'
      if (carried.size !== 1 || !carried.has(node.is.schema.name)) {
        throw new GraphError(
          'KT1012',
          `${node.kind} "${node.name}" carries ${node.is.schema.name}, and its stream is of ${carriedText}`,
          {
            fix: `Use the ${node.kind} of ${carriedText}.`,
          },
        )
      }
    }
    if (node.kind === 'sink' && from.some((one) => one.kind !== 'topic')) {
      throw new GraphError('KT1013', `sink "${node.name}" stands before a topic`, {
        fix: 'Put .through(topic) before .to(sink).',
      })
    }
  }
}

const checkChannel = ({ source, channel, universe }: Want): void => {
  if (!(channel in source.channels)) {
    throw new GraphError('KT1014', `source "${source.name}" has no channel "${channel}"`, {
      fix: `It has ${Object.keys(source.channels).join(', ')}.`,
    })
  }
  if (universe.top !== undefined && !(Number.isInteger(universe.top) && universe.top > 0)) {
    throw new GraphError('KT1015', `the universe of "${source.name}" asks for the top ${universe.top}`, {
      fix: 'Use a whole number from 1.',
    })
  }
}

const SYSTEM = new Set(['control', 'instrument'])

const checkOperator = (graph: Graph, name: string, is: AnyOperator, from: readonly Node[]): void => {
  if (is.frames) {
    if (from.every((one) => one.kind === 'source')) return
    throw new GraphError(
      'KT1016',
      `operator "${name}" reads frames, and not all of its streams are sources`,
      { fix: 'Put normalize(...) right behind g.source(...).' },
    )
  }
  const carried = new Set(from.flatMap(flowing).map((schema) => schema.name))
  const takes = new Set(is.inputs.map((schema) => schema.name))
  for (const one of carried) {
    if (!takes.has(one))
      throw new GraphError('KT1017', `operator "${name}" does not take ${one}`, {
        fix: `It takes ${[...takes].join(', ')}.`,
      })
  }
  for (const one of takes) {
    if (!carried.has(one) && !SYSTEM.has(one))
      throw new GraphError('KT1018', `operator "${name}" also needs ${one}`, {
        fix: 'Merge a stream of that with this one.',
      })
  }
  for (const kept of from.flatMap((one) => keptBy(graph, one))) {
    if (holds(kept.name, is.key)) continue
    throw new GraphError(
      'KT1019',
      `operator "${name}" keeps its state by ${is.key.name}, and its stream is kept by ${kept.name}`,
      {
        fix: `Put .through(topic) with the key ${is.key.name}, or a coarser one, before it.`,
      },
    )
  }
}

/** The keys by which what flows out of a node is kept together. */
const keptBy = (graph: Graph, node: Node): readonly AnyKey[] => {
  if (node.kind === 'source') return [node.is.keep]
  if (node.kind === 'topic') return [node.is.key]
  return node.from.flatMap((name) => keptBy(graph, nodeNamed(graph, name)))
}

/**
 * Operators are rebuilt from the log alone. So what a normalizer makes and an operator reads, and no topic
 * of the graph holds, gets a topic of kt's own.
 */
export const inputTopics = (graph: Graph): readonly InputTopic[] =>
  graph.nodes.flatMap((node) => {
    if (node.kind !== 'operator' || !node.is.frames) return []
    const below = graph.nodes.filter((one) => one.from.includes(node.name))
    const logged = below.some((one) => one.kind === 'topic')
    if (logged || !below.some((one) => one.kind === 'operator')) return []
    const key = keptBy(graph, node)[0]!
    return node.is.outputs.map((schema) => ({
      topic: Object.freeze({ name: `kt.input.${schema.name}`, schema, key, ...OWN_TOPIC }),
      from: node.name,
    }))
  })

const OWN_TOPIC = { partitions: 1, lingerMs: 5, format: 'arrow' } as const
