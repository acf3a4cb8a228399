import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MUTANTS } from './mutants.ts'

const COPIED = ['graph', 'market', 'operators', 'sources', 'sinks', 'runtime', 'deploy', 'cli', 'sql', 'bin', 'docs', 'test', 'package.json', 'vitest.config.ts']
const root = resolve(import.meta.dirname, '..')
let copy = ''

const worlds = () => spawnSync(process.execPath, [join(copy, 'test/world/seeds.ts'), '1', '6'], { encoding: 'utf8' })

const tests = (...folders: readonly string[]) =>
  spawnSync(join(copy, 'node_modules/.bin/vitest'), ['run', '--root', copy, '--reporter=dot', '--bail=1', ...folders], {
    encoding: 'utf8',
    cwd: copy,
    env: { KT_RECORDINGS: resolve(root, '../shared/data'), ...process.env, KT_SUITES: undefined },
  })

describe('a planted bug is noticed', () => {
  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), 'kt-mutants-'))
    for (const folder of COPIED) cpSync(join(root, folder), join(copy, folder), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  })
  afterAll(() => rmSync(copy, { recursive: true, force: true }))

  test('by tests that pass where none is planted', { timeout: 400_000 }, () => {
    const by = new Set(MUTANTS.map(([, , , , one]) => one))
    expect(by.delete('world') ? worlds().status : 0).toBe(0)
    const { status, stdout, stderr } = tests(...by)
    expect(status, `${stdout}${stderr}`).toBe(0)
  })

  test.each(MUTANTS)('%s', { timeout: 300_000 }, (_, file, from, to, by) => {
    const path = join(copy, file)
    const whole = readFileSync(path, 'utf8')
    expect(whole.split(from), `${file} no longer has this line: plant the bug anew`).toHaveLength(2)
    writeFileSync(path, whole.replace(from, to))
    try {
      const { status, stdout } = by === 'world' ? worlds() : tests(by)
      expect(status, `nothing noticed: ${stdout}`).not.toBe(0)
    } finally {
      writeFileSync(path, whole)
    }
  })
})
