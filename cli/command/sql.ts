import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { KtError } from '../../graph/error.ts'
import { csvFormat, jsonFormat, tableFormat } from '../answer.ts'
import type { Answer, Format } from '../answer.ts'
import { openRunLake } from '../lake.ts'
import { EXIT, printPieces, say } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { gone, openServer } from '../server.ts'
import type { Server } from '../server.ts'
import { oneOf, runFolder } from '../settings.ts'
import type { RunFile } from '../settings.ts'

interface SqlOptions extends GlobalOptions {
  readonly on: string
  readonly file?: string
  readonly format: string
  readonly data?: string
}

const FORMATS: Readonly<Record<'table' | 'csv' | 'json', Format>> = {
  table: tableFormat,
  csv: csvFormat,
  json: jsonFormat,
}

/** Ask, and print the answer as it comes; how long it took goes to stderr. */
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
  let rows = 0
  let empty = false
  const print: Print = async ({ names, pieces }) => {
    empty = names.length === 0
    const counted = async function* () {
      for await (const piece of pieces) {
        rows += piece.length
        yield piece
      }
    }
    await printPieces(FORMATS[format]({ names, pieces: counted() }))
  }
  await (on === 'lake' ? askLake(root, run, asked, print) : askClickhouse(root, asked, print))
  if (options.quiet === true || format !== 'table') return EXIT.ok
  const ms = Math.round(performance.now() - begun)
  if (empty && on === 'lake') say('what a question makes is gone with it: the lake is only read through SQL')
  say(`${empty ? 'done' : `${rows} row${rows === 1 ? '' : 's'}`} · ${ms} ms · ${on}`)
  return EXIT.ok
}

type Print = (answer: Answer) => Promise<void>

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

const askLake = async (root: string, run: RunFile, query: string, print: Print): Promise<void> => {
  const lake = await openRunLake(root, run)
  try {
    const { columns, pieces } = await lake.stream(query)
    await print({ names: columns.map((column) => column.name), pieces })
  } finally {
    lake.close()
  }
}

const askClickhouse = async (root: string, query: string, print: Print): Promise<void> => {
  const server = await openServer(root)
  try {
    if (!/^\s*(select|with|show|describe|desc|explain|exists|\()/i.test(query)) {
      await server.client.command({ query })
      return await print({ names: [], pieces: none() })
    }
    await print(await selected(server, query))
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

async function* none(): Answer['pieces'] & AsyncGenerator {}

/** 64-bit integers come as text where a double could not hold them. */
const selected = async ({ client }: Server, query: string): Promise<Answer> => {
  const result = await client.query({
    query,
    format: 'JSONCompactEachRowWithNamesAndTypes',
    clickhouse_settings: { output_format_json_quote_64bit_integers: 1 },
  })
  const blocks = (async function* () {
    for await (const rows of result.stream<unknown[]>()) yield rows.map((row) => row.json<unknown[]>())
  })()
  const lines: unknown[][] = []
  while (lines.length < 2) {
    const { done, value } = await blocks.next()
    if (done === true) break
    lines.push(...value)
  }
  const [names = [], types = [], ...first] = lines as [string[]?, string[]?, ...unknown[][]]
  const whole = types.map((type) => /^(Nullable\()?U?Int64/.test(type))
  const plain = (row: readonly unknown[]): readonly unknown[] =>
    row.map((value, at) =>
      whole[at] === true && value !== null && Number.isSafeInteger(Number(value)) ? Number(value) : value,
    )
  const pieces = async function* () {
    yield first.map(plain)
    for await (const rows of blocks) yield rows.map(plain)
  }
  return { names, pieces: pieces() }
}
