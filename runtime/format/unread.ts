import { HostError } from '../../graph/error.ts'
import type { Placed } from '../../graph/port.ts'

/** KT3001: bytes that are no event of this schema. `where`: the record, once somebody knows it. */
export const unread = (schema: string, why: string, where?: string, fix: string = STRANGE): HostError =>
  new HostError('KT3001', `a record of "${schema}" cannot be read`, {
    why,
    fix,
    retry: 'never',
    ...(where === undefined ? {} : { where }),
  })

const STRANGE =
  'The topic was written to by another program, or its registry holds another schema: run kt doctor.'

/** Where a record lies, for a person. */
export const placeOf = ({ topic, partition, offset }: Placed): string => `${topic}/${partition} at ${offset}`
