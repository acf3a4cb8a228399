import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { KtError } from '../../graph/error.ts'
import { readNotebook } from './document.ts'

/** A mistake of type in a cell; the line is counted from 1 within the cell. */
export interface TypeMistake {
  readonly cell: number
  readonly line: number
  readonly code: string
  readonly message: string
}

interface Place {
  readonly cell: number
  readonly line: number
}

/**
 * Check the types of a notebook's cells with tsc, under the project's own settings. Each cell is a block
 * within the one before it, so that it sees what was declared, and may declare it anew.
 */
export const checkNotebook = (path: string): readonly TypeMistake[] => {
  const root = projectOf(resolve(path))
  const folder = join(root, '.kt', 'notebooks', basename(path, '.ipynb'))
  const { text, places } = programOf(path)
  mkdirSync(folder, { recursive: true })
  try {
    writeFileSync(join(folder, 'cells.ts'), text)
    const compilerOptions = { noEmit: true, noUnusedLocals: false, composite: false, incremental: false }
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: join(root, 'tsconfig.json'),
        compilerOptions,
        files: ['cells.ts'],
        include: [],
      }),
    )
    const child = spawnSync(process.execPath, [compiler(), '--project', folder, '--pretty', 'false'], {
      encoding: 'utf8',
      cwd: folder,
    })
    return mistakesOf(child.stdout, places)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const projectOf = (path: string): string => {
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, 'tsconfig.json'))) return folder
  }
  throw new KtError('KT6504', `"${path}" is in no TypeScript project`, {
    fix: 'Put the notebook below a tsconfig.json.',
  })
}

const compiler = (): string => {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
  } catch (error) {
    throw new KtError('KT6505', 'the TypeScript compiler is not installed', {
      fix: 'Run npm install with development dependencies.',
      cause: error,
    })
  }
}

/** All cells as one module, and where each of its lines stands in the notebook. */
const programOf = (
  path: string,
): { readonly text: string; readonly places: readonly (Place | undefined)[] } => {
  const imports = new Map<string, Place>()
  const lines: string[] = []
  const places: (Place | undefined)[] = []
  let depth = 0
  readNotebook(path).cells.forEach((cell, i) => {
    if (cell.cell_type !== 'code') return
    const at = (offset: number): Place => ({
      cell: i + 1,
      line: cell.source.slice(0, offset).split('\n').length,
    })
    const rest = cell.source.replace(
      /^import\s(?:[^'";]*?\sfrom\s*)?['"]([^'"]+)['"];?/gm,
      (statement, name: string, offset: number) => {
        const absolute = name.startsWith('.') ? resolve(dirname(path), name) : name
        const key = statement.replace(name, absolute).replaceAll('\n', ' ')
        if (!imports.has(key)) imports.set(key, at(offset))
        return '\n'.repeat(statement.split('\n').length - 1)
      },
    )
    depth++
    lines.push('{', ...rest.split('\n'))
    places.push(undefined, ...rest.split('\n').map((_, line) => ({ cell: i + 1, line: line + 1 })))
  })
  const head = ['export {}', 'declare const display: (value: unknown) => void']
  return {
    text: [...head, ...imports.keys(), ...lines, '}'.repeat(depth)].join('\n'),
    places: [undefined, undefined, ...imports.values(), ...places],
  }
}

const mistakesOf = (report: string, places: readonly (Place | undefined)[]): readonly TypeMistake[] =>
  [...report.matchAll(/^cells\.ts\((\d+),\d+\): error (TS\d+): (.*)$/gm)].map(
    ([, line, code = '', message = '']) => {
      const place = places[Number(line) - 1]
      return { cell: place?.cell ?? 0, line: place?.line ?? 0, code, message }
    },
  )
