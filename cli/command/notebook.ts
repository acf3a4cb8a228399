import { KtError } from '../../graph/error.ts'
import { checkNotebook } from '../notebook/check.ts'
import { runNotebook } from '../notebook/run.ts'
import { EXIT, print, printJson } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { foldersOf, runFolder } from '../settings.ts'

/** Execute a notebook over a run's lake, in place, or compare it with its expectations. */
export const run = async (
  file: string,
  options: GlobalOptions & { readonly check?: boolean; readonly data?: string },
): Promise<number> => {
  const lake = foldersOf(runFolder(options.data).root).lake
  const { cells, expectations } = await runNotebook(file, { check: options.check === true, lake })
  const moved = expectations.filter((one) => !one.holds)
  if (options.json === true) printJson({ ok: moved.length === 0, cells, expectations })
  else {
    for (const one of moved) print(`! cell ${one.cell}: expected ${one.expected}, found ${one.found}`)
    print(
      `${cells} cells ran, ${expectations.length - moved.length} of ${expectations.length} expectations met`,
    )
  }
  return moved.length === 0 ? EXIT.ok : EXIT.findings
}

/** Type-check the cells. */
export const check = async (file: string, options: GlobalOptions): Promise<number> => {
  const mistakes = checkNotebook(file)
  if (options.json === true) printJson({ ok: mistakes.length === 0, mistakes })
  else for (const one of mistakes) print(`cell ${one.cell} line ${one.line}: ${one.message}`)
  if (mistakes.length > 0)
    throw new KtError('KT5060', `${mistakes.length} type errors in "${file}"`, {
      fix: 'Correct the cells that are named above.',
    })
  if (options.json !== true) print(`ok  ${file}`)
  return EXIT.ok
}
