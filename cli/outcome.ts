import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { styleText } from 'node:util'
import { KtError } from '../graph/error.ts'
import { plainError } from '../deploy/driver/part.ts'

/** How a command ended, for scripts: `kt --help` prints this table. */
export const EXIT = Object.freeze({
  ok: 0,
  failed: 1,
  findings: 2,
  usage: 64,
  graph: 65,
  unreachable: 69,
  late: 75,
  interrupted: 130,
})

export const exitCodes = `0    done
1    failed
2    done, and there is something to look at: a plan with changes, a verify with findings
64   the command line cannot be understood
65   the graph cannot be right
69   a service that is needed cannot be reached
75   timed out, try again
130  interrupted`

/** Flags that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly color?: boolean
}

/** What to type for kt in this folder: a graph may stand in one of its own, where kt is a package. */
export const command = (): string => {
  if (existsSync('bin/kt')) return 'bin/kt'
  return existsSync('node_modules/kt') ? 'npx kt' : join(import.meta.dirname, '../bin/kt')
}

/** Data goes to stdout; everything else goes to stderr, so that a pipe sees data alone. */
export const say = (text: string): void => void process.stderr.write(`${text}\n`)
export const print = (text: string): void =>
  void process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
const exactly = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value)
export const jsonText = (document: unknown): string => JSON.stringify(document, exactly, 2)
/** The same within a line. */
export const jsonLine = (document: unknown): string => JSON.stringify(document, exactly)
export const printJson = (document: unknown): void => print(jsonText(document))

/** Text of an answer, piece by piece, no faster than it is read. */
export const printPieces = async (pieces: AsyncIterable<string>): Promise<void> => {
  for await (const piece of pieces)
    if (piece !== '') await new Promise<void>((done) => void process.stdout.write(piece, () => done()))
}

/** What is being done, on a line of the terminal that the next one takes; an empty one takes it away. */
export const doing = (text: string): void => {
  if (process.stderr.isTTY === true) process.stderr.write(`\r\u001b[2K${text}`)
}

const colored = (): boolean =>
  process.stderr.isTTY === true &&
  process.env['NO_COLOR'] === undefined &&
  !process.argv.includes('--no-color')

export const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
  colored() ? styleText(style, text) : text

/** Another program's words may have lines of their own: they stand below each other. */
const indented = (text: string): string =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .join('\n         ')

/** What, where, why, fix, code. */
const errorText = (error: unknown): string => {
  const { code, message, where, why, fix } = plainError(error) as {
    code: string
    message: string
    where?: string
    why?: string
    fix: string[]
  }
  const lines = [`${paint('red', 'error')} ${message} ${paint('dim', `[${code}]`)}`]
  if (where !== undefined) lines.push(`  where  ${where}`)
  if (why !== undefined) lines.push(`  why    ${indented(why)}`)
  for (const one of fix) lines.push(`  fix    ${one}`)
  if (error instanceof KtError) lines.push(`         or run  ${command()} explain ${code}`)
  return lines.join('\n')
}

const codeOf = (error: unknown): number => {
  // By its code, not its class: an error that crossed between two processes has lost its class.
  if (error instanceof KtError && /^KT[12]/.test(error.code)) return EXIT.graph
  if (error instanceof KtError && (error.code.startsWith('KT69') || UNREACHABLE.has(error.code)))
    return EXIT.unreachable
  if (error instanceof KtError && error.code.startsWith('KT64')) return EXIT.usage
  return EXIT.failed
}

const UNREACHABLE: ReadonlySet<string> = new Set(['KT3020', 'KT3031', 'KT3040'])

/** End with an error, in the form that was asked for. */
export const fail = (error: unknown): never => {
  if (process.argv.includes('--json')) printJson({ ok: false, error: plainError(error) })
  else say(errorText(error))
  process.exit(codeOf(error))
}
