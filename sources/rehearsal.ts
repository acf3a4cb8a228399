import type { SourceHost } from '../graph/source.ts'
import type { Intake } from './intake.ts'
import type { MarketRules } from './venue.ts'

/**
 * Read the examples of a market, so that its first messages find their shapes known and their code compiled:
 * else a shape is parsed until it has come twice, and scanned by code that the engine has yet to make fast.
 */
export const rehearse = ({ mappings }: MarketRules, { examples }: SourceHost, intake: Intake): void => {
  if (examples === undefined) return
  for (const file of mappings)
    for (const { part, bytes } of examples(file)) intake.reader(part)?.rehearse(bytes)
}
