/** What stands where there is no number to show. */
export const NONE = '-'

/** Rows as text in columns: numbers to the right, words to the left. */
export const table = (heads: readonly string[], rows: readonly (readonly unknown[])[]): string => {
  const texts = rows.map((row) => row.map(cell))
  const widths = heads.map((head, at) => Math.max(head.length, ...texts.map((row) => row[at]!.length)))
  const right = heads.map((_, at) =>
    rows.every(({ [at]: value }) => value == null || value === NONE || /number|bigint/.test(typeof value)),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((text, at) => (right[at] === true ? text.padStart(widths[at]!) : text.padEnd(widths[at]!)))
      .join('  ')
      .trimEnd()
  return [line(heads), line(widths.map((width) => '-'.repeat(width))), ...texts.map(line)].join('\n')
}

const cell = (value: unknown): string => {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number')
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(10)))
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
