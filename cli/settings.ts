import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { KtError } from '../graph/error.ts'
import { parseFaults } from '../sources/sim/fault.ts'
import type { Faults } from '../sources/sim/fault.ts'
import { kafkaPlace } from './kafka-place.ts'
import { registryPlace } from './registry-place.ts'

/** Where one run keeps everything, by name. */
export interface Folders {
  readonly root: string
  readonly log: string
  readonly objects: string
  readonly lake: string
  readonly clickhouse: string
  readonly deadLetters: string
  readonly logs: string
}

export const foldersOf = (root: string): Folders => ({
  root,
  log: join(root, 'log'),
  objects: join(root, 'state'),
  lake: join(root, 'lake'),
  clickhouse: join(root, 'clickhouse'),
  deadLetters: join(root, 'dead-letters'),
  logs: join(root, 'logs'),
})

/** What a run leaves for the commands that come after it: `kt sql`, `kt topic`, `kt verify`. */
const runFile = z.object({
  graph: z.string(),
  file: z.string(),
  source: z.string(),
  clickhouse: z
    .object({
      url: z.string(),
      user: z.string(),
      passwordFile: z.string().optional(),
      database: z.string().optional(),
      /** The data folder of the run whose server it is, when that is another. */
      of: z.string().optional(),
    })
    .optional(),
  /** What was made again of another run, up to which of its steps. */
  rebuild: z
    .object({
      kind: z.enum(['log', 'lake']),
      where: z.string(),
      topics: z.array(z.string()),
      step: z.number().optional(),
    })
    .optional(),
  /** Where the log is, when it is not in the folder. */
  kafka: kafkaPlace.optional(),
  /** Where the schemas of its topics are registered. */
  registry: registryPlace.optional(),
  plan: z.unknown(),
})
export type RunFile = z.infer<typeof runFile>

/**
 * The folder of the last run, so that later commands need no flag. Tests keep theirs elsewhere, with
 * KT_LAST.
 */
const LAST = process.env['KT_LAST'] ?? join('data', 'last-run')

export const saveRun = (folders: Folders, run: RunFile): void => {
  writeRun(folders.root, run)
  meanRun(folders.root)
}

/** The run that later commands mean from now on. */
export const meanRun = (root: string): void => {
  mkdirSync(dirname(LAST), { recursive: true })
  writeFileSync(LAST, resolve(root))
}

/** As `saveRun`, for what later commands mean only when they name it. */
export const writeRun = (root: string, run: RunFile): void => {
  mkdirSync(root, { recursive: true })
  writeFileSync(join(root, 'run.json'), JSON.stringify(run, null, 2))
}

export const loadRun = (root: string): RunFile | undefined => {
  const path = join(root, 'run.json')
  if (!existsSync(path)) return undefined
  const parsed = runFile.safeParse(JSON.parse(readFileSync(path, 'utf8')))
  if (parsed.success) return parsed.data
  throw new KtError('KT5010', `"${path}" is not what a run writes: ${z.prettifyError(parsed.error)}`, {
    fix: 'Remove it; the next run writes it anew.',
  })
}

/** The data folder that a command means: the one it names, or that of the last run. */
export const dataFolder = (named: string | undefined): string => {
  if (named !== undefined) return resolve(named)
  if (process.env['KT_DATA'] !== undefined) return resolve(process.env['KT_DATA'])
  if (existsSync(LAST)) return readFileSync(LAST, 'utf8')
  throw new KtError('KT5011', 'there is no run to look at', {
    fix: 'Start one with npm start, or name its folder with --data.',
  })
}

/** The folder of a run that has begun, with what it left for later commands. */
export const runFolder = (named: string | undefined): { readonly root: string; readonly run: RunFile } => {
  const root = dataFolder(named)
  const run = loadRun(root)
  if (run !== undefined) return { root, run }
  throw new KtError('KT5011', 'there is no run to look at', {
    where: root,
    fix: 'Start one with npm start, or name its folder with --data.',
  })
}

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/
const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** `90s`, `5m`, `8h`, `7d` in milliseconds. */
export const durationMs = (text: string, flag: string): number => {
  const match = DURATION.exec(text)
  if (match !== null) return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]
  throw new KtError('KT6401', `"${text}" is not a duration`, {
    where: flag,
    fix: 'Write a number and a unit: 90s, 5m, 8h, 7d.',
  })
}

/** `2026-01-02`: a day that there is. */
export const dateOf = (text: string, flag: string): string => {
  if (z.iso.date().safeParse(text).success) return text
  throw new KtError('KT6417', `"${text}" is not a date`, { where: flag, fix: 'Write it as 2026-01-02.' })
}

/** A whole number within bounds. */
export const wholeNumber = (text: string, flag: string, least: number, most: number): number => {
  const value = Number(text)
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new KtError('KT6402', `"${text}" is not a whole number from ${least} to ${most}`, {
    where: flag,
    fix: 'Correct the flag.',
  })
}

/** One of a few words. */
export const oneOf = <const W extends string>(text: string, flag: string, words: readonly W[]): W => {
  const found = words.find((word) => word === text)
  if (found !== undefined) return found
  throw new KtError('KT6403', `"${text}" is not one of ${words.join(', ')}`, {
    where: flag,
    fix: `Use ${words.join(' or ')}.`,
  })
}

/** Faults of the simulated exchange, checked before anything starts. */
export const faultsOf = (text: string): Faults => {
  try {
    return parseFaults(text)
  } catch (error) {
    throw new KtError('KT6403', (error as Error).message, {
      where: '--faults',
      fix: 'Use none, calm, cruel, or single faults such as drop=0.01,gap=0.001.',
    })
  }
}
