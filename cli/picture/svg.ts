import type { Described } from '../../graph/describe.ts'
import { layout } from './layout.ts'
import type { Box, Edge } from './layout.ts'

/** Colours of a page that is light, and of one that is dark. */
const STYLE = `
  svg { --page: #fff; --ink: #1f2328; --soft: #59636e; --edge: #9aa4af }
  svg { --source: #ddf4ff; --source-line: #0969da; --operator: #fbefff; --operator-line: #8250df }
  svg { --topic: #dafbe1; --topic-line: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    svg { --page: #0d1117; --ink: #e6edf3; --soft: #9198a1; --edge: #57606a }
    svg { --source: #0c1f3a; --source-line: #4493f8; --operator: #231a3d; --operator-line: #ab7df8 }
    svg { --topic: #0f2a1a; --topic-line: #3fb950 }
  }
  text { font: 13px ui-sans-serif, system-ui, 'DejaVu Sans', sans-serif; fill: var(--ink) }
  .soft { fill: var(--soft); font-size: 12px }
  .title { font-weight: 600 }
  .edge { fill: none; stroke: var(--edge); stroke-width: 1.5 }
  .source { fill: var(--source); stroke: var(--source-line) }
  .operator { fill: var(--operator); stroke: var(--operator-line) }
  .topic { fill: var(--topic); stroke: var(--topic-line) }`

const ROOM = 24
const HEAD = 34

/** A graph as a picture for a page: from the markets on the left to the topics, and what stores them. */
export const svg = (described: Described): string => {
  const drawn = layout(described)
  const width = Math.ceil(drawn.width + 2 * ROOM)
  const height = Math.ceil(drawn.height + 2 * ROOM + HEAD)
  const heads = [
    [0, 'exchanges'],
    [drawn.columns[1] ?? 0, 'operators, in one thread'],
    [drawn.columns.at(-1)!, 'topics, and who stores them'],
  ] as const
  const caption = ([x, text]: readonly [number, string]): string =>
    `<text class="soft" x="${x}" y="-14">${text}</text>`
  const size = `width="${width}" height="${height}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${width} ${height}">
<title>graph ${escaped(described.graph)}</title>
<style>${STYLE}
</style>
<rect ${size} rx="8" fill="var(--page)"/>
<g transform="translate(${ROOM} ${ROOM + HEAD})">
${[...heads.map(caption), ...drawn.edges.map(edge), ...drawn.boxes.map(box)].join('\n')}
</g>
</svg>
`
}

const round = (value: number): string => String(Math.round(value * 10) / 10)

/** Every second piece is a straight one through a column; the others bend from one height to the next. */
const edge = ({ points }: Edge): string => {
  const [[startX, startY], ...rest] = points as readonly [readonly [number, number], ...[number, number][]]
  let [x, y] = [startX, startY]
  const pieces = rest.map(([toX, toY]) => {
    const half = (x + toX) / 2
    const piece = `C${round(half)} ${round(y)} ${round(half)} ${round(toY)} ${round(toX)} ${round(toY)}`
    ;[x, y] = [toX, toY]
    return piece
  })
  return `<path class="edge" d="M${round(startX)} ${round(startY)}${pieces.join('')}"/>`
}

const box = ({ kind, title, lines, x, y, width, height }: Box): string => {
  const at = `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"`
  const shape = `<rect class="${kind}" ${at} rx="${kind === 'topic' ? 15 : 6}"/>`
  const name = `<text class="title" x="${round(x + 13)}" y="${round(y + 20)}">${escaped(title)}</text>`
  if (kind === 'topic') {
    return `${shape}${name}${toRight(x + width - 13, y + 20, lines.join(' · '))}`
  }
  return [shape, name, ...lines.map((line, i) => toRight(x + width - 12, y + 44 + 20 * i, line))].join('')
}

const toRight = (x: number, y: number, text: string): string =>
  `<text class="soft" x="${round(x)}" y="${round(y)}" text-anchor="end">${escaped(text)}</text>`

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
