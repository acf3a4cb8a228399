import { defineConfig } from 'vitest/config'

/** The default suite; `npm test -- --all` adds what needs servers or time. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', ...(process.env['KT_ALL'] === undefined ? [] : ['test/**/*.suite.ts'])],
    reporters: ['default', './test/counts.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
