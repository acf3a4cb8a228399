import { resolve } from 'node:path'
import { describe } from '../../graph/describe.ts'
import type { Described } from '../../graph/describe.ts'
import { KtError } from '../../graph/error.ts'
import { venueNames } from '../../sources/sim/universe.ts'
import { evolutions } from '../evolve.ts'
import { loadGraph, planOf } from '../graph-file.ts'
import { kafkaAsked } from '../kafka.ts'
import { checkLake } from '../lake-store.ts'
import { checkLog, prefixOf } from '../log.ts'
import { checkRegistry, registryAsked } from '../registry.ts'
import { Launch } from '../launch.ts'
import type { GlobalOptions } from '../outcome.ts'
import type { RebuildFlags } from './rebuild.ts'
import { durationMs, faultsOf, foldersOf, loadRun, wholeNumber } from '../settings.ts'
import { checkSimulated, defaultFolder, parseSource } from '../source.ts'

interface SimFlags {
  readonly rate: string
  readonly pairs: string
  readonly seed: string
  readonly faults: string
}

interface RunFlags extends GlobalOptions, Partial<SimFlags> {
  readonly source: string
  readonly for?: string
  readonly maxEvents?: string
  readonly data?: string
  readonly port: string
  readonly speed?: string
  readonly linger?: string
  readonly rowsMax?: string
  readonly rebuild?: boolean
}

/** Run a graph: what runs where, live rates, and the next commands to type. */
export const run = async (file: string, flags: RunFlags): Promise<number> => {
  const plan = planOf(await loadGraph(file))
  const source = parseSource(flags.source)
  if (source.kind === 'sim') checkSimulated(plan.stages, venueNames)
  const asked = kafkaAsked(plan.name)
  const folder = defaultFolder(plan.name, flags.source)
  const root = resolve(flags.data ?? (asked === undefined ? folder : `${folder}-kafka`))
  if (source.kind === 'lake')
    return (await import('./rebuild.ts')).runOnLake(file, flags.source, resolve(flags.data ?? folder), flags)
  const before = loadRun(root)
  evolutions(before?.plan as Described | undefined, plan)
  checkLake(foldersOf(root).lake)
  const kafka = await checkLog(root, asked, plan)
  const registry = registryAsked()
  await checkRegistry(plan, registry, prefixOf(kafka, plan.name), root)
  const speed = flags.speed ?? 'max'
  const faults = flags.faults ?? 'none'
  faultsOf(faults)
  const launch = new Launch({
    file: resolve(file),
    plan,
    described: describe(plan),
    source,
    kafka,
    registry,
    folders: foldersOf(root),
    port: wholeNumber(flags.port, '--port', 0, 65_535),
    forMs: flags.for === undefined ? undefined : durationMs(flags.for, '--for'),
    eventsMax:
      flags.maxEvents === undefined ? undefined : wholeNumber(flags.maxEvents, '--max-events', 1, 2 ** 52),
    speed: speed === 'max' ? undefined : wholeNumber(speed, '--speed', 1, 1_000_000),
    lingerMs: flags.linger === undefined ? undefined : wholeNumber(flags.linger, '--linger', 0, 60_000),
    rowsMax: wholeNumber(flags.rowsMax ?? '8192', '--rows-max', 1, 1_000_000),
    rebuild: flags.rebuild === true,
    again: before !== undefined,
    quiet: flags.quiet === true,
    json: flags.json === true,
    sim: {
      rate: wholeNumber(flags.rate ?? '5000', '--rate', 1, 1_000_000),
      pairs: wholeNumber(flags.pairs ?? '60', '--pairs', 1, 500),
      seed: wholeNumber(flags.seed ?? '1', '--seed', 0, 2 ** 31),
      faults,
    },
  })
  return launch.run()
}

/** The main job: the graph of this folder on the simulated exchange, with everything embedded. */
export const dev = (file: string, flags: Omit<RunFlags, 'source'>): Promise<number> =>
  run(file, { ...flags, source: 'sim' })

interface ReplayFlags extends RebuildFlags {
  readonly speed: string
  readonly port: string
}

export const replay = async (path: string | undefined, flags: ReplayFlags): Promise<number> => {
  if (flags.fromTopic !== undefined || flags.into !== undefined)
    return (await import('./rebuild.ts')).replayTopics(flags)
  if (path === undefined || path === '')
    throw new KtError('KT6406', 'no recording is named', {
      where: 'kt replay',
      fix: 'Give files or folders, such as data/tape, or topics of a run: --from-topic TOPIC --into NAME.',
    })
  const { graph = 'graph/basis.ts', ...others } = flags
  return run(graph, { ...others, source: `replay:${path}` })
}
