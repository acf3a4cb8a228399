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
/** DuckDB's types whose values stand to the right of a table's cell. */
const NUMBERS = /^(DOUBLE|FLOAT|DECIMAL|U?(TINY|SMALL|BIG|HUGE)?INT)/

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
  const aligns = columns.map(({ type }) => (NUMBERS.test(type) ? ' align="right"' : ''))
  const line = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell, at) => `<${tag}${aligns[at]!}>${escaped(cell)}</${tag}>`).join('')}</tr>`
  const lines = body.map((cells) => line(cells, 'td')).join('\n')
  const html = `<table>\n<thead>${line(names, 'th')}</thead>\n<tbody>\n${lines}\n</tbody>\n</table>`
  const plain = [names, ...body].map((cells) => cells.join('\t')).join('\n')
  return {
    'text/html': more === '' ? html : `${html}\n<p>${more}</p>`,
    'text/plain': more === '' ? plain : `${plain}\n${more}`,
  }
}

const fonts = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((file) =>
  createRequire(import.meta.url).resolve(`dejavu-fonts-ttf/ttf/${file}`),
)
const FONT = 'DejaVu Sans'
const INK = '#1f2328'
/** Told apart by people who see colours differently, and dark enough to be read on white. */
const COLORS = ['#0969da', '#bc4c00', '#1a7f37', '#8250df', '#a40e26', '#57606a']
const TITLE_PX = 26
const LEGEND_PX = 22
/** Letters of DejaVu Sans at 12 px are this wide on average, at most. */
const LETTER_PX = 7.2

/** A time of an axis in UTC, as short as it can be: `Jan 6`, `18:50`, `18:50:40`. */
export const utc = (time: Date): string => {
  const text = time.toISOString()
  if (text.endsWith('T00:00:00.000Z'))
    return time.toLocaleDateString('en', { month: 'short', day: 'numeric', timeZone: 'UTC' })
  return text.endsWith(':00.000Z') ? text.slice(11, 16) : text.slice(11, 19)
}

/**
 * A chart of Observable Plot as a picture, which GitHub shows too. It has its title and the names of its
 * colours above it, and is drawn with a font of our own, so that it is the same picture on every machine.
 */
export const chart = ({ title, ...options }: Plot.PlotOptions): object => {
  const { document } = new Window()
  const figure = Plot.plot({
    width: 800,
    height: 320,
    ...options,
    color: { range: COLORS, ...options.color },
    style: { fontFamily: FONT, fontSize: '12px', color: INK, ...(options.style as object | undefined) },
    document,
  } as never) as unknown as Drawn
  const drawn = figure.tagName.toLowerCase() === 'svg' ? figure : figure.querySelector('svg')
  const picture = new Resvg(framed(drawn, typeof title === 'string' ? title : '', legendOf(figure)), {
    background: 'white',
    fitTo: { mode: 'zoom', value: 1.5 },
    font: { fontFiles: fonts, loadSystemFonts: false, defaultFontFamily: FONT },
  })
  const png = Buffer.from(picture.render().asPng()).toString('base64')
  return { [DISPLAY]: () => ({ 'image/png': png }) }
}

/** What each colour stands for; nothing where colours are numbers, or there is one. */
const legendOf = (figure: Drawn): readonly (readonly [name: string, color: string])[] => {
  const { domain = [], range = [], type } = figure.scale('color') ?? {}
  if (type !== 'ordinal' || domain.length < 2) return []
  return domain.map((name, at) => [String(name), range[at % range.length] ?? INK])
}

/** The drawing below its title and legend, with room around it. */
const framed = (drawn: Drawn, title: string, legend: ReturnType<typeof legendOf>): string => {
  const [width, height] = [Number(drawn.getAttribute('width')), Number(drawn.getAttribute('height'))]
  const top = 12 + (title === '' ? 0 : TITLE_PX) + (legend.length === 0 ? 0 : LEGEND_PX)
  drawn.setAttribute('y', String(top))
  const line = top - 8
  let left = 12
  const names = legend.map(([name, color]) => {
    const at = left
    left += 22 + name.length * LETTER_PX + 14
    return (
      `<rect x="${at}" y="${line - 9}" width="16" height="4" rx="2" fill="${color}"/>` +
      `<text x="${at + 22}" y="${line - 3}" font-size="12">${escaped(name)}</text>`
    )
  })
  const heading = `<text x="12" y="26" font-size="14" font-weight="bold">${escaped(title)}</text>`
  const size = `width="${width}" height="${height + top}"`
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="${FONT}" fill="${INK}">` +
    `${title === '' ? '' : heading}${names.join('')}${drawn.outerHTML}</svg>`
  )
}

interface Drawn {
  readonly tagName: string
  readonly outerHTML: string
  readonly querySelector: (selector: string) => Drawn
  readonly getAttribute: (name: string) => string | null
  readonly setAttribute: (name: string, value: string) => void
  readonly scale: (name: string) =>
    | {
        readonly type?: string
        readonly domain?: readonly unknown[]
        readonly range?: readonly string[]
      }
    | undefined
}
