import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Bugs that somebody could write, each where the rule stands that forbids it, and who must notice: the simulated
 * worlds, or the tests of a folder where a world only becomes slower to trust.
 */
export const MUTANTS = JSON.parse(readFileSync(join(import.meta.dirname, 'mutants.json'), 'utf8')) as readonly (readonly [
  what: string,
  file: string,
  from: string,
  to: string,
  by: string,
])[]
