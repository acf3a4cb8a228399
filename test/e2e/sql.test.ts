import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { kt, temporary } from './command.ts'

const ROWS = 200_000
const QUESTION = `select i, 'row, ' || i as name, case when i = 7 then null else i end as odd from range(${ROWS}) r(i)`

const READ = {
  json: (out: string) => JSON.parse(out) as unknown[],
  csv: (out: string) => out.trimEnd().split('\n').slice(1),
  table: (out: string) => out.trimEnd().split('\n').slice(2),
} as const

test.each([
  ['json', { i: 7, name: 'row, 7', odd: null }],
  ['csv', '7,"row, 7",'],
  ['table', '     7  row, 7'],
] as const)('an answer of many rows is printed whole as %s', async (format, seventh) => {
  using folder = temporary()
  const run = { graph: 'basis', file: resolve('graph/basis.ts'), source: 'sim', plan: null }
  writeFileSync(join(folder.path, 'run.json'), JSON.stringify(run))
  const { code, out, err } = await kt(
    'sql',
    '--on',
    'lake',
    QUESTION,
    '--format',
    format,
    '--data',
    folder.path,
  )
  expect(code, err).toBe(0)
  const rows = READ[format](out)
  expect(rows).toHaveLength(ROWS)
  expect(rows[7]).toEqual(seventh)
})

test('an answer without rows is an empty list, and the names of its columns', async () => {
  using folder = temporary()
  const run = { graph: 'basis', file: resolve('graph/basis.ts'), source: 'sim', plan: null }
  writeFileSync(join(folder.path, 'run.json'), JSON.stringify(run))
  const ask = (format: string) =>
    kt('sql', '--on', 'lake', 'select 1 as one where false', '--format', format, '--data', folder.path)
  expect((await ask('json')).out).toBe('[]\n')
  expect((await ask('csv')).out).toBe('one\n')
  expect((await ask('table')).out).toBe('one\n---\n')
})
