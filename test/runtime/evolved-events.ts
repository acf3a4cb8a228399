import {
  choice,
  count,
  flag,
  float,
  floats,
  int,
  micros,
  name,
  optional,
  schema,
  text,
} from '../../graph/schema.ts'
import type { AnySchema, Field } from '../../graph/schema.ts'
import { since, widened } from '../../graph/schema-versions.ts'

type AnyField = Field<never>

const missing = (of: AnyField): AnyField => optional(of) as unknown as AnyField

/** What a column was, and all that kt lets it become. */
export const WAYS: readonly (readonly [AnyField, AnyField])[] = (
  [
    [int('a'), int('a')],
    [int('a'), count('a')],
    [int('a'), float('a')],
    [count('a'), float('a')],
    [name('a'), text('a')],
    [choice('a', 'x', 'y'), choice('a', 'x', 'y', 'z')],
    [choice('a', 'x', 'y'), name('a')],
    [choice('a', 'x', 'y'), text('a')],
    [float('a'), float('a')],
    [micros('a'), micros('a')],
    [flag('a'), flag('a')],
  ] as unknown as readonly (readonly [AnyField, AnyField])[]
).flatMap(
  ([from, to]) =>
    [
      [from, to],
      [missing(from), missing(to)],
      [from, missing(to)],
    ] as const,
)

const BESIDE: Readonly<Record<string, AnyField>> = {
  list: floats('b') as unknown as AnyField,
  more: since(2, optional(float('c'))) as unknown as AnyField,
}

/** An event whose second version has a column more, and one that became another. */
export const evolved = (from: AnyField, to: AnyField): AnySchema =>
  schema('e' as never, 'an event', { ...BESIDE, one: from === to ? to : widened(2, from, to) } as never, 2)
