// npm test: types, lint, then the tests; with --all also the suites that need servers or time, one after the other,
// with what `npm run setup:tests` has brought. The last line is the sum that CI reads.
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { peersHere } from './test-peers.ts'

const all = process.argv.includes('--all')
const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const sum = { passed: 0, failed: 0, skipped: 0 }

const run = (name: string, command: string, args: readonly string[], environment: object = {}): boolean => {
  const started = performance.now()
  const env = { ...process.env, NO_COLOR: '1', ...environment }
  const { status } = spawnSync(command, args, { stdio: 'inherit', env })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} ${seconds} s`)
  return status === 0
}

/** The type check and the lint count as a test each. */
const check = (name: string, command: string, args: readonly string[]): void => {
  if (run(name, command, args)) sum.passed++
  else sum.failed++
}

/** A run of vitest counts its tests; one that ends badly without a failed test counts as a failure itself. */
const count = (name: string, args: readonly string[], environment: object): void => {
  const file = join(tmpdir(), `kt-counts-${process.pid}-${name}.json`)
  const ended = run(name, 'vitest', ['run', ...args, ...names], { ...environment, KT_COUNTS: file })
  try {
    const found = JSON.parse(readFileSync(file, 'utf8')) as typeof sum
    rmSync(file)
    sum.passed += found.passed
    sum.failed += found.failed
    sum.skipped += found.skipped
    if (!ended && found.failed === 0) sum.failed++
  } catch {
    console.log(`${name} did not report their counts`)
    sum.failed++
  }
}

if (names.length === 0) {
  check('types', 'tsc', ['--noEmit'])
  check('lint', 'oxlint', ['--type-aware', '--quiet'])
}
const wide = all ? { KT_ALL: '1', ...peersHere() } : {}
count('tests', ['--passWithNoTests'], wide)
if (all) count('suites', ['--passWithNoTests', '--no-file-parallelism'], { ...wide, KT_SUITES: '1' })
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
process.exit(sum.failed === 0 ? 0 : 1)
