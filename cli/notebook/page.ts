import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Cell, Notebook, Output } from './document.ts'
import { escaped, markdown } from './markdown.ts'

/** How a page looks: readable on any screen, light or dark, and on paper. */
const STYLE = `:root {
  color-scheme: light dark;
  --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --cell: #f6f8fa; --page: #fff;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9198a1; --line: #3d444d; --cell: #151b23; --page: #0d1117 }
}
body { margin: 2rem auto; max-width: 64rem; padding: 0 1rem; font: 16px/1.55 system-ui, sans-serif }
body { color: var(--ink); background: var(--page) }
h1, h2, h3 { line-height: 1.25; margin-top: 2rem }
code, pre { font: 13px/1.5 ui-monospace, 'DejaVu Sans Mono', monospace }
pre { background: var(--cell); border: 1px solid var(--line); border-radius: 6px }
pre { padding: .75rem 1rem; overflow-x: auto }
p code, li code { background: var(--cell); border-radius: 4px; padding: .1rem .3rem }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums }
table { margin: 1rem 0; display: block; overflow-x: auto }
th, td { border: 1px solid var(--line); padding: .25rem .6rem; white-space: nowrap }
th { background: var(--cell) }
img { max-width: 100%; border-radius: 6px }
details > summary { color: var(--soft); cursor: pointer; font-size: 13px }
.out { margin: .75rem 0 1.5rem }
.err { color: var(--soft) }`

/** Another kernel's output may hold scripts and addresses: none is run, and none is fetched. */
const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

/**
 * A notebook as one HTML file without scripts that loads nothing: pictures are in it. Code is folded away
 * behind its first line, because a reader comes for what it gave.
 */
export const writePage = (
  notebook: Notebook,
  out: string,
): { readonly bytes: number; readonly outputs: number } => {
  const body = notebook.cells.map(cellOf).join('\n')
  const title = /^#\s+(.+)$/m.exec(notebook.cells.find((cell) => cell.cell_type === 'markdown')?.source ?? '')
  const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width">
<title>${escaped(title?.[1] ?? 'Notebook')}</title>
<style>
${STYLE}
</style>
</head>
<body>
${body}
</body>
</html>
`
  mkdirSync(dirname(out), { recursive: true })
  writeFileSync(out, page)
  const outputs = notebook.cells.reduce((sum, cell) => sum + (cell.outputs?.length ?? 0), 0)
  return { bytes: Buffer.byteLength(page), outputs }
}

const cellOf = (cell: Cell): string => {
  if (cell.cell_type === 'markdown') return markdown(cell.source)
  if (cell.cell_type === 'raw') return `<pre>${escaped(cell.source)}</pre>`
  const lines = cell.source.split('\n')
  const summary = lines.find((line) => line.trim() !== '') ?? ''
  const head = `<summary><code>${escaped(summary)}</code></summary>`
  const code = `<details>${head}<pre>${escaped(cell.source)}</pre></details>`
  return [code, ...(cell.outputs ?? []).map((output) => `<div class="out">${outputOf(output)}</div>`)].join(
    '\n',
  )
}

/** The richest form that an output has. */
const outputOf = (output: Output): string => {
  if (output.output_type === 'stream')
    return `<pre${output.name === 'stderr' ? ' class="err"' : ''}>${escaped(textOf(output.text))}</pre>`
  const { 'image/png': png, 'text/html': html, 'text/plain': plain } = output.data
  if (png !== undefined) return `<img alt="chart" src="data:image/png;base64,${textOf(png).trim()}">`
  if (html !== undefined) return textOf(html)
  return `<pre>${escaped(textOf(plain ?? ''))}</pre>`
}

/** A file may hold a text as its lines. */
const textOf = (text: string | readonly string[]): string => (typeof text === 'string' ? text : text.join(''))
