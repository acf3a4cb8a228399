import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { killTree, kt, start, temporary } from './command.ts'

const ROWS = 200_000
const QUESTION = `select i, 'row, ' || i as name, case when i = 7 then null else i end as odd from range(${ROWS}) r(i)`

const READ = {
  json: (out: string) => JSON.parse(out) as unknown[],
  csv: (out: string) => out.trimEnd().split('\n').slice(1),
  table: (out: string) => out.trimEnd().split('\n').slice(2),
} as const

const runIn = (path: string): readonly string[] => {
  const run = { graph: 'basis', file: resolve('graph/basis.ts'), source: 'sim', plan: null }
  writeFileSync(join(path, 'run.json'), JSON.stringify(run))
  return ['--data', path]
}

test.each([
  ['json', { i: 7, name: 'row, 7', odd: null }],
  ['csv', '7,"row, 7",'],
  ['table', '    7  row, 7'],
] as const)('an answer of many rows is printed whole as %s', async (format, seventh) => {
  using folder = temporary()
  const { code, out, err } = await kt(
    'sql',
    '--on',
    'lake',
    QUESTION,
    '--format',
    format,
    ...runIn(folder.path),
  )
  expect(code, err).toBe(0)
  const rows = READ[format](out)
  expect(rows).toHaveLength(ROWS)
  expect(rows[7]).toEqual(seventh)
})

/** Too little for all of the rows at once. */
const HEAP = { NODE_OPTIONS: '--max-old-space-size=96' }
const MANY = 1_000_000

test.each([
  ['lake', 'csv', `select i, i + 1 as j, i * 2 as k from range(${MANY}) r(i)`],
  ['lake', 'table', `select i, i + 1 as j, i * 2 as k from range(${MANY}) r(i)`],
  ['lake', 'json', `select i, i + 1 as j, i * 2 as k from range(${MANY}) r(i)`],
  ['clickhouse', 'csv', `select number as i, i + 1 as j, i * 2 as k from numbers(${MANY})`],
])('more rows than memory holds are printed as they come, from %s as %s', async (on, format, question) => {
  using folder = temporary()
  const at = runIn(folder.path)
  const { child, ended } = start(['sql', '--on', on, '--format', format, question, ...at], HEAP)
  child.stdout!.removeAllListeners('data')
  let lines = 0
  child.stdout!.on('data', (text: string) => (lines += text.split('\n').length - 1))
  const { code, err } = await ended
  expect(code, err).toBe(0)
  expect(lines).toBe({ csv: MANY + 1, table: MANY + 2, json: 5 * MANY + 2 }[format])
})

test.each([
  ['lake', 'select * from range(1000000000000)'],
  ['clickhouse', 'select number from numbers(1000000000000)'],
])('an answer without end from %s ends with its reader', async (on, question) => {
  using folder = temporary()
  const { child, ended } = start(['sql', '--on', on, question, ...runIn(folder.path)])
  child.stdout!.once('data', () => child.stdout!.destroy())
  const patience = setTimeout(() => killTree(child), 30_000)
  const { code, err } = await ended
  clearTimeout(patience)
  expect({ code, err }).toEqual({ code: 0, err: '' })
})

test('a statement without an answer says that what it makes does not last', async () => {
  using folder = temporary()
  const { code, out, err } = await kt('sql', '--on', 'lake', 'create table x (a int)', ...runIn(folder.path))
  expect({ code, out }).toEqual({ code: 0, out: '' })
  const csv = await kt(
    'sql',
    '--on',
    'lake',
    '--format',
    'csv',
    'create table x (a int)',
    ...runIn(folder.path),
  )
  expect(csv).toEqual({ code: 0, out: '', err: '' })
  expect(err).toMatch(/only read through SQL[^]*done/)
})

test('whole numbers beyond a double are as exact within lists and structs, and a return is no end of a line', async () => {
  using folder = temporary()
  const at = runIn(folder.path)
  const question =
    "select [9007199254740993, 1] as a, {'x': 9007199254740993} as b, 'c' || chr(13) || 'd' as c"
  const ask = async (format: string) =>
    (await kt('sql', '--on', 'lake', question, '--format', format, ...at)).out.trimEnd().split('\n')
  expect((await ask('csv'))[1]).toBe('"[""9007199254740993"",1]","{""x"":""9007199254740993""}","c\rd"')
  expect((await ask('table'))[2]).toBe('["9007199254740993",1]  {"x":"9007199254740993"}  c\rd')
  const [row] = JSON.parse((await ask('json')).join('\n')) as readonly object[]
  expect(row).toEqual({ a: ['9007199254740993', 1], b: { x: '9007199254740993' }, c: 'c\rd' })
})

test('an answer without rows is an empty list, and the names of its columns', async () => {
  using folder = temporary()
  const at = runIn(folder.path)
  const ask = (format: string) =>
    kt('sql', '--on', 'lake', 'select 1 as one where false', '--format', format, ...at)
  expect((await ask('json')).out).toBe('[]\n')
  expect((await ask('csv')).out).toBe('one\n')
  expect((await ask('table')).out).toBe('one\n---\n')
})
