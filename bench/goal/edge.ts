import type { Measured } from '../measure.ts'
import { resultOf } from '../measure.ts'
import { beside } from '../service.ts'
import type { WorkloadName } from '../workload.ts'
import type { Result } from './result.ts'

const EDGES: readonly (readonly [WorkloadName, what: string, quick: number, full: number])[] = [
  ['wide', '1,000 symbols on one shard', 20_000, 150_000],
  ['burst', '200 symbols bursting together', 20_000, 150_000],
  ['cold', 'the first 2,000 frames of a process', 2_000, 2_000],
  ['drift', 'a venue that changes the shape of its messages', 10_000, 13_000],
]

/** Messages a second of one core. */
const rate = (cost: Measured): Measured => ({
  name: cost.name,
  median: 1e9 / cost.median,
  least: 1e9 / cost.most,
  most: 1e9 / cost.least,
  rounds: cost.rounds.map((one) => 1e9 / one),
})

/** The edges of real use, beside the naive pipeline: told, not judged. */
export const edge = async (quick: boolean): Promise<readonly Result[]> => {
  const results: Result[] = []
  for (const [workload, what, few, many] of EDGES) {
    const of = await beside(workload, quick ? few : many, quick ? 1 : 5)
    const [ours, theirs] = of('cpuNs')
    results.push(
      resultOf({ goal: 'edge', what, unit: 'messages/s' }, rate(ours), rate(theirs)),
      resultOf({ goal: 'edge', what: `${what}, p50`, unit: 'us' }, ...of('p50')),
      resultOf({ goal: 'edge', what: `${what}, p99`, unit: 'us' }, ...of('p99')),
      resultOf({ goal: 'edge', what: `${what}, p99.9`, unit: 'us' }, ...of('p999')),
      resultOf({ goal: 'edge', what: `${what}, resident memory`, unit: 'MB' }, ...of('rssMb')),
    )
  }
  return results
}
