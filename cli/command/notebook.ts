import { existsSync, globSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { KtError } from '../../graph/error.ts'
import { checkNotebook } from '../notebook/check.ts'
import { readNotebook, writeNotebook } from '../notebook/document.ts'
import { kernelOf } from '../notebook/kernel.ts'
import { writePage } from '../notebook/page.ts'
import { NOWHERE, runNotebook } from '../notebook/run.ts'
import { starter } from '../notebook/starter.ts'
import { EXIT, command, print, printJson, say } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { foldersOf, runFolder } from '../settings.ts'
import { table } from '../table.ts'

interface RunOptions extends GlobalOptions {
  readonly check?: boolean
  readonly out?: string
  readonly data?: string
}

/**
 * Execute a notebook over a run's lake. With `--check` nothing is written, and code 2 says that a value is
 * not the one that its cell expects. A cell that throws is code 1 either way.
 */
export const run = async (file: string, options: RunOptions): Promise<number> => {
  const checking = options.check === true
  const { root } = runFolder(options.data)
  const out = checking ? NOWHERE : (options.out ?? file)
  const { cells, expectations } = await runNotebook(file, { out, lake: foldersOf(root).lake })
  const moved = expectations.filter((one) => !one.holds)
  const ok = !checking || moved.length === 0
  if (options.json === true) printJson({ ok, cells, expectations })
  else {
    if (checking)
      for (const one of moved) print(`! cell ${one.cell}: expected ${one.expected}, found ${one.found}`)
    const met = checking
      ? `, ${expectations.length - moved.length} of ${expectations.length} values as expected`
      : ''
    print(`${cells} cells ran over ${root}${met}`)
    if (out !== NOWHERE) say(`written to ${out}; see it with: ${command()} notebook render ${out}`)
  }
  return ok ? EXIT.ok : EXIT.findings
}

/** Type-check the cells. */
export const check = async (file: string, options: GlobalOptions): Promise<number> => {
  const mistakes = checkNotebook(file)
  if (options.json === true) printJson({ ok: mistakes.length === 0, mistakes })
  else for (const one of mistakes) print(`cell ${one.cell} line ${one.line}: ${one.message}`)
  if (mistakes.length > 0) {
    if (options.json === true) return EXIT.failed
    const many = `${mistakes.length} type error${mistakes.length === 1 ? '' : 's'}`
    throw new KtError('KT5060', `${many} in "${file}"`, {
      fix: 'Correct the cells that are named above.',
    })
  }
  if (options.json !== true) print(`ok  ${file}`)
  return EXIT.ok
}

/** Make a notebook that runs, to be changed. */
export const create = async (name: string, options: GlobalOptions): Promise<number> => {
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))
    throw new KtError('KT6507', `"${name}" cannot name a notebook`, {
      fix: 'Use small letters, digits and dashes: basis-history.',
    })
  const file = join('notebooks', `${name}.ipynb`)
  if (existsSync(file))
    throw new KtError('KT6506', `there is a notebook "${file}" already`, {
      fix: 'Choose another name, or remove it first.',
    })
  mkdirSync(dirname(file), { recursive: true })
  writeNotebook(file, starter(name, resolve(file)))
  if (options.json === true) printJson({ file })
  else print(`${file}\nnext:  ${command()} notebook run ${file}`)
  return EXIT.ok
}

/** All notebooks below a folder, each with the question that heads it. */
export const list = async (folder: string, options: GlobalOptions): Promise<number> => {
  const found = globSync(join(folder, '**/*.ipynb'))
    .filter((file) => !file.includes('node_modules') && !file.includes('.ipynb_checkpoints'))
    .toSorted()
    .map((file) => {
      const { cells } = readNotebook(file)
      const heading = cells.find((cell) => cell.cell_type === 'markdown')?.source ?? ''
      return { file, cells: cells.length, about: /^#\s+(.+)$/m.exec(heading)?.[1] ?? '' }
    })
  if (options.json === true) printJson(found)
  else
    print(
      table(
        ['notebook', 'cells', 'about'],
        found.map((one) => [one.file, one.cells, one.about]),
      ),
    )
  return EXIT.ok
}

/** Write a notebook with its outputs as one page that needs nothing else. */
export const render = async (
  file: string,
  options: GlobalOptions & { readonly out?: string },
): Promise<number> => {
  const out = options.out ?? file.replace(/(\.ipynb)?$/, '.html')
  const { bytes, outputs } = writePage(readNotebook(file), out)
  if (options.json === true) printJson({ out, bytes, outputs })
  else {
    print(out)
    if (outputs === 0) say(`! ${file} has no outputs yet; make them with: ${command()} notebook run ${file}`)
  }
  return EXIT.ok
}

/** The lake of the run that is meant, if there is one. */
const lakeOf = (named: string | undefined): string | undefined => {
  try {
    return foldersOf(runFolder(named).root).lake
  } catch (error) {
    if (named === undefined && error instanceof KtError && error.code === 'KT5011') return undefined
    throw error
  }
}

/** What it takes to work on a notebook in an editor: the kernel, the lake, the editors that are there. */
export const open = async (
  file: string,
  options: GlobalOptions & { readonly data?: string },
): Promise<number> => {
  readNotebook(file)
  const lake = lakeOf(options.data)
  const kernel = kernelOf()
  const register = 'npx deno@2.9.5 jupyter --install'
  if (options.json === true) printJson({ file, lake: lake ?? null, kernel: kernel ?? null, register })
  else {
    print(`kernel  ${kernel ?? `Deno's is not registered; do it once: ${register}`}`)
    print(`lake    ${lake === undefined ? 'none yet: npm start makes one' : `export KT_LAKE=${lake}`}`)
    print(`open    code ${file}      (VS Code with its Jupyter extension), or  jupyter lab ${file}`)
    print(`or      ${command()} notebook run ${file}, which needs no editor and no kernel`)
  }
  return kernel === undefined ? EXIT.findings : EXIT.ok
}
