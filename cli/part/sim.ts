import { servePart } from '../../deploy/driver/part.ts'
import { startSim } from '../../sources/driver/sim-server.ts'
import { parseFaults } from '../../sources/sim/fault.ts'

/** The simulated exchange as a process of a run. */
export interface SimSettings {
  readonly seed: number
  readonly pairs: number
  readonly rate: number
  readonly faults: string
  readonly truth: string | undefined
}

await servePart<SimSettings>(async ({ seed, pairs, rate, faults, truth }, parent) => {
  const sim = await startSim({
    seed,
    pairs,
    rate,
    faults: parseFaults(faults),
    ...(truth === undefined ? {} : { truthPath: truth }),
  })
  const timer = setInterval(() => parent.status(sim.stats()), 1000)
  return {
    facts: { endpoints: sim.endpoints },
    stop: async () => {
      clearInterval(timer)
      await sim.stop()
    },
  }
})
