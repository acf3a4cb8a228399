import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { KtError } from '../../graph/error.ts'
import { readNotebook } from './document.ts'

/** A mistake of type in a cell; the line is counted from 1 within the cell. Cell 0: about the settings. */
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
 * Check the types of a notebook's cells with tsc, under the settings of its project; where it has none, by
 * kt's own strict rules. Each cell is a block within the one before it, so that it sees what was declared,
 * and may declare it anew.
 */
export const checkNotebook = (path: string): readonly TypeMistake[] => {
  const beside = dirname(resolve(path))
  const project = projectOf(beside)
  const { text, places } = programOf(path)
  // Packages are looked for from here up.
  const folder = mkdtempSync(join(project ?? beside, '.kt-check-'))
  try {
    writeFileSync(join(folder, 'cells.ts'), text)
    const compilerOptions = {
      ...(project === undefined ? alone : {}),
      ...{ noEmit: true, noUnusedLocals: false, composite: false, incremental: false },
    }
    const settings = join(project ?? own, 'tsconfig.json')
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: settings, compilerOptions, files: ['cells.ts'], include: [] }),
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

const own = resolve(import.meta.dirname, '../..')

/** A folder by itself belongs to no package that would say what modules are, and has no types of Node. */
const alone = {
  module: 'preserve',
  moduleResolution: 'bundler',
  typeRoots: [join(own, 'node_modules/@types')],
  rootDir: '/',
}

/** The nearest folder with TypeScript settings. */
const projectOf = (beside: string): string | undefined => {
  for (let folder = beside; folder !== dirname(folder); folder = dirname(folder))
    if (existsSync(join(folder, 'tsconfig.json'))) return folder
  return undefined
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
  [...report.matchAll(/^(?:cells\.ts\((\d+),\d+\): )?error (TS\d+): (.*)$/gm)].map(
    ([, line, code = '', message = '']) => {
      const place = places[Number(line) - 1]
      return { cell: place?.cell ?? 0, line: place?.line ?? 0, code, message }
    },
  )
