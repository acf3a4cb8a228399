import type { Operator } from '../graph/operator.ts'
import { stateless } from '../graph/operator.ts'
import type { Schema } from '../graph/schema.ts'
import type { Frame, FrameOf } from '../graph/source.ts'
import type { MarketEvent } from '../market/event.ts'
import { sequence } from './sequence.ts'

/**
 * Turn a venue's messages into events of the given schemas. The mapping is the source's own table (JSONata,
 * compiled); a frame that breaks it goes to the dead letters whole. Repeats are dropped and holes are
 * written to the gap ledger before an event goes on.
 */
export const normalize = <T extends readonly unknown[]>(
  ...schemas: { readonly [I in keyof T]: Schema<T[I]> }
): Operator<FrameOf<T[number]>, T[number], string> => {
  type Emitted = Readonly<Record<string, (event: object) => void>>
  // There is one set of outputs for all frames of a stage, so that there is one way to them.
  let outputs: Emitted = {}
  const put = (schema: string, row: object): void => outputs[schema]?.(row)
  const on = {
    frame: (_: unknown, frame: Frame<never>, emit: Emitted): void => {
      outputs = emit
      frame.read(put)
    },
  }
  const normalized = {
    name: `normalize.${schemas.map((schema) => schema.name).join('+')}`,
    inputs: [],
    outputs: schemas,
    reports: [],
    key: { name: 'frame', of: () => '', within: undefined },
    frames: true,
    followedBy: (schemas as readonly Schema<MarketEvent<string>>[]).map((schema) => sequence(schema)),
    state: stateless,
    on,
    options: {},
  }
  return Object.freeze(normalized) as unknown as Operator<FrameOf<T[number]>, T[number], string>
}
