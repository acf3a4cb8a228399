import { readFileSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Reporter, TestModule } from 'vitest/node'

/** Seconds that a suite may take, from the table in docs/checks.md: `| test/e2e/kill.suite.ts | 300 |`. */
const budgets = (): ReadonlyMap<string, number> =>
  new Map(
    [...readFileSync('docs/checks.md', 'utf8').matchAll(/^\| (test\/\S+\.suite\.ts) \| (\d+) \|/gm)].map(
      ([, suite, seconds]) => [suite!, Number(seconds)],
    ),
  )

/** A suite without a budget, or beyond it, is a failure: a slow suite is soon not run. */
const overBudget = (modules: readonly TestModule[]): readonly string[] => {
  const allowed = budgets()
  return modules.flatMap((module) => {
    const name = relative(process.cwd(), module.moduleId)
    if (!name.endsWith('.suite.ts')) return []
    const seconds = Math.round(module.diagnostic().duration / 1000)
    const budget = allowed.get(name)
    if (budget === undefined) return [`${name} has no budget in docs/checks.md`]
    return seconds <= budget ? [] : [`${name} took ${seconds} s, and its budget is ${budget} s`]
  })
}

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
    for (const late of overBudget(modules)) {
      console.log(late)
      sum.failed++
    }
    for (const name of skipped) console.log(`skipped: ${name}`)
    const file = process.env['KT_COUNTS']
    if (file !== undefined) writeFileSync(file, JSON.stringify(sum))
  }
}
