import type { Goal } from './goals.ts'
import type { Result } from './goal/result.ts'

/** Below this part of its goal a line falls short; the table shows the measured factor whatever it is. */
const GATE = 0.7

type Verdict = 'holds' | 'within 70 %' | 'falls short' | 'told' | 'later' | 'failed'

/** A goal with what was measured, or why nothing was. */
export interface Outcome {
  readonly goal: Goal
  readonly results: readonly Result[]
  readonly seconds: number
  readonly failure?: string
}

const factorOf = ({ ours, theirs, unit, factor }: Result): number =>
  factor ?? (unit.endsWith('/s') ? ours / theirs : theirs / ours)

export const verdictOf = (goal: Goal, result: Result): Verdict => {
  const least = result.least ?? goal.least
  if (result.holds === false) return 'falls short'
  const factor = factorOf(result)
  if (least === 0 || Number.isNaN(factor)) return result.holds === true ? 'holds' : 'told'
  if (factor >= least) return 'holds'
  return factor >= GATE * least ? 'within 70 %' : 'falls short'
}

/** The table of all goals, in Markdown. */
export const tableOf = (outcomes: readonly Outcome[]): string =>
  [
    '| goal | input | kt | peer | measured | goal | verdict |',
    '|---|---|---:|---|---:|---:|---|',
    ...outcomes.flatMap(rowsOf),
  ].join('\n')

const rowsOf = ({ goal, results, failure }: Outcome): readonly string[] => {
  if (goal.later !== undefined) return [row(goal.name, goal.title, '', '', '', least(goal.least), goal.later)]
  const rows = results.map((result) => {
    const factor = factorOf(result)
    const { unit, note } = result
    return row(
      goal.name,
      result.what,
      amount(result.ours, result.oursSpread, unit),
      Number.isNaN(result.theirs)
        ? result.peer
        : `${result.peer}: ${amount(result.theirs, result.theirsSpread, unit)}`,
      Number.isNaN(factor) ? '' : `${digits(factor)}x`,
      least(result.least ?? goal.least),
      `${verdictOf(goal, result)}${note === undefined ? '' : `; ${note}`}`,
    )
  })
  if (failure !== undefined)
    rows.push(row(goal.name, goal.title, '', '', '', least(goal.least), `failed: ${failure}`))
  return rows
}

const row = (...cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ')).join(' | ')} |`

const least = (factor: number): string => (factor === 0 ? '' : `${digits(factor)}x`)

const amount = (median: number, spread: readonly [number, number] | undefined, unit: string): string => {
  const range =
    spread === undefined || spread[0] === spread[1] ? '' : ` (${digits(spread[0])}-${digits(spread[1])})`
  return Number.isNaN(median) ? '' : `${digits(median)}${range} ${unit}`
}

/** Three digits say all that a shared machine knows. */
const digits = (value: number): string =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)))
