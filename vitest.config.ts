import { defineConfig } from 'vitest/config'

/** The default tests, or, when they are asked for, the suites that need servers or time. */
export default defineConfig({
  test: {
    include: [process.env['KT_SUITES'] === undefined ? 'test/**/*.test.ts' : 'test/**/*.suite.ts'],
    reporters: ['default', './test/counts.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
