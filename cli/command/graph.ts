import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { ascii, changes, describe, mermaid } from '../../graph/describe.ts'
import type { Described } from '../../graph/describe.ts'
import { GraphError } from '../../graph/error.ts'
import { venueNames } from '../../sources/sim/universe.ts'
import { createTable } from '../../sinks/clickhouse/table.ts'
import type { ClickhouseSink } from '../../sinks/clickhouse/sink.ts'
import { replicationAsked } from '../server.ts'
import { evolutions, evolutionText } from '../evolve.ts'
import { loadGraph, planOf } from '../graph-file.ts'
import { EXIT, command, print, printJson, say } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { foldersOf, loadRun, oneOf } from '../settings.ts'
import { absentOf, absentText } from '../replay.ts'
import { kafkaAsked } from '../kafka.ts'
import { prefixOf } from '../log.ts'
import { avroTopics, registryAsked, subjectsOf, subjectText } from '../registry.ts'
import { checkSimulated, defaultFolder, parseSource } from '../source.ts'

/**
 * Types as the editor shows them, then what only the plan can see. Of several files, as a shell lists them,
 * those without a graph are only named.
 */
export const check = async (files: readonly string[], options: GlobalOptions): Promise<number> => {
  const checked: { file: string; graph: string; nodes: number; sinks: number }[] = []
  const passedOver = new Map<string, GraphError>()
  for (const file of files) {
    const graph = await loadGraph(file).catch((error: unknown) => {
      if (!(error instanceof GraphError && error.code === 'KT1052')) throw error
      passedOver.set(file, error)
    })
    if (graph === undefined) continue
    const plan = planOf(graph)
    typeCheck(file)
    checked.push({ file, graph: graph.name, nodes: graph.nodes.length, sinks: plan.sinks.length })
  }
  if (checked.length === 0) for (const error of passedOver.values()) throw error
  if (options.json === true) printJson({ ok: true, graphs: checked, passedOver: [...passedOver.keys()] })
  else {
    for (const one of checked)
      print(`ok  ${one.file}: graph "${one.graph}", ${one.nodes} nodes, ${one.sinks} sinks`)
    if (passedOver.size > 0 && options.quiet !== true)
      say(`without a graph, passed over: ${[...passedOver.keys()].join(', ')}`)
  }
  return EXIT.ok
}

/**
 * The type checker's sentences about this file; errors elsewhere are not this graph's. It is checked by kt's
 * own strict rules, wherever it lies.
 */
const typeCheck = (file: string): void => {
  const root = resolve(import.meta.dirname, '../..')
  const folder = mkdtempSync(join(tmpdir(), 'kt-check-'))
  const config = { extends: join(root, 'tsconfig.json'), files: [resolve(file)], include: [] }
  // A file by itself belongs to no package that would say that it is a module.
  const module = { module: 'preserve', moduleResolution: 'bundler' }
  const options = { ...module, typeRoots: [join(root, 'node_modules/@types')], rootDir: '/' }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ ...config, compilerOptions: options }))
  const { stdout, error } = spawnSync(resolve(root, 'node_modules/.bin/tsc'), ['--noEmit', '-p', folder], {
    encoding: 'utf8',
  })
  rmSync(folder, { recursive: true, force: true })
  if (error !== undefined) return say('types were not checked: the TypeScript compiler is not installed')
  const lines = stdout.split('\n')
  const first = lines.findIndex((line) => line.startsWith(relative('.', resolve(file))))
  if (first < 0) return
  const sentence = /GraphTypeError<["'`](.*?)["'`]>/.exec(lines.slice(first, first + 6).join('\n'))?.[1]
  throw new GraphError('KT1053', sentence ?? lines[first]!.replace(/^.*?error TS\d+: /, ''), {
    where: lines[first]!.slice(0, lines[first]!.indexOf(': error')),
    fix: 'Open the file in an editor: the error stands under the word that is wrong.',
  })
}

export const show = async (
  file: string,
  options: GlobalOptions & { readonly format: string },
): Promise<number> => {
  const plan = planOf(await loadGraph(file))
  const format = oneOf(options.json === true ? 'json' : options.format, '--format', [
    'ascii',
    'mermaid',
    'json',
    'svg',
  ])
  if (format === 'json') printJson(describe(plan))
  else if (format === 'svg') print((await import('../picture/svg.ts')).svg(describe(plan)))
  else print(format === 'mermaid' ? mermaid(plan) : ascii(plan))
  return EXIT.ok
}

interface PlanOptions extends GlobalOptions {
  readonly source: string
  readonly data?: string
  readonly out?: string
}

/** What would run, and what would change against the last run in the same folder. */
export const plan = async (file: string, options: PlanOptions): Promise<number> => {
  const planned = planOf(await loadGraph(file))
  if (parseSource(options.source).kind === 'sim') checkSimulated(planned.stages, venueNames)
  const described = describe(planned)
  const folder = options.data ?? defaultFolder(planned.name, options.source)
  const before = loadRun(foldersOf(folder).root)
  const changed = changes(before?.plan as Described | undefined, described)
  const evolved = evolutions(before?.plan as Described | undefined, planned)
  const prefix = prefixOf(before?.kafka ?? kafkaAsked(planned.name), planned.name)
  const registry = registryAsked() ?? before?.registry
  const subjects = await subjectsOf(planned, registry, prefix)
  const absent = await absentOf(planned, options.source)
  const tables = planned.sinks.flatMap(({ sink }) =>
    sink.engine === 'clickhouse' ? [createTable(sink as ClickhouseSink, replicationAsked())] : [],
  )
  const document = {
    graph: planned.name,
    source: options.source,
    folder,
    changes: changed,
    evolved,
    subjects,
    absent,
    plan: described,
    tables,
  }
  const many = changed.length + subjects.filter(({ standing }) => standing.is === 'new').length
  if (options.out !== undefined) writeFileSync(options.out, JSON.stringify(document, null, 2))
  if (options.json === true) printJson(document)
  else {
    print(ascii(planned))
    print('')
    for (const one of absent) print(`! absent    ${absentText(one)}`)
    for (const line of changed) print(line)
    for (const one of evolved) print(evolutionText(one))
    for (const one of subjects) print(subjectText(one))
    for (const one of registry === undefined ? avroTopics(planned) : [])
      print(`! schema    topic "${one}" is avro: a run needs KT_SCHEMA_REGISTRY_URL`)
    print(
      many === 0
        ? 'nothing would change'
        : `${many} would change. Run it with: ${command()} graph run ${file} --source ${options.source}`,
    )
  }
  return many === 0 ? EXIT.ok : EXIT.findings
}
