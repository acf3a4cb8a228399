import { assert } from '../graph/error.ts'

/** So many rows a step of the sources has at most, so that a place in it takes 20 bits. */
export const CAUSES_MAX = 2 ** 20
const EMITTED_BITS = 11
const EMITTED_MAX = 2 ** EMITTED_BITS - 1

/**
 * `_order` of a row that follows from others: the place in the step of the source's row that it comes from in
 * the end, and how many such rows came before it. So all rows that a graph makes of a step have one order,
 * whatever shard made them and however its steps are cut. Beyond 2047 rows of one cause their topics and
 * partitions decide.
 */
export const orderOf = (cause: number, emitted: number): number => {
  assert(cause < CAUSES_MAX, 'a step of the sources has fewer rows than its places can say')
  return cause * (EMITTED_MAX + 1) + Math.min(emitted, EMITTED_MAX)
}

export const causeOf = (order: number): number => order >> EMITTED_BITS
export const emittedOf = (order: number): number => order & EMITTED_MAX
