import { jsonLine } from './outcome.ts'

/** Texts that are read as numbers: none, and sizes. */
const COUNTED = /^(-|[\d.]+ [kMG]B)$/

/** What stands where there is no number to show. */
export const NONE = '-'

/** Bytes for people. */
export const sizeText = (bytes: number): string => {
  const [power, unit] = bytes < 1e6 ? [1e3, 'kB'] : bytes < 1e9 ? [1e6, 'MB'] : [1e9, 'GB']
  return `${(bytes / power).toFixed(1)} ${unit}`
}

/** Rows as text in columns: numbers to the right, words to the left. */
export const table = (heads: readonly string[], rows: readonly (readonly unknown[])[]): string => {
  const { head, line } = columnsFor(heads, rows)
  return [...head, ...rows.map(line)].join('\n')
}

/** Columns as wide as these rows need: their heads, and how a row is written, be it one of these or not. */
export const columnsFor = (
  heads: readonly string[],
  rows: readonly (readonly unknown[])[],
): { readonly head: readonly string[]; readonly line: (row: readonly unknown[]) => string } => {
  const widths = heads.map((head, at) =>
    rows.reduce((most, { [at]: value }) => Math.max(most, cell(value).length), head.length),
  )
  const right = heads.map((_, at) =>
    rows.every(
      ({ [at]: value }) => value == null || /number|bigint/.test(typeof value) || COUNTED.test(String(value)),
    ),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((text, at) => (right[at] === true ? text.padStart(widths[at]!) : text.padEnd(widths[at]!)))
      .join('  ')
      .trimEnd()
  return {
    head: [line(heads), line(widths.map((width) => '-'.repeat(width)))],
    line: (row) => line(row.map(cell)),
  }
}

const cell = (value: unknown): string => {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number')
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(10)))
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'object' ? jsonLine(value) : String(value)
}
