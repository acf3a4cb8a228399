import { createRequire } from 'node:module'
import * as Plot from '@observablehq/plot'
import { Resvg } from '@resvg/resvg-js'
import { Window } from 'happy-dom'
import { openLake } from '../cli/lake.ts'
import { dataFolder, foldersOf } from '../cli/settings.ts'
import type { LakeAnswer, LakeColumn, LakeReader } from '../sinks/driver/duckdb.ts'

export { Plot }

/** How a value shows itself in our runner and in Deno's kernel: as a bundle of MIME types. */
const DISPLAY = Symbol.for('Jupyter.display')
const SHOWN_ROWS = 20

/** The rows of an answer. As the value of a cell it is a table. */
export type Rows<R> = readonly R[] & { readonly columns: readonly LakeColumn[] }

/** What a question may have as a parameter; it becomes a literal, so a text cannot end the question. */
export type Parameter = string | number | bigint | boolean | Date | null

const readers = new Map<string, Promise<LakeReader>>()

/** The folder of the lake: `KT_LAKE`, or that of the last run. */
export const lake = (): string => process.env['KT_LAKE'] ?? foldersOf(dataFolder(undefined)).lake

const reader = (): Promise<LakeReader> => {
  const root = lake()
  const known = readers.get(root)
  if (known !== undefined) return known
  const opened = openLake(root)
  readers.set(root, opened)
  return opened
}

/**
 * Ask the lake: sql`SELECT * FROM funding_carry WHERE pair = ${pair}`. Times come as dates, in milliseconds,
 * because that is what charts take; ask for epoch_us(time) where microseconds matter. Whole numbers beyond
 * 2^53 come as bigints.
 */
export const sql = async <R = Readonly<Record<string, never>>>(
  parts: TemplateStringsArray,
  ...values: readonly Parameter[]
): Promise<Rows<R>> => {
  const text = parts.map((part, i) => (i === 0 ? part : `${literal(values[i - 1]!)}${part}`)).join('')
  const answer = await (await reader()).query(text)
  const times = new Set(
    answer.columns.filter(({ type }) => /^(TIMESTAMP|DATE)/.test(type)).map(({ name }) => name),
  )
  const rows = answer.rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        times.has(name) && value !== null ? new Date(String(value)) : value,
      ]),
    ),
  )
  return Object.assign(rows as R[], { columns: answer.columns, [DISPLAY]: () => tableOf(answer) })
}

const literal = (value: Parameter): string => {
  if (value === null) return 'NULL'
  if (value instanceof Date) return `TIMESTAMPTZ '${value.toISOString()}'`
  return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value)
}

/** A cell of a table, for people: six digits of a number, times without what is zero anyway. */
const shown = (value: unknown): string => {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number')
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)))
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return text.replace(
    /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.0+|(\.\d+))Z$/,
    (_, date: string, time: string, rest = '') => `${date} ${time}${String(rest)}`,
  )
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

const tableOf = ({ columns, rows }: LakeAnswer): Readonly<Record<string, string>> => {
  const names = columns.map(({ name }) => name)
  const body = rows.slice(0, SHOWN_ROWS).map((row) => names.map((name) => shown(row[name])))
  const more = rows.length > SHOWN_ROWS ? `${rows.length} rows, ${SHOWN_ROWS} shown` : ''
  const line = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`
  const lines = body.map((cells) => line(cells, 'td')).join('\n')
  const html = `<table>\n<thead>${line(names, 'th')}</thead>\n<tbody>\n${lines}\n</tbody>\n</table>`
  const plain = [names, ...body].map((cells) => cells.join('\t')).join('\n')
  return {
    'text/html': more === '' ? html : `${html}\n<p>${more}</p>`,
    'text/plain': more === '' ? plain : `${plain}\n${more}`,
  }
}

/**
 * A font of our own, so that a chart is the same picture on every machine; without it, whatever the machine
 * has.
 */
const font = (): { readonly fontFiles?: string[]; readonly loadSystemFonts: boolean } => {
  try {
    return {
      fontFiles: [createRequire(import.meta.url).resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf')],
      loadSystemFonts: false,
    }
  } catch {
    return { loadSystemFonts: true }
  }
}

/** A chart of Observable Plot as a picture, which GitHub shows too. */
export const chart = (options: Plot.PlotOptions): object => {
  const { document } = new Window()
  const style = { fontFamily: 'DejaVu Sans', background: 'white', ...(options.style as object | undefined) }
  const figure = Plot.plot({
    width: 800,
    height: 320,
    ...options,
    style,
    document,
  } as never) as unknown as Drawn
  const svg = figure.tagName.toLowerCase() === 'svg' ? figure : figure.querySelector('svg')
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  const picture = new Resvg(svg.outerHTML, {
    background: 'white',
    fitTo: { mode: 'zoom', value: 1.5 },
    font: { ...font(), defaultFontFamily: 'DejaVu Sans' },
  })
  const png = Buffer.from(picture.render().asPng()).toString('base64')
  return { [DISPLAY]: () => ({ 'image/png': png }) }
}

interface Drawn {
  readonly tagName: string
  readonly outerHTML: string
  readonly querySelector: (selector: string) => Drawn
  readonly setAttribute: (name: string, value: string) => void
}
