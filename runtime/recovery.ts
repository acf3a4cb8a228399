import { HostError } from '../graph/error.ts'
import type { Stage as StagePlan } from '../graph/plan.ts'
import type { Log, Partition } from '../graph/port.ts'
import type { Checkpoint } from './checkpoint.ts'
import { scanned } from './scan.ts'
import type { Stage } from './stage.ts'
import { StepRows } from './step-rows.ts'

const BYTES = 8_000_000

/**
 * Feed a shard's own logged rows through its operators, from the checkpoint's step to the last one, in the
 * order in which they first came: step by step, and within a step by `_order`. Returns how many rows were
 * fed.
 */
export const feedPast = async (
  stage: Stage,
  log: Log,
  checkpoint: Checkpoint | undefined,
  lastStep: number,
): Promise<number> => {
  const topics = new Map(stage.pastTopics().map((topic) => [topic.name, topic]))
  const ends = writtenBy(stage.plan, await log.ends()).filter(
    (end) => topics.has(end.topic) && end.next > end.first,
  )
  const from = ends.map((end) => {
    const known = checkpoint?.from.find((one) => one.topic === end.topic && one.partition === end.partition)
    const offset = known?.next ?? (checkpoint === undefined ? 0 : end.first)
    if (offset < end.first) throw passed(end.topic, offset, end.first)
    return { topic: end.topic, partition: end.partition, offset }
  })
  const wanted = from.filter((one) =>
    ends.some((end) => end.topic === one.topic && end.partition === one.partition && end.next > one.offset),
  )
  if (wanted.length === 0) return 0
  const reader = await log.read(wanted)
  let fed = 0
  const rows = new StepRows((step, { schema }, row) => {
    fed++
    stage.past(step, schema.name, row)
  })
  try {
    for (;;) {
      const seen = await scanned(reader, BYTES, 0, (record) => {
        if (record.shard !== stage.plan.name && !record.shard.startsWith(`${stage.plan.name}/`)) return
        if (record.step > lastStep) return
        rows.take(topics.get(record.topic)!, record)
      })
      if (seen === 0) break
    }
    rows.end()
  } finally {
    await reader.close()
  }
  return fed
}

/** Of all partitions those that a stage writes: of kt's own topics it has one each. */
export const writtenBy = <P extends Partition>(plan: StagePlan, all: readonly P[]): readonly P[] =>
  all.filter(({ topic, partition }) =>
    plan.writes.some(
      (write) => write.topic.name === topic && (write.from.length > 0 || partition === plan.partition),
    ),
  )

export const passed = (topic: string, offset: number, first: number): HostError =>
  new HostError('KT3002', `topic "${topic}" begins at offset ${first}, and the shard needs ${offset}`, {
    why: 'retention has removed rows that the states are made of',
    fix: 'Restore an older checkpoint, or remove the checkpoints and the log to start anew.',
    retry: 'never',
  })
