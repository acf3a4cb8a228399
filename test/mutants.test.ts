import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { MUTANTS } from './mutants.ts'

const root = resolve(import.meta.dirname, '..')

test.each(MUTANTS)('%s: the line that this bug is planted in stands in the sources, once', (_, file, from, to) => {
  expect(readFileSync(join(root, file), 'utf8').split(from)).toHaveLength(2)
  expect(to).not.toBe(from)
})
