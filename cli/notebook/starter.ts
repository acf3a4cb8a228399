import { dirname, relative, resolve } from 'node:path'
import type { Cell, Notebook } from './document.ts'

const cell = (cell_type: Cell['cell_type'], id: string, source: string): Cell => ({
  cell_type,
  id,
  metadata: {},
  source,
  ...(cell_type === 'code' ? { outputs: [] } : {}),
})

/** What Jupyter and GitHub know the cells by: TypeScript for Deno's kernel. */
const METADATA = {
  kernelspec: { display_name: 'Deno', language: 'typescript', name: 'deno' },
  language_info: { name: 'typescript', file_extension: '.ts', mimetype: 'text/x.typescript' },
}

/** A notebook to begin with: a question, a table, a chart, and a value that `--check` compares. */
export const starter = (name: string, file: string): Notebook => {
  const kt = relative(dirname(file), resolve(import.meta.dirname, '../../notebooks/kt.ts'))
  const title = name.replaceAll('-', ' ')
  return {
    metadata: METADATA,
    cells: [
      cell('markdown', 'question', `# ${title[0]!.toUpperCase()}${title.slice(1)}\n\nWhat is the question?`),
      cell(
        'code',
        'rows',
        `import { chart, Plot, sql, utc } from '${kt.startsWith('.') ? kt : `./${kt}`}'

// Tables and views: docs/sql.md
const bars = await sql<{ start: Date; instrument: string; turnover: number; trades: number }>\`
  SELECT start, instrument, turnover, trades FROM bars(1)
  WHERE instrument IN (
    SELECT instrument FROM trade_in_base GROUP BY ALL ORDER BY sum(turnover) DESC, instrument LIMIT 3
  )
  ORDER BY start, instrument\`
bars`,
      ),
      cell(
        'code',
        'chart',
        `chart({
  title: 'Turnover a second of the three busiest instruments',
  grid: true,
  x: { label: 'UTC', labelArrow: 'none', tickFormat: utc },
  y: { label: null },
  marks: [Plot.lineY(bars, { x: 'start', y: 'turnover', stroke: 'instrument' })],
})`,
      ),
      cell('markdown', 'answer-text', '## The answer\n\nA number that `kt notebook run --check` compares.'),
      cell('code', 'answer', 'new Set(bars.map((row) => row.instrument)).size\n// expect: 3'),
    ],
  }
}
