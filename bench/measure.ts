import type { Result } from './goal/result.ts'

/** One of the ways to do the same work that are measured beside each other. */
export interface Way {
  readonly name: string
  /** Made anew for each round, outside of the clock. */
  readonly before?: () => void | Promise<void>
  /** What is timed. */
  readonly run: () => unknown
  /**
   * Units of work in one run, where they are fewer than the others': a slow way takes a part of the input.
   */
  readonly ops?: number
  /** As `Rounds.leastMs`, for this way. */
  readonly leastMs?: number
  /** Undo what a round left behind, outside of the clock. */
  readonly after?: () => void | Promise<void>
}

export interface Measured {
  readonly name: string
  readonly median: number
  readonly least: number
  readonly most: number
  /** One number a round, in the order of the rounds. */
  readonly rounds: readonly number[]
}

export interface Rounds {
  readonly rounds: number
  /** Units of work in one run. */
  readonly ops: number
  /** A round repeats a run that takes less than this. */
  readonly leastMs?: number
  /** Of the round before the first, where a run is made of so much code that it is warm late. */
  readonly warmMs?: number
  /** CPU time of the process, in nanoseconds a unit; or wall time, in units a second. */
  readonly by?: 'cpu' | 'rate'
  /** Where other processes work for this one: CPU time of all of them so far, nanoseconds. */
  readonly cpuNs?: () => number
}

/** CPU time of this process so far, with all its threads, nanoseconds. */
export const ownCpuNs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1000
}

/**
 * How long each way runs before the rounds that count: code is compiled and compiled again, shapes are
 * learned, memory is mapped. What a shard does in its first moments is another question (`goal/edge.ts`).
 */
const WARM_MS = 300

/**
 * Run every way once a round, in another order each round, so that what slows the machine slows all of
 * them. A long round before the first warms them up and does not count. The cost is the CPU time of the whole
 * process, with the threads of its libraries and its garbage collector: what neighbours take of the processor
 * does not count.
 */
export const measure = async (
  ways: readonly Way[],
  { rounds, ops, leastMs = 20, warmMs = WARM_MS, by = 'cpu', cpuNs = ownCpuNs }: Rounds,
): Promise<readonly Measured[]> => {
  const found = ways.map((): number[] => [])
  for (let round = -1; round < rounds; round++) {
    const atLeastMs = round < 0 ? Math.max(warmMs, leastMs) : leastMs
    for (const at of shuffled(ways.length)) {
      const way = ways[at]!
      const cost = await once(way, way.ops ?? ops, way.leastMs ?? atLeastMs, by, cpuNs)
      if (round >= 0) found[at]!.push(cost)
    }
  }
  return ways.map(({ name }, at) => measuredOf(name, found[at]!))
}

export const measuredOf = (name: string, rounds: readonly number[]): Measured => ({
  name,
  median: medianOf(rounds),
  least: Math.min(...rounds),
  most: Math.max(...rounds),
  rounds,
})

const once = async (
  way: Way,
  ops: number,
  leastMs: number,
  by: 'cpu' | 'rate',
  cpuNs: () => number,
): Promise<number> => {
  let [spentNs, wallMs, runs] = [0, 0, 0]
  while (runs === 0 || spentNs < leastMs * 1e6) {
    await way.before?.()
    const [cpu, wall] = [cpuNs(), performance.now()]
    const done = way.run()
    if (done instanceof Promise) await done
    spentNs += cpuNs() - cpu
    wallMs += performance.now() - wall
    runs += 1
    await way.after?.()
  }
  return by === 'cpu' ? spentNs / (ops * runs) : (ops * runs * 1000) / wallMs
}

const medianOf = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const shuffled = (count: number): readonly number[] => {
  const order = Array.from({ length: count }, (_, at) => at)
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1))
    ;[order[at], order[other]] = [order[other]!, order[at]!]
  }
  return order
}

/** The line of the table for one of ours beside one of theirs. */
export const resultOf = (
  about: Pick<Result, 'goal' | 'what' | 'unit'> & Partial<Result>,
  ours: Measured,
  theirs: Measured,
): Result => {
  const rate = about.unit.endsWith('/s')
  const factors = ours.rounds.map((one, round) => {
    const other = theirs.rounds[round]!
    return rate ? one / other : other / one
  })
  return {
    ours: ours.median,
    theirs: theirs.median,
    peer: theirs.name,
    oursSpread: [ours.least, ours.most],
    theirsSpread: [theirs.least, theirs.most],
    factor: medianOf(factors),
    ...about,
  }
}
