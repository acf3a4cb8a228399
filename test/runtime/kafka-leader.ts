import { leaderOf as leaderAt } from '../../runtime/driver/kafka-batches.ts'

/** The port of the broker that leads a partition; undefined: none does. `topic`: with its prefix. */
export const leaderOf = async (
  brokers: string,
  topic: string,
  partition = 0,
): Promise<number | undefined> => {
  const leader = await leaderAt({ brokers, tls: false }, { topic, partition })
  return leader === undefined ? undefined : Number(leader.split(':')[1])
}
