import { createRequire, isBuiltin } from 'node:module'
import { basename, dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { compileFunction } from 'node:vm'
import { KtError } from '../../graph/error.ts'
import { compileCell } from './cell.ts'
import type { CompiledCell } from './cell.ts'
import { readNotebook, writeNotebook } from './document.ts'
import type { Bundle, Cell, Output } from './document.ts'

/** For a run that changes no file. */
export const NOWHERE = Symbol('nowhere')

export interface NotebookOptions {
  /** Where the notebook goes with its outputs: another file, or `nowhere`. Default: in place. */
  readonly out?: string | typeof NOWHERE
  /** The folder of the lake that `sql` asks. Default: that of the last run. */
  readonly lake?: string
}

/** What `// expect: 10.95` in a cell has come to. Numbers are compared to the digits that are written. */
export interface Expectation {
  readonly cell: number
  readonly expected: string
  readonly found: string
  readonly holds: boolean
}

export interface NotebookRun {
  readonly cells: number
  readonly expectations: readonly Expectation[]
}

/**
 * How a value shows itself; the same that Deno's kernel asks for, so that a notebook runs there unchanged.
 */
const DISPLAY = Symbol.for('Jupyter.display')

type Scope = Record<string, unknown>
type CellFunction = (scope: Scope, load: (name: string) => Promise<unknown>) => Promise<unknown>

/**
 * Run a notebook of TypeScript cells in this process, without Jupyter, and write its outputs into it. What
 * cells expect is compared and told, and is no error. Throws KT6502 with the cell and the line when one
 * throws; nothing is written then.
 */
export const runNotebook = async (path: string, options: NotebookOptions = {}): Promise<NotebookRun> => {
  const notebook = readNotebook(path)
  const before = process.env['KT_LAKE']
  if (options.lake !== undefined) process.env['KT_LAKE'] = resolve(options.lake)
  try {
    const scope: Scope = Object.create(null) as Scope
    const cells: Cell[] = []
    const expectations: Expectation[] = []
    for (const cell of notebook.cells) {
      if (cell.cell_type !== 'code') cells.push(cell)
      else {
        const { outputs, value } = await runCell(cell.source, scope, path, cells.length + 1)
        cells.push({ ...cell, outputs })
        expectations.push(...expectationsOf(cell.source, value, cells.length))
      }
    }
    const { out = path } = options
    if (out !== NOWHERE) writeNotebook(out, { ...notebook, cells })
    return { cells: cells.filter((cell) => cell.cell_type === 'code').length, expectations }
  } finally {
    if (before === undefined) delete process.env['KT_LAKE']
    else process.env['KT_LAKE'] = before
  }
}

const runCell = async (
  source: string,
  scope: Scope,
  path: string,
  number: number,
): Promise<{ readonly outputs: readonly Output[]; readonly value: unknown }> => {
  const outputs: Output[] = []
  const file = `${basename(path)}:cell-${number}`
  scope['display'] = (value: unknown) =>
    void outputs.push({ output_type: 'display_data', data: bundleOf(value), metadata: {} })
  let compiled: CompiledCell | undefined
  const restore = captured(outputs)
  try {
    compiled = await compileCell(source, file)
    for (const name of compiled.names) scope[name] = undefined
    const run = compileFunction(compiled.body, ['__scope', '__import'], { filename: file }) as CellFunction
    const value = await run(scope, importer(path))
    if (value !== undefined)
      outputs.push({
        output_type: 'execute_result',
        data: bundleOf(value),
        metadata: {},
        execution_count: null,
      })
    return { outputs, value }
  } catch (error) {
    throw failed(error, source, file, number, path, compiled)
  } finally {
    restore()
  }
}

/** Relative names are relative to the notebook, others are found as the notebook would. */
const importer = (path: string): ((name: string) => Promise<unknown>) => {
  const from = createRequire(pathToFileURL(resolve(path)))
  return (name) => {
    if (isBuiltin(name)) return import(name)
    if (name.startsWith('.')) return import(pathToFileURL(resolve(dirname(path), name)).href)
    return import(pathToFileURL(from.resolve(name)).href)
  }
}

const WRITES = { log: 'stdout', info: 'stdout', debug: 'stdout', warn: 'stderr', error: 'stderr' } as const

/** Take what is written to the console as an output; the returned function gives the console back. */
const captured = (outputs: Output[]): (() => void) => {
  const before = { ...console }
  for (const [method, name] of Object.entries(WRITES)) {
    console[method as keyof typeof WRITES] = (...values: unknown[]) => {
      const texts = values.map((value) => (typeof value === 'string' ? value : inspect(value)))
      const text = `${texts.join(' ')}\n`
      const last = outputs.at(-1)
      if (last?.output_type === 'stream' && last.name === name)
        outputs[outputs.length - 1] = { ...last, text: last.text + text }
      else outputs.push({ output_type: 'stream', name, text })
    }
  }
  return () => void Object.assign(console, before)
}

const bundleOf = (value: unknown): Bundle => {
  const shown = (value as { readonly [DISPLAY]?: () => Bundle } | null | undefined)?.[DISPLAY]?.()
  return shown ?? { 'text/plain': typeof value === 'string' ? value : inspect(value) }
}

const failed = (
  error: unknown,
  source: string,
  file: string,
  number: number,
  path: string,
  compiled?: CompiledCell,
): KtError => {
  const message = error instanceof Error ? error.message : String(error)
  const line = lineOf(error, file, compiled)
  const text = line === undefined ? '' : (source.split('\n')[line - 1] ?? '').trim()
  const about =
    error instanceof KtError
      ? {
          ...(error.why === undefined ? {} : { why: error.why }),
          ...(error.fix === undefined ? {} : { fix: error.fix }),
        }
      : { fix: 'Correct the cell, or name a run whose lake has the rows that it asks for, with --data.' }
  return new KtError('KT6502', `cell ${number} of "${basename(path)}" failed: ${message.split('\n')[0]}`, {
    where: `${path}, cell ${number}${line === undefined ? '' : `, line ${line}: ${text}`}`,
    ...about,
    facts: { cell: number, line },
    cause: error,
  })
}

/** Where in the cell: esbuild says it, and else the first frame of the stack that is in the cell does. */
const lineOf = (error: unknown, file: string, compiled: CompiledCell | undefined): number | undefined => {
  const { errors } = error as {
    readonly errors?: readonly { readonly location: { readonly line: number } | null }[]
  }
  if (errors?.[0]?.location != null) return errors[0].location.line
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const at = stack.indexOf(`${file}:`)
  const place = at < 0 ? null : /^:(\d+):(\d+)/.exec(stack.slice(at + file.length))
  return place === null ? undefined : compiled?.lineOf(Number(place[1]), Number(place[2]))
}

const expectationsOf = (source: string, value: unknown, cell: number): readonly Expectation[] =>
  [...source.matchAll(/^\s*\/\/ expect: (.+)$/gm)].map(([, text = '']) => {
    const expected = text.trim()
    const single = onlyValue(value)
    const digits = /^-?\d+(?:\.(\d+))?$/.exec(expected)
    const found =
      digits !== null && typeof single === 'number' ? single.toFixed(digits[1]?.length ?? 0) : String(single)
    return { cell, expected, found, holds: found === expected }
  })

/** The value itself, or that of an answer with one row of one column. */
const onlyValue = (value: unknown): unknown => {
  if (!Array.isArray(value) || value.length !== 1) return value
  const values = Object.values(value[0] as object)
  return values.length === 1 ? values[0] : value
}
