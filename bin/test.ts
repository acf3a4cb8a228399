// npm test: type check, lint, then every suite; the last line is the sum that CI reads.
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const all = process.argv.includes('--all')
const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const counts = join(tmpdir(), `kt-counts-${process.pid}.json`)
const environment = { ...process.env, NO_COLOR: '1', KT_COUNTS: counts, ...(all ? { KT_ALL: '1' } : {}) }
let failed = 0

const run = (name: string, command: string, args: readonly string[]): boolean => {
  const started = Date.now()
  const { status } = spawnSync(command, args, { stdio: 'inherit', env: environment })
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} ${((Date.now() - started) / 1000).toFixed(1)} s`)
  if (status !== 0) failed++
  return status === 0
}

run('types', 'tsc', ['--noEmit'])
run('lint', 'oxlint', ['--type-aware', '--quiet'])
const unit = run('tests', 'vitest', ['run', ...names])
const steps = 2 - failed + (unit ? 0 : 1)
let sum = { passed: 0, failed: 1, skipped: 0 }
try {
  sum = JSON.parse(readFileSync(counts, 'utf8')) as typeof sum
  rmSync(counts)
} catch {
  console.log('the tests did not report their counts')
}
// The type check and the lint count as a test each.
console.log(`${sum.passed + steps} passed, ${sum.failed + 2 - steps} failed, ${sum.skipped} skipped`)
process.exit(failed === 0 && sum.failed === 0 ? 0 : 1)
