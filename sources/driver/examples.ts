import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Example } from '../../graph/source.ts'

/**
 * The examples beside a mapping file of `sources/`: `binance/spot.examples.jsonl` beside
 * `binance/spot.jsonata`, with a line `{"part": ..., "message": ...}` each. None where there is no such file.
 */
export const loadExamples = (file: string): readonly Example[] => {
  const beside = file.replace(/\.jsonata$/, '.examples.jsonl')
  const path = fileURLToPath(new URL(`../${beside}`, import.meta.url))
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8').trimEnd().split('\n').map(exampleOf)
}

const exampleOf = (line: string): Example => {
  const { part, message } = JSON.parse(line) as { readonly part: string; readonly message: unknown }
  return { part, bytes: new TextEncoder().encode(JSON.stringify(message)) }
}
