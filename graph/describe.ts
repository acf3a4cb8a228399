import { describeSchema } from './evolution.ts'
import type { DescribedSchema } from './evolution.ts'
import type { Plan, Stage } from './plan.ts'
import { schemaId } from './schema.ts'

/** A plan as plain data: what `kt graph show --format json` prints, and what two plans are compared by. */
export interface Described {
  readonly graph: string
  readonly nodes: readonly DescribedNode[]
  /** What is in each topic; what kt 0.1 wrote has none. */
  readonly schemas?: Readonly<Record<string, DescribedSchema>>
}

export interface DescribedNode {
  readonly name: string
  readonly kind: 'source' | 'operator' | 'topic' | 'sink'
  readonly stage: string
  readonly from: readonly string[]
  /** What a change of would change the run: options, schemas, keys, partitions. */
  readonly detail: Readonly<Record<string, unknown>>
}

const sourcesOf = (stage: Stage): readonly DescribedNode[] =>
  stage.sources.map(({ source, channel, universe, keep }) => ({
    name: `${source.name}.${channel}`,
    kind: 'source',
    stage: stage.name,
    from: [],
    detail: { universe, keep: keep.name, schemas: source.channels[channel]?.schemas.map(schemaId) },
  }))

const operatorsOf = (stage: Stage): readonly DescribedNode[] =>
  stage.operators.map(({ name, operator, from }) => ({
    name,
    kind: 'operator',
    stage: stage.name,
    from,
    detail: {
      key: operator.key.name,
      state: operator.state.version,
      makes: operator.outputs.map(schemaId),
      ...operator.options,
    },
  }))

/** kt's own topics are written by every stage, and stand with the first. */
const topicsOf = (stage: Stage): readonly DescribedNode[] =>
  stage.writes
    .filter(({ from }) => from.length > 0 || stage.partition === 0)
    .map(({ topic, from }) => ({
      name: topic.name,
      kind: 'topic',
      stage: stage.name,
      from,
      detail: {
        schema: schemaId(topic.schema),
        key: topic.key.name,
        partitions: topic.partitions,
        lingerMs: topic.lingerMs,
        // What all topics had before there was another is not said.
        ...(topic.format === 'arrow' ? {} : { format: topic.format }),
      },
    }))

export const describe = (plan: Plan): Described => ({
  graph: plan.name,
  nodes: [
    ...plan.stages.flatMap((stage) => [...sourcesOf(stage), ...operatorsOf(stage), ...topicsOf(stage)]),
    ...plan.sinks.map(({ sink, topic }): DescribedNode => ({
      name: sink.name,
      kind: 'sink',
      stage: '',
      from: [topic.name],
      detail: { schema: schemaId(sink.schema), orderBy: sink.orderBy },
    })),
  ],
  schemas: Object.fromEntries(plan.topics.map(({ name, schema }) => [name, describeSchema(schema)])),
})

/** A plan as text: a line a node, in the order in which events pass them. */
export const ascii = (plan: Plan): string => {
  const { nodes } = describe(plan)
  const width = Math.max(...nodes.map((node) => node.name.length))
  const line = ({ kind, name, from, detail }: DescribedNode): string => {
    const written = detail['format'] === undefined ? '' : `, ${String(detail['format'])}`
    const tail =
      kind === 'topic'
        ? `   by ${String(detail['key'])}, ${String(detail['partitions'])} partition(s)${written}`
        : ''
    const feeds = from.length === 0 ? '' : `  <- ${from.join(', ')}`
    return `  ${kind.padEnd(9)} ${name.padEnd(width)}${feeds}${tail}`.trimEnd()
  }
  const stages = plan.stages.map((stage) => {
    const kept = stage.keep === undefined ? '' : `, kept by ${stage.keep.name}`
    const reads =
      stage.reads.length === 0 ? '' : `, reads ${stage.reads.map((topic) => topic.name).join(', ')}`
    const head = `stage ${stage.name}: ${stage.shards} shard${stage.shards === 1 ? '' : 's'}${kept}${reads}`
    return [head, ...nodes.filter((node) => node.stage === stage.name).map(line)].join('\n')
  })
  const sinks = ['sinks', ...nodes.filter((node) => node.kind === 'sink').map(line)].join('\n')
  return [`graph ${plan.name}`, ...stages, sinks].join('\n\n')
}

const SHAPE = { source: ['([', '])'], operator: ['[', ']'], topic: ['[(', ')]'], sink: ['[/', '/]'] } as const

/** A plan as a Mermaid flowchart. */
export const mermaid = (plan: Plan): string => {
  const { nodes } = describe(plan)
  const id = (name: string): string => name.replaceAll(/[^A-Za-z0-9]/g, '_')
  const shapes = nodes.map(({ name, kind }) => `  ${id(name)}${SHAPE[kind][0]}"${name}"${SHAPE[kind][1]}`)
  const edges = nodes.flatMap(({ name, from }) => from.map((one) => `  ${id(one)} --> ${id(name)}`))
  return ['flowchart LR', ...shapes, ...edges].join('\n')
}

/** What would change against another run of the same graph, as sentences; empty when nothing would. */
export const changes = (before: Described | undefined, after: Described): readonly string[] => {
  if (before === undefined) return [`+ graph     ${after.graph}: it has not run here`]
  const old = new Map(before.nodes.map((node) => [node.name, node]))
  const now = new Map(after.nodes.map((node) => [node.name, node]))
  const added = after.nodes
    .filter((node) => !old.has(node.name))
    .map((node) => `+ ${node.kind.padEnd(9)} ${node.name}`)
  const removed = before.nodes
    .filter((node) => !now.has(node.name))
    .map((node) => `- ${node.kind.padEnd(9)} ${node.name}`)
  const changed = after.nodes.flatMap((node) => {
    const was = old.get(node.name)
    if (was === undefined) return []
    const what = differences(was, node)
    return what.length === 0 ? [] : [`~ ${node.kind.padEnd(9)} ${node.name}   ${what.join(', ')}`]
  })
  return [...added, ...changed, ...removed]
}

const differences = (was: DescribedNode, is: DescribedNode): readonly string[] => {
  const text = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value))
  const from =
    text(was.from) === text(is.from)
      ? []
      : [`from ${was.from.join(', ') || 'nothing'} -> ${is.from.join(', ') || 'nothing'}`]
  const keys = [...new Set([...Object.keys(was.detail), ...Object.keys(is.detail)])]
  const details = keys.flatMap((key) => {
    const [before, after] = [text(was.detail[key]), text(is.detail[key])]
    return before === after ? [] : [`${key} ${before} -> ${after}`]
  })
  return [...from, ...details]
}
