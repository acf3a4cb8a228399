import { kt } from './command.ts'

/** Trades whose ids are not one more than the last of their instrument, and those that no gap row explains. */
const HOLES = `
  WITH t AS (
    SELECT instrument, first, lag(first) OVER (PARTITION BY instrument ORDER BY _part, _off, _row) AS before
    FROM trade WHERE first IS NOT NULL
  )
  SELECT count(*) AS holes, count(*) FILTER (WHERE NOT EXISTS (
    SELECT 1 FROM gap WHERE gap.instrument = t.instrument AND gap.channel = 'trade' AND gap.event = 'opened'
      AND gap.first = t.before + 1 AND gap.last = t.first - 1)) AS unexplained
  FROM t WHERE before IS NOT NULL AND first <> before + 1`

/** What the lake of a run has of holes at the socket. */
export const holesIn = async (
  data: string,
): Promise<{ readonly holes: number; readonly unexplained: number }> => {
  const { out, err } = await kt('sql', '--on', 'lake', '--json', HOLES, '--data', data)
  if (out === '') throw new Error(err)
  const [found] = JSON.parse(out) as readonly { readonly holes: number; readonly unexplained: number }[]
  return { holes: Number(found!.holes), unexplained: Number(found!.unexplained) }
}
