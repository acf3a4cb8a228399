import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

/** Names what was skipped, and writes the counts for the line that CI reads. */
export default class Counts implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const sum = { passed: 0, failed: errors.length, skipped: 0 }
    const skipped: string[] = []
    for (const module of modules) {
      sum.failed += module.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') sum.passed++
        else if (state === 'failed') sum.failed++
        else {
          sum.skipped++
          skipped.push(test.fullName)
        }
      }
    }
    for (const name of skipped) console.log(`skipped: ${name}`)
    const file = process.env['KT_COUNTS']
    if (file !== undefined) writeFileSync(file, JSON.stringify(sum))
  }
}
