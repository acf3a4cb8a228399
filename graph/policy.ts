import type { Card } from './source.ts'

/**
 * What becomes of a message that the log cannot take in time. `drop`: nothing is lost for long, because the
 * next answer to the same question says it all again. `ticket`: it is dropped, and the row of its hole says
 * that the venue's history has it. `deadLetter`: the venue has no history of it, so the message itself is
 * kept aside.
 */
export type Policy = 'drop' | 'ticket' | 'deadLetter'

/** The policy that follows from a card, so that no graph can choose another. */
export const policyOf = ({ interaction, model, recoverable }: Card): Policy => {
  if (interaction === 'poll' && model === 'snapshot') return 'drop'
  return recoverable === 'none' ? 'deadLetter' : 'ticket'
}
