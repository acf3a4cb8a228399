import type { Plan, Stage } from '../graph/plan.ts'
import type { Partition } from '../graph/port.ts'
import type { AnyTopic } from '../graph/topic.ts'

/** A shard whose rows another one reads, and where they lie. */
export interface Producer {
  readonly shard: string
  readonly partitions: readonly Partition[]
}

/** The shard of a stage: there is one of each. */
export const shardOf = (stage: Stage): string => `${stage.name}/0`

/** Whom a stage follows: the shard that reads the sources, and who writes the topics that it reads. */
export const producersOf = ({ stages }: Plan, stage: Stage): readonly Producer[] => {
  const writes = (one: Stage, topic: AnyTopic): boolean =>
    one.writes.some((write) => write.topic.name === topic.name && write.from.length > 0)
  const own = stage.reads.filter((topic) => stages.some((one) => writes(one, topic)))
  const system = stage.reads.filter((topic) => !own.includes(topic))
  return stages.flatMap((one, number) => {
    const written = own.filter((topic) => writes(one, topic))
    if (number > 0 && written.length === 0) return []
    const named = system.filter(({ schema }) => number === 0 || schema.name === 'control')
    return [
      {
        shard: shardOf(one),
        partitions: [
          ...written.flatMap(({ name, partitions }) =>
            Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
          ),
          ...named.map(({ name }) => ({ topic: name, partition: one.partition })),
        ],
      },
    ]
  })
}
