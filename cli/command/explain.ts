import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { KtError } from '../../graph/error.ts'
import { EXIT, print, printJson } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'

/** The long text of a code, from docs/errors.md. */
export const explain = async (code: string, options: GlobalOptions): Promise<number> => {
  const wanted = code.toUpperCase().startsWith('KT') ? code.toUpperCase() : `KT${code}`
  const texts = readFileSync(resolve(import.meta.dirname, '../../docs/errors.md'), 'utf8')
    .split(/^## /m)
    .slice(1)
  const found = texts.find((text) => text.startsWith(wanted))
  if (found === undefined)
    throw new KtError('KT6404', `there is no error code "${code}"`, {
      fix: 'Codes look like KT1012; docs/errors.md lists them.',
    })
  if (options.json === true) printJson({ code: wanted, text: found.slice(wanted.length).trim() })
  else print(found.trim())
  return EXIT.ok
}
