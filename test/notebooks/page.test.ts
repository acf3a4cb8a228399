import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readNotebook } from '../../cli/notebook/document.ts'
import type { Cell } from '../../cli/notebook/document.ts'
import { markdown } from '../../cli/notebook/markdown.ts'
import { writePage } from '../../cli/notebook/page.ts'

const folder = mkdtempSync(join(tmpdir(), 'kt-page-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const pageOf = (...cells: readonly Cell[]): string => {
  const out = join(folder, 'deep', 'page.html')
  writePage({ cells, metadata: {} }, out)
  return readFileSync(out, 'utf8')
}
const code = (source: string, outputs: NonNullable<Cell['outputs']>): Cell => ({
  cell_type: 'code',
  id: 'c',
  metadata: {},
  source,
  outputs,
})

describe('Markdown', () => {
  test.each([
    ['# One\n## Two\ntext', '<h1>One</h1>\n<h2>Two</h2>\n<p>text</p>'],
    ['one\ntwo\n\nthree', '<p>one\ntwo</p>\n<p>three</p>'],
    ['- one\n  more\n- two', '<ul><li>one\n  more</li><li>two</li></ul>'],
    ['1. one\n2. two\n\ntext', '<ol><li>one</li><li>two</li></ol>\n<p>text</p>'],
    [
      '```ts\nconst a = `1` < 2\n\n# no heading\n```\nafter',
      '<pre>const a = `1` &lt; 2\n\n# no heading</pre>\n<p>after</p>',
    ],
    ['a *b* **c** `*d* <e>`', '<p>a <em>b</em> <strong>c</strong> <code>*d* &lt;e&gt;</code></p>'],
    ['> said\n> twice', '<blockquote>said\ntwice</blockquote>'],
    [
      '[kt](https://a.example/b) and [here](docs/sql.md)',
      '<p><a href="https://a.example/b">kt</a> and <a href="docs/sql.md">here</a></p>',
    ],
  ])('%j is %j', (source, html) => expect(markdown(source)).toBe(html))

  test.each([
    '<script>alert(1)</script>',
    '[x](javascript:alert(1))',
    '<img onerror=x src=y>',
    '[x](" onclick="y)',
  ])('%j stays text', (source) => expect(markdown(source)).not.toMatch(/<(script|img|a)\b/))
})

describe('a page', () => {
  test('shows tables, pictures, texts and what was written, and folds code away', () => {
    const page = pageOf(
      { cell_type: 'markdown', id: 'm', metadata: {}, source: '# What <is> it?' },
      code('const a = 1 < 2\na', [
        { output_type: 'stream', name: 'stderr', text: 'careful & slow\n' },
        { output_type: 'display_data', data: { 'text/plain': '1 < 2' }, metadata: {} },
        {
          output_type: 'execute_result',
          data: { 'text/html': '<table></table>', 'text/plain': 'a table' },
          metadata: {},
          execution_count: null,
        },
        { output_type: 'display_data', data: { 'image/png': 'aGk=' }, metadata: {} },
      ]),
    )
    expect(page).toContain('<title>What &lt;is&gt; it?</title>')
    expect(page).toContain('<summary><code>const a = 1 &lt; 2</code></summary>')
    expect(page).toContain('<pre class="err">careful &amp; slow')
    expect(page).toContain('<pre>1 &lt; 2</pre>')
    expect(page).toContain('<table></table>')
    expect(page).not.toContain('a table')
    expect(page).toContain('<img alt="chart" src="data:image/png;base64,aGk=">')
  })

  test('loads nothing and runs nothing', () => {
    const page = pageOf(
      ...readNotebook(join(import.meta.dirname, '../../notebooks/funding-carry.ipynb')).cells,
    )
    expect(page).toContain("default-src 'none'")
    expect(page).not.toMatch(/<script|<link|src="(?!data:)|url\(/)
    expect(page.match(/<img /g)).toHaveLength(2)
    expect(page.match(/<table>/g)!.length).toBeGreaterThan(2)
  })
})
