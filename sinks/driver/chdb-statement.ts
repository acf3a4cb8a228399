import { refusal } from './chdb-engine.ts'

/**
 * What a request asks for.
 * - `insert`: rows follow the statement, from byte `rowsAt`, in `format` (undefined: the request's default
 *   format);
 * - `write`: an INSERT that brings no rows; `rows`: a read that can be streamed; `whole`: everything else.
 */
export type Statement =
  | {
      readonly kind: 'insert'
      readonly into: string
      readonly settings: string
      readonly format: string | undefined
      readonly rowsAt: number
    }
  | { readonly kind: 'write' | 'rows' | 'whole' }

/**
 * The setting that carries our query id: the engine gives queries ids of its own, and this one changes
 * nothing else.
 */
export const queryIdSetting = 'send_logs_source_regexp'

interface Token {
  readonly text: string
  readonly upper: string
  readonly start: number
  readonly end: number
  /** Parentheses open around it; an outer pair itself has depth 0. */
  readonly depth: number
}

const blank = /(?:\s+|--[^\n]*(?:\n|$)|#[! ][^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*/y
const piece =
  /[A-Za-z_]\w*|[\d.]+|'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"|`(?:[^`\\]|\\[\s\S])*`|[\s\S]/y
const read = new Set([
  'SELECT',
  'WITH',
  '(',
  'SHOW',
  'DESCRIBE',
  'DESC',
  'EXPLAIN',
  'EXISTS',
  'FROM',
  'VALUES',
])

/** Tokens of SQL, enough to find clauses: names, strings and comments are never mistaken for keywords. */
function* tokens(sql: string): Generator<Token> {
  let depth = 0
  let at = 0
  for (;;) {
    blank.lastIndex = at
    blank.test(sql)
    const start = blank.lastIndex
    piece.lastIndex = start
    const text = piece.exec(sql)?.[0]
    if (text === undefined) return
    at = piece.lastIndex
    if (text === ')') depth -= 1
    yield { text, upper: text.toUpperCase(), start, end: at, depth }
    if (text === '(') depth += 1
  }
}

/** The first token behind `INSERT INTO [TABLE | FUNCTION] name`. */
const behindName = (next: () => Token | undefined): Token | undefined => {
  let token = next()
  if (token?.upper === 'INTO') token = next()
  const called = token?.upper === 'FUNCTION'
  if (called || token?.upper === 'TABLE') token = next()
  token = next()
  while (token?.text === '.') {
    next()
    token = next()
  }
  if (!called) return token
  while (token !== undefined && !(token.text === ')' && token.depth === 0)) token = next()
  return next()
}

const utf8 = (sql: string, start: number, end: number) =>
  Buffer.from(sql.slice(start, end), 'latin1').toString('utf8')

/**
 * Blanks and one line end behind FORMAT belong to the statement; rows in the body start where the body
 * starts.
 */
const behindFormat = (sql: string, end: number, bodyAt: number): number => {
  if (end < bodyAt && /^[\s;]*$/.test(sql.slice(end, bodyAt))) return bodyAt
  const gap = /[ \t\f]*\r?\n?/y
  gap.lastIndex = end
  gap.test(sql)
  return gap.lastIndex
}

const insert = (sql: string, bodyAt: number, next: () => Token | undefined): Statement => {
  let settingsAt: number | undefined
  const split = (format: string | undefined, end: number, rowsAt: number): Statement => ({
    kind: 'insert',
    into: utf8(sql, 0, settingsAt ?? end),
    settings: settingsAt === undefined ? '' : utf8(sql, settingsAt, end),
    format,
    rowsAt,
  })
  for (let token = behindName(next); token !== undefined; token = next()) {
    if (token.depth > 0) continue
    if (token.upper === 'VALUES') return split('Values', token.start, token.end)
    if (token.upper === 'FORMAT') {
      const format = next()
      return format === undefined
        ? { kind: 'write' }
        : split(format.text, token.start, behindFormat(sql, format.end, bodyAt))
    }
    if (token.upper === 'SELECT' || token.upper === 'WITH') return reading(next)
    if (token.upper === 'FROM') {
      throw refusal(
        48,
        'NOT_IMPLEMENTED',
        'FROM INFILE is for clickhouse-client; send the rows as the request body',
      )
    }
    if (token.upper === 'SETTINGS') settingsAt = token.start
    else if (bodyAt > 0 && token.start >= bodyAt) return split(undefined, bodyAt, bodyAt)
  }
  return { kind: 'write' }
}

const reading = (next: () => Token | undefined): Statement => {
  let before = ''
  for (let token = next(); token !== undefined; token = next()) {
    if (before === 'INPUT' && token.text === '(') {
      throw refusal(
        48,
        'NOT_IMPLEMENTED',
        'the input() table function is not available; insert the rows with INSERT ... FORMAT',
      )
    }
    before = token.upper
  }
  return { kind: 'write' }
}

/**
 * Read the beginning of a request.
 * @param head bytes of `query parameter, newline, body`, as latin1 so that positions are byte positions
 * @param bodyAt where the body begins in it; 0 when there is no query parameter
 */
export const readStatement = (head: string, bodyAt: number): Statement => {
  const scan = tokens(head)
  const next = (): Token | undefined => scan.next().value ?? undefined
  const first = next()
  if (first?.upper === 'INSERT') return insert(head, bodyAt, next)
  if (first === undefined || !read.has(first.upper)) return { kind: 'whole' }
  let before = first.upper
  for (let token = next(); token !== undefined; token = next()) {
    if (before === 'INTO' && token.upper === 'OUTFILE') {
      throw refusal(
        48,
        'NOT_IMPLEMENTED',
        'INTO OUTFILE is for clickhouse-client; take the rows from the response',
      )
    }
    before = token.upper
  }
  return { kind: 'rows' }
}

/** The format a statement names itself, at its end or before its last settings; else undefined. */
export const formatOf = (sql: string): string | undefined => {
  const outer = [...tokens(sql)].filter(({ depth, text }) => depth === 0 && text !== ';')
  const at = outer.findLastIndex(({ upper }, index) => {
    const behind = outer[index + 2]?.upper
    return upper === 'FORMAT' && (behind === undefined || behind === 'SETTINGS')
  })
  return outer[at + 1] !== undefined && at >= 0 ? outer[at + 1]?.text : undefined
}

/**
 * Formats whose blocks can follow one another. The engine streams each block as a document of its own, so
 * what has a beginning or an end (JSON, Parquet, Arrow) is made whole first.
 */
const blockwise = new Set(
  `JSONEachRow NDJSON JSONLines JSONStringsEachRow JSONCompactEachRow JSONCompactStringsEachRow CSV
  TSV TabSeparated TSVRaw TabSeparatedRaw TSKV LineAsString RawBLOB RowBinary Native MsgPack Null`.split(
    /\s+/,
  ),
)

const named = /^(?:TSV|TabSeparated|JSONCompact(?:Strings)?EachRow)WithNames(AndTypes)?$/

/** Lines that every block of such a format begins with, and an answer has once: names, and types. */
export const headLines = (format: string): number => {
  const found = named.exec(format)
  if (found === null) return 0
  return found[1] === undefined ? 1 : 2
}

/** Whether rows in this format can be sent block by block. */
export const streams = (format: string): boolean => blockwise.has(format) || named.test(format)

/**
 * `KILL QUERY WHERE query_id = ...` means the id that the client gave, which the engine knows as a setting.
 */
export const withQueryIds = (sql: string): string => {
  if (!/^\s*kill\s+query\b/i.test(sql)) return sql
  const parts: string[] = []
  let at = 0
  for (const token of tokens(sql)) {
    if (token.upper !== 'QUERY_ID') continue
    parts.push(sql.slice(at, token.start), `Settings['${queryIdSetting}']`)
    at = token.end
  }
  return parts.join('') + sql.slice(at)
}
