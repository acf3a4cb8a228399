import { setImmediate as turn } from 'node:timers/promises'
import type { Plan, Stage } from '../graph/plan.ts'
import { Follower } from '../runtime/follower.ts'
import type { FollowerOptions } from '../runtime/options.ts'
import { shardOf } from '../runtime/producer.ts'

/** The shards of all stages that read topics, at work beside the one that reads sources. */
export interface Followers {
  /** Rejects when one of them cannot go on. */
  readonly failure: Promise<never>
  /** Once nothing more is written before them: consume what is left, save states, let go of the log. */
  readonly stop: () => Promise<void>
}

const WAIT_MS = 200

/** Recover and start a shard of each stage but the first, in the order in which they follow each other. */
export const startFollowers = async (
  graph: Plan,
  optionsOf: (shard: string, stage: Stage) => Omit<FollowerOptions, 'graph' | 'plan' | 'shard'>,
): Promise<Followers> => {
  const followers = graph.stages.slice(1).map((plan) => {
    const shard = shardOf(plan)
    return new Follower({ graph, plan, shard, ...optionsOf(shard, plan) })
  })
  for (const follower of followers) await follower.recover()
  let stopping = false
  const running = followers.map(async (follower) => {
    while (!stopping) {
      // A backlog is read in turns, so that sockets are heard in between.
      await follower.pump(WAIT_MS)
      await turn()
    }
  })
  // What went wrong is in `failure`.
  const quiet = running.map((one) => one.catch(() => {}))
  return {
    failure: Promise.race([new Promise<never>(() => {}), ...followers.map((one) => one.failure)]),
    stop: async () => {
      stopping = true
      await Promise.all(quiet)
      for (const follower of followers) await follower.stop()
    },
  }
}
