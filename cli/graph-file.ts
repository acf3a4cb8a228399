import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { GraphError, KtError } from '../graph/error.ts'
import type { Graph } from '../graph/graph.ts'
import { plan } from '../graph/plan.ts'
import type { Plan } from '../graph/plan.ts'
import { systemTopics } from '../market/topics.ts'
import { clickhouse, lake } from '../sinks/index.ts'

/** Load a graph file: its default export is the graph. */
export const loadGraph = async (file: string): Promise<Graph> => {
  const path = resolve(file)
  if (!existsSync(path))
    throw new GraphError('KT1050', `there is no graph file "${file}"`, {
      fix: 'Give the path of a file whose default export is graph(...).',
    })
  let loaded: { readonly default?: unknown }
  try {
    loaded = (await import(pathToFileURL(path).href)) as typeof loaded
  } catch (error) {
    if (error instanceof KtError) throw error
    const { message, stack } = error as Error
    const where = stack
      ?.split('\n')
      .find((line) => line.includes(path))
      ?.trim()
    throw new GraphError('KT1051', `graph file "${file}" cannot be loaded: ${message}`, {
      fix: 'Correct the file; kt graph check shows its type errors.',
      cause: error,
      ...(where === undefined ? {} : { where }),
    })
  }
  const graph = loaded.default as Partial<Graph> | undefined
  if (typeof graph?.name !== 'string' || !Array.isArray(graph.nodes)) {
    throw new GraphError('KT1052', `graph file "${file}" has no graph`, {
      fix: 'End it with: export default graph(name, (g) => { ... })',
    })
  }
  return graph as Graph
}

/** The plan of a graph, with kt's own topics and where they are stored. */
export const planOf = (graph: Graph): Plan =>
  plan(graph, {
    topics: systemTopics,
    sink: (engine, schema) => (engine === 'lake' ? lake(schema) : clickhouse(schema)),
  })
