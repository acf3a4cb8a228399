import { spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { globSync, readFileSync, rmSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { kt, killTree, pidOf, start } from '../e2e/command.ts'
import { holesIn } from '../e2e/holes.ts'
import { randomOf } from '../random.ts'
import type { StepClock } from './step-clock.ts'

/** What a fault does to a run, and to which of its processes. */
type Kind = 'kill' | 'stop' | 'tree' | 'disk' | 'broker' | 'clock'

export interface ChaosOptions {
  readonly faults: number
  readonly seed: number
  /** Where the run keeps everything. */
  readonly folder: string
  /** The folder is a disk of its own, which may be filled. */
  readonly disk: boolean
  /** The log is in Kafka, where a broker that leads may be killed; `die` returns when it is up again. */
  readonly kafka?: {
    readonly environment: Readonly<Record<string, string>>
    readonly die: () => Promise<void>
  }
  /** The wall clock of all that runs, the exchange excepted, may be set. */
  readonly clock?: StepClock | undefined
  readonly say: (text: string) => void
}

export interface ChaosReport {
  /** How often what was done to whom: `kill shard`. */
  readonly faults: Readonly<Record<string, number>>
  /** From each kill of the shard until the log grew again, milliseconds, sorted. */
  readonly recoveryMs: readonly number[]
  readonly trades: number
  /** Places where ids of trades do not go on, and those of them that no gap row explains. */
  readonly holes: number
  readonly unexplained: number
  /** What `kt verify all` found beside the gaps that are in the ledger. */
  readonly findings: readonly string[]
}

/** The processes of a run, by a word of their command line. */
const PARTS = {
  shard: 'part/shard.ts',
  'sink-clickhouse': 'part/clickhouse.ts',
  'sink-lake': 'part/lake.ts',
  clickhouse: 'chdb-front.ts',
} as const
type Part = keyof typeof PARTS

type Fault = readonly [share: number, kind: Kind, part: Part | undefined]

/** Of a hundred faults, so many are of this kind. */
const MIX: readonly Fault[] = [
  [28, 'kill', 'shard'],
  [13, 'kill', 'sink-clickhouse'],
  [13, 'kill', 'sink-lake'],
  [13, 'kill', 'clickhouse'],
  [6, 'stop', 'shard'],
  [4, 'stop', 'sink-clickhouse'],
  [4, 'stop', 'sink-lake'],
  [4, 'stop', 'clickhouse'],
  [5, 'tree', undefined],
  [3, 'disk', undefined],
  [7, 'clock', undefined],
]
const nameOf = (kind: Kind, part: Part | undefined): string => (part === undefined ? kind : `${kind} ${part}`)

/** What is done to processes of a run, by the names in a report: that is possible everywhere. */
export const PROCESS_FAULTS: readonly string[] = MIX.flatMap(([, kind, part]) =>
  part === undefined && kind !== 'tree' ? [] : [nameOf(kind, part)],
)

/** How far the wall clock is from the right time after a step, seconds. */
const STEPS_S = [-3600, -30, -2, 0, 2, 30, 3600] as const
/** Where there are brokers, one takes the place of so many of them. */
const BROKER: Fault = [8, 'broker', undefined]
const SETTLE_MS = 15_000
const REST_BYTES = 1 << 18

/**
 * A run under load, and faults one after the other: processes are killed with -9 or stand still for some
 * seconds, the whole tree dies, the disk is full for a while, the wall clock is set by seconds or an hour, on
 * and back; the exchange tears connections all the time.
 * Then the run drains, and what the log, ClickHouse and the lake hold is compared row for row.
 */
export const chaos = async (options: ChaosOptions): Promise<ChaosReport> => {
  const { faults, folder, seed, say } = options
  const draw = randomOf(seed)
  const counts: Record<string, number> = {}
  const recoveryMs: number[] = []
  let run = begin(options)
  try {
    await ready(options)
    for (const [at, [, kind, part]] of planned(options, draw).entries()) {
      await pause(800 + draw(2500))
      const what = nameOf(kind, part)
      counts[what] = (counts[what] ?? 0) + 1
      const pid = part === undefined ? 0 : await alive(part, folder)
      const before = Date.now()
      if (kind === 'tree') {
        killTree(run)
        run = begin(options)
        await ready(options)
      } else if (kind === 'broker') await options.kafka!.die()
      else if (kind === 'clock') {
        options.clock!.set(STEPS_S[draw(STEPS_S.length)]!)
        await grown(options)
      } else if (kind === 'disk') await full(folder, 500 + draw(3000))
      else if (kind === 'stop') await stop(pid, 300 + draw(6000))
      else {
        await kill(pid)
        if (part === 'shard') {
          await grown(options)
          recoveryMs.push(Date.now() - before)
        }
      }
      say(`${at + 1}/${faults} ${what}, ${Date.now() - before} ms`)
    }
    await pause(SETTLE_MS)
    process.kill(run.pid!, 'SIGINT')
    await new Promise((ended) => run.once('close', ended))
  } finally {
    killTree(run)
  }
  return { faults: counts, recoveryMs: recoveryMs.toSorted((a, b) => a - b), ...(await proof(folder)) }
}

const begin = ({ folder, kafka, clock }: ChaosOptions): ChildProcess => {
  const where = ['--source', 'sim', '--data', folder, '--port', '0']
  const load = ['--pairs', '12', '--rate', '1500', '--faults', 'calm']
  const environment = { ...kafka?.environment, ...clock?.environment }
  return start(['graph', 'run', ...where, ...load], environment).child
}

/** Each fault that can be, once, in an order that the seed decides; then the rest at random. */
const planned = (options: ChaosOptions, draw: (n: number) => number): readonly Fault[] => {
  const left = [BROKER, ...MIX].filter(([, kind]) => possible(kind, options))
  return Array.from({ length: options.faults }, () =>
    left.length > 0 ? left.splice(draw(left.length), 1)[0]! : drawn(draw(100), options),
  )
}

const possible = (kind: Kind, { disk, kafka, clock }: ChaosOptions): boolean =>
  (kind !== 'disk' || disk) &&
  (kind !== 'clock' || clock !== undefined) &&
  (kind !== 'broker' || kafka !== undefined)

const drawn = (number: number, options: ChaosOptions): Fault => {
  if (options.kafka !== undefined && number < BROKER[0]) return BROKER
  let rest = number
  for (const one of MIX) {
    rest -= one[0]
    if (rest < 0) return possible(one[1], options) ? one : MIX[0]!
  }
  return MIX[0]!
}

const kill = async (pid: number): Promise<void> => {
  process.kill(pid, 'SIGKILL')
  while (runs(pid)) await pause(5)
}

/** It may be gone between two looks at it, and a zombie does nothing any more. */
const runs = (pid: number): boolean => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z')
  } catch {
    return false
  }
}

const stop = async (pid: number, ms: number): Promise<void> => {
  process.kill(pid, 'SIGSTOP')
  await pause(ms)
  process.kill(pid, 'SIGCONT')
}

/** A part that died of the fault before comes back within some seconds. */
const alive = async (part: Part, folder: string): Promise<number> => {
  for (const until = Date.now() + 60_000; Date.now() < until; await pause(50)) {
    const pid = pidOf(PARTS[part], folder)
    if (pid !== undefined) return pid
  }
  throw new Error(`${part} did not come back within a minute: ${folder}/logs may say why`)
}

const full = async (folder: string, ms: number): Promise<void> => {
  const ballast = join(folder, 'ballast')
  // The run writes on meanwhile, and fills the rest itself.
  const { bavail, bsize } = statfsSync(folder)
  spawnSync('fallocate', ['-l', String(Math.max(bavail * bsize - REST_BYTES, bsize)), ballast])
  await pause(ms)
  rmSync(ballast, { force: true })
}

/** Grows when the log does. */
const logSize = async ({ folder, kafka }: ChaosOptions): Promise<number> => {
  if (kafka === undefined) return logBytes(folder)
  const { out } = await kt('topic', 'ls', '--data', folder, '--json')
  const ends = out.startsWith('[') ? (JSON.parse(out) as readonly { readonly next: number }[]) : []
  return ends.reduce((sum, { next }) => sum + next, 0)
}

const logBytes = (folder: string): number =>
  globSync(join(folder, 'log/*.segment')).reduce((sum, file) => {
    try {
      return sum + statSync(file).size
    } catch {
      return sum
    }
  }, 0)

/** Wait until the log grows. */
const grown = async (options: ChaosOptions): Promise<void> => {
  const before = await logSize(options)
  for (const until = Date.now() + 90_000; (await logSize(options)) <= before; await pause(10))
    if (Date.now() > until) throw new Error(`the log has not grown: ${options.folder}/logs may say why`)
}

const ready = async (options: ChaosOptions): Promise<void> => {
  const { folder } = options
  for (const until = Date.now() + 60_000; pidOf(PARTS['sink-lake'], folder) === undefined; await pause(50))
    if (Date.now() > until) throw new Error('the run did not begin within a minute')
  await grown(options)
}

const proof = async (
  folder: string,
): Promise<Pick<ChaosReport, 'trades' | 'holes' | 'unexplained' | 'findings'>> => {
  const { out, err } = await kt('verify', 'all', '--data', folder, '--json')
  if (out === '') throw new Error(err)
  const { findings, topics } = JSON.parse(out) as {
    readonly findings: readonly string[]
    readonly topics: readonly { readonly topic: string; readonly log: number }[]
  }
  const trades = topics.find(({ topic }) => topic === 'trade')?.log ?? 0
  // What an exchange sent to a shard that was dead is missing, and the gap ledger says so.
  const wrong = findings.filter((one) => !/ ids are missing in \d+ proven gaps /.test(one))
  return { findings: wrong, trades, ...(await holesIn(folder)) }
}
