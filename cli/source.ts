import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { KtError } from '../graph/error.ts'
import type { Stage } from '../graph/plan.ts'
import type { Clock } from '../graph/port.ts'
import type { OpenSource, SourceHost } from '../graph/source.ts'
import { loadExamples } from '../sources/driver/examples.ts'
import { loadMapping } from '../sources/driver/jsonata.ts'
import { openNet } from '../sources/driver/net.ts'
import { openVenueNet } from '../sources/driver/proxy.ts'

/** What `--source` says. */
export type SourceChoice = { readonly text: string } & (
  { readonly kind: 'sim' | 'live' | 'lake' } | { readonly kind: 'replay'; readonly paths: readonly string[] }
)

export type Endpoints = Readonly<Record<string, { readonly socket: string; readonly rest: string }>>

export const parseSource = (text: string): SourceChoice => {
  if (text === 'sim' || text === 'live') return { kind: text, text }
  if (/^lake:./.test(text)) return { kind: 'lake', text }
  const paths = text.startsWith('replay:') ? pathsOf(text.slice('replay:'.length)) : []
  if (paths.length > 0) return { kind: 'replay', paths, text }
  throw new KtError('KT6406', `"${text}" is not a source`, {
    where: '--source',
    fix: 'Use sim, live, replay:PATH, or lake:PATH.',
  })
}

/** Paths stand between commas, as in a shell: not those in the braces of a pattern, or after a backslash. */
const pathsOf = (text: string): readonly string[] => {
  const paths: string[] = []
  let [path, depth] = ['', 0]
  for (const [token] of text.matchAll(/\\[^]|[^]/gu)) {
    if (token === '{') depth += 1
    if (token === '}') depth = Math.max(0, depth - 1)
    if (token !== ',' || depth > 0) path += depth === 0 && token === String.raw`\,` ? ',' : token
    else {
      paths.push(path)
      path = ''
    }
  }
  return [...paths, path].filter((one) => one !== '')
}

/**
 * Recordings each get a folder of their own; the simulated and the real exchange must not share one either.
 */
export const defaultFolder = (graph: string, text: string): string => {
  const source = parseSource(text)
  if (source.kind === 'sim') return join('data', graph)
  if (source.kind === 'live') return join('data', `${graph}-live`)
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 8)
  return join('data', `${graph}-${source.kind}-${hash}`)
}

/** A run on the simulated exchange opens no address of a venue: every source of the graph must be there. */
export const checkSimulated = (stages: readonly Stage[], served: readonly string[]): void => {
  const names = stages.flatMap((stage) => wantsOf(stage).map(({ source }) => source.name))
  const absent = names.find((name) => !served.includes(name))
  if (absent === undefined) return
  throw new KtError('KT6410', `the simulated exchange has no source "${absent}"`, {
    where: '--source sim',
    why: `It has ${served.join(', ')}; a run on it opens no address of a real venue.`,
    fix: `Take ${absent} out of the graph, or use --source live or --source replay:PATH.`,
  })
}

/** Open every source of a stage on this machine's network: at its venue, or on the simulated exchange. */
export const openLive = (
  stage: Stage,
  choice: SourceChoice,
  endpoints: Endpoints,
  clock: Clock,
  to: Pick<SourceHost, 'frame' | 'system' | 'note'>,
): readonly OpenSource[] => {
  if (choice.kind === 'sim') checkSimulated([stage], Object.keys(endpoints))
  const random = { below: (n: number): number => Math.floor(Math.random() * n) }
  const net = choice.kind === 'live' ? openVenueNet(clock) : openNet({ clock })
  const host: SourceHost = { clock, random, net, mapping: loadMapping, examples: loadExamples, ...to }
  return wantsOf(stage).map(({ source, channels, universe }) =>
    source.open(host, { channels, universe, endpoint: endpoints[source.name], owns: () => true }),
  )
}

/** The sources of a stage, each once, with all its channels. */
export const wantsOf = (stage: Stage) =>
  [...new Set(stage.sources.map((want) => want.source))].map((source) => {
    const wants = stage.sources.filter((want) => want.source === source)
    return { source, channels: wants.map((want) => want.channel), universe: wants[0]!.universe }
  })
