import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/**
 * Bugs that somebody could write, each where the rule stands that forbids it. A simulated world must notice
 * every one.
 */
const MUTANTS: readonly (readonly [what: string, file: string, from: string, to: string])[] = JSON.parse(
  readFileSync(resolve(import.meta.dirname, 'mutants.json'), 'utf8'),
) as never

const FOLDERS = [
  'graph',
  'market',
  'operators',
  'sources',
  'sinks',
  'runtime',
  'deploy',
  'cli',
  'test/world',
  'test/runtime',
  'package.json',
  'tsconfig.json',
]
const root = resolve(import.meta.dirname, '..')
let copy = ''

describe('a planted bug is caught by the simulated worlds', () => {
  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), 'kt-mutants-'))
    for (const folder of FOLDERS) cpSync(join(root, folder), join(copy, folder), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  })
  afterAll(() => rmSync(copy, { recursive: true, force: true }))

  test.each(MUTANTS)('%s', { timeout: 300_000 }, (_, file, from, to) => {
    const path = join(copy, file)
    const whole = readFileSync(path, 'utf8')
    expect(whole.split(from), `${file} no longer has this line: plant the bug anew`).toHaveLength(2)
    writeFileSync(path, whole.replace(from, to))
    try {
      const { status, stdout } = spawnSync(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', join(copy, 'test/world/seeds.ts'), '1', '12'],
        { encoding: 'utf8' },
      )
      expect(status, `no world noticed: ${stdout}`).not.toBe(0)
    } finally {
      writeFileSync(path, whole)
    }
  })
})
