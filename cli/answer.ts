import { jsonLine, jsonText } from './outcome.ts'
import { columnsFor } from './table.ts'

/** An answer as it comes: names of columns, and rows, many at a time. */
export interface Answer {
  /** None: there is nothing to print. */
  readonly names: readonly string[]
  readonly pieces: AsyncIterable<readonly (readonly unknown[])[]>
}

/** An answer as text, piece by piece as its rows come. */
export type Format = (answer: Answer) => AsyncGenerator<string, void, undefined>

/** An array of objects. */
export const jsonFormat: Format = async function* ({ names, pieces }) {
  let before = '[\n'
  for await (const rows of pieces) {
    if (rows.length === 0) continue
    const objects = rows.map((row) => {
      const text = jsonText(Object.fromEntries(row.map((value, i) => [names[i]!, value])))
      return text.replaceAll(/^/gm, '  ')
    })
    yield before + objects.join(',\n')
    before = ',\n'
  }
  yield before === ',\n' ? '\n]\n' : '[]\n'
}

/** RFC 4180, with line feeds. */
export const csvFormat: Format = async function* ({ names, pieces }) {
  if (names.length === 0) return
  yield `${names.map(csvCell).join(',')}\n`
  for await (const rows of pieces) yield lines(rows.map((row) => row.map(csvCell).join(',')))
}

/** So many rows say how wide the columns are; a later value that is wider moves those behind it. */
const SAMPLE = 10_000

/** Columns for people. */
export const tableFormat: Format = async function* ({ names, pieces }) {
  if (names.length === 0) return
  let sample: (readonly unknown[])[] = []
  let line: ((row: readonly unknown[]) => string) | undefined
  const begin = (): string => {
    const columns = columnsFor(names, sample)
    line = columns.line
    return lines([...columns.head, ...sample.map(columns.line)])
  }
  for await (const rows of pieces) {
    if (line !== undefined) {
      yield lines(rows.map(line))
      continue
    }
    sample = [...sample, ...rows]
    if (sample.length >= SAMPLE) yield begin()
  }
  if (line === undefined) yield begin()
}

const lines = (texts: readonly string[]): string => texts.map((text) => `${text}\n`).join('')

const csvCell = (value: unknown): string => {
  if (value === null || value === undefined) return ''
  const cell = typeof value === 'object' ? jsonLine(value) : String(value)
  return /[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}
