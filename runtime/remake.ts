import type { Rebuild } from '../graph/rebuild.ts'
import type { Stage } from '../graph/plan.ts'
import type { Partition } from '../graph/port.ts'
import { Follower } from './follower.ts'
import type { FollowerOptions } from './options.ts'
import { producersOf, shardOf } from './producer.ts'

/** The stages of a rebuild at work. */
export interface Remaking {
  /** Rejects when one of them cannot go on. */
  readonly failure: Promise<never>
  /** Consume what there is. False: nothing came within the time. */
  readonly pump: (waitMs: number) => Promise<boolean>
  /** Consume all up to the point at which the past ends, save the states, and let go of the log. */
  readonly stop: () => Promise<void>
}

/** Recover the stages of a rebuild, each behind those that it follows. */
export const remake = async (
  { plan: graph, runs }: Rebuild,
  optionsOf: (shard: string, stage: Stage) => Omit<FollowerOptions, 'graph' | 'plan' | 'shard'>,
): Promise<Remaking> => {
  const followers = runs.map((plan) => {
    const shard = shardOf(plan)
    return new Follower({ graph, plan, shard, ...optionsOf(shard, plan) })
  })
  for (const follower of followers) await follower.recover()
  return {
    failure: Promise.race([new Promise<never>(() => {}), ...followers.map((one) => one.failure)]),
    pump: async (waitMs) => {
      let moved = false
      for (const [at, follower] of followers.entries())
        moved = (await follower.pump(at === 0 && !moved ? waitMs : 0)) || moved
      return moved
    },
    stop: async () => {
      for (const follower of followers) await follower.stop()
    },
  }
}

/** The shards of the run that a rebuild reads, each with all the partitions that it writes. */
export const writersOf = ({ plan, runs }: Rebuild): readonly (readonly Partition[])[] => {
  const own = new Set(runs.map(shardOf))
  const read = new Set(runs.flatMap((stage) => producersOf(plan, stage)).map(({ shard }) => shard))
  return plan.stages
    .filter((stage) => read.has(shardOf(stage)) && !own.has(shardOf(stage)))
    .map(({ writes, partition }) =>
      writes.flatMap(({ topic, from }) =>
        from.length === 0
          ? [{ topic: topic.name, partition }]
          : Array.from({ length: topic.partitions }, (_, at) => ({ topic: topic.name, partition: at })),
      ),
    )
}
