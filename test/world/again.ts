import type { AnyOperator } from '../../graph/operator.ts'
import { partitionOf } from '../../graph/topic.ts'
import type { AnyTopic } from '../../graph/topic.ts'
import type { Row } from './world.ts'

/** A row of the sources' shard, in the order in which it was made. */
export interface Made {
  readonly topic: AnyTopic
  readonly row: Row
}

/**
 * What an operator makes of the logged rows of the sources, computed again without the runtime, as it must
 * stand in the partitions of a topic.
 */
export const madeAgain = (
  operator: AnyOperator,
  made: readonly Made[],
  { partitions, key }: Pick<AnyTopic, 'partitions' | 'key'>,
): readonly (readonly Row[])[] => {
  const states = new Map<string, unknown>()
  const out = Array.from({ length: partitions }, (): Row[] => [])
  const [schema] = operator.outputs
  const emit = Object.fromEntries([
    ...operator.reports.map(({ name }) => [name, () => {}] as const),
    [schema!.name, (row: Row) => void out[partitionOf(key.of(row as never), partitions)]!.push({ ...row })],
  ])
  for (const { topic, row } of made) {
    const { name } = topic.schema
    const on = operator.on[name] as unknown as (state: unknown, row: Row, emit: object) => void
    if (on === undefined) continue
    const whole = topic.name === `kt.${name}` && (row['instrument'] ?? '') === ''
    const keys = whole ? [...states.keys()].toSorted() : [operator.key.of(row as never)]
    for (const one of keys) {
      if (!states.has(one)) states.set(one, operator.state.create(one))
      on(states.get(one), row, emit)
    }
  }
  return out
}
