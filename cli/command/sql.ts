import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { KtError } from '../../graph/error.ts'
import { openRunLake } from '../lake.ts'
import { EXIT, jsonText, printLines, say } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { gone, openServer } from '../server.ts'
import { oneOf, runFolder } from '../settings.ts'
import type { RunFile } from '../settings.ts'
import { tableLines } from '../table.ts'

interface SqlOptions extends GlobalOptions {
  readonly on: string
  readonly file?: string
  readonly format: string
  readonly data?: string
}

interface Answer {
  readonly names: readonly string[]
  readonly rows: readonly (readonly unknown[])[]
}

/** Ask, and print the answer; how long it took goes to stderr. */
export const sql = async (query: string | undefined, options: SqlOptions): Promise<number> => {
  const on = oneOf(options.on, '--on', ['clickhouse', 'lake'])
  const format = oneOf(options.json === true ? 'json' : options.format, '--format', ['table', 'csv', 'json'])
  if (query === undefined && options.file === undefined && process.stdin.isTTY)
    say('reading SQL from the terminal; Ctrl-D on an empty line ends it')
  const asked = query ?? (options.file === undefined ? await text(process.stdin) : textOf(options.file))
  if (asked.trim() === '')
    throw new KtError('KT6407', 'there is no query', {
      fix: 'Write it behind kt sql, in a file (-f), or on standard input.',
    })
  const begun = performance.now()
  const { root, run } = runFolder(options.data)
  const { names, rows } = await (on === 'lake' ? askLake(root, run, asked) : askClickhouse(root, asked))
  const ms = Math.round(performance.now() - begun)
  if (format === 'json') await printLines(jsonLines(names, rows))
  else if (format === 'csv') await printLines(csvLines(names, rows))
  else if (names.length > 0) await printLines(tableLines(names, rows))
  if (options.quiet !== true && format === 'table')
    say(`${rows.length} row${rows.length === 1 ? '' : 's'} · ${ms} ms · ${on}`)
  return EXIT.ok
}

const textOf = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new KtError('KT6407', `there is no query: ${(cause as Error).message}`, {
      where: '-f',
      fix: 'Give the path of a file with SQL.',
      cause,
    })
  }
}

function* jsonLines(names: Answer['names'], rows: Answer['rows']): Generator<string, void, undefined> {
  if (rows.length === 0) return yield '[]'
  yield '['
  for (const [at, row] of rows.entries()) {
    const text = jsonText(Object.fromEntries(row.map((value, i) => [names[i]!, value])))
    yield `${text.replaceAll(/^/gm, '  ')}${at + 1 < rows.length ? ',' : ''}`
  }
  yield ']'
}

function* csvLines(names: Answer['names'], rows: Answer['rows']): Generator<string, void, undefined> {
  yield names.map(csvCell).join(',')
  for (const row of rows) yield row.map(csvCell).join(',')
}

const csvCell = (value: unknown): string => {
  if (value === null || value === undefined) return ''
  const cell = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}

const askLake = async (root: string, run: RunFile, query: string): Promise<Answer> => {
  const lake = await openRunLake(root, run)
  try {
    const { columns, rows } = await lake.query(query)
    const names = columns.map((column) => column.name)
    return { names, rows: rows.map((row) => names.map((name) => row[name])) }
  } finally {
    lake.close()
  }
}

/**
 * 64-bit integers come as text where a double could not hold them; see ClickHouse's
 * output_format_json_quote_64bit_integers.
 */
const askClickhouse = async (root: string, query: string): Promise<Answer> => {
  const server = await openServer(root)
  try {
    if (!/^\s*(select|with|show|describe|desc|explain|exists|\()/i.test(query)) {
      await server.client.command({ query })
      return { names: [], rows: [] }
    }
    const result = await server.client.query({ query, format: 'JSONCompact' })
    const { meta, data } = (await result.json()) as {
      meta: { name: string; type: string }[]
      data: unknown[][]
    }
    const whole = meta.map(({ type }) => /^(Nullable\()?U?Int64/.test(type))
    const rows = data.map((row) =>
      row.map((value, at) =>
        whole[at] === true && Number.isSafeInteger(Number(value)) && value !== null ? Number(value) : value,
      ),
    )
    return { names: meta.map((column) => column.name), rows }
  } catch (error) {
    if (error instanceof KtError) throw error
    throw (
      gone(error, server.url) ??
      new KtError(
        'KT5040',
        `ClickHouse refused the question: ${(error as Error).message.split(/\n|\. Expected one of:/)[0]!}`,
        {
          where: server.url,
          fix: 'See the tables with "show tables", and the columns of one with "describe trade".',
        },
      )
    )
  } finally {
    await server.close()
  }
}
