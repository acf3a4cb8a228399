import type { Remade } from './opened-run.ts'
import { NONE, table } from './table.ts'

/** Are the rows other than those of the run? */
export const differs = ({ rebuilt, run }: Remade): boolean =>
  run !== undefined && run.digest !== rebuilt.digest

/** A line a topic: how many rows, and whether they are those of the run. */
export const remadeText = (remade: readonly Remade[]): string =>
  table(
    ['made again', 'rows', 'by the run', ''],
    remade.map((one) => [one.topic, one.rebuilt.rows, one.run?.rows ?? NONE, standing(one)]),
  )

const standing = (one: Remade): string => {
  if (one.run !== undefined) return differs(one) ? 'differs' : 'equal, row for row'
  return one.rebuilt.rows === 0 ? 'empty, as in the run' : 'new, the run has none'
}

/** What `kt verify` says of rows that were made again and are others. */
export const remadeFinding = ({ topic, rebuilt, run }: Remade): string =>
  `${topic}: what was made again (${rebuilt.rows} rows) is not what the run made (${run?.rows ?? 0} rows): ` +
  'the graph has changed since, or the first rows of what it is made of are gone'
