import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'

interface Garbage {
  readonly collections: number
  /** Heap, after the messages and after a collection, beyond what it was before them; bytes. */
  readonly grown: number
  readonly kept: number
  readonly rows: number
  readonly scanned: number
}

const WARM = 300_000
const MESSAGES = 1_200_000

test('a million messages of trades and books, from bytes to batches, need hardly a collection and keep nothing', async () => {
  const child = fork(join(import.meta.dirname, 'garbage-child.ts'), [String(WARM), String(MESSAGES)], { execArgv: ['--expose-gc'] })
  const [told] = (await once(child, 'message')) as [Garbage]
  console.log(`${MESSAGES} messages: ${told.collections} collections, ${(told.kept / 1e6).toFixed(1)} MB more kept, ${told.rows} rows`)
  expect(told.scanned).toBeGreaterThan(WARM + MESSAGES - 100)
  expect(told.rows).toBeGreaterThanOrEqual(MESSAGES)
  // The goal is one in 100,000 messages. Batches that are handed to the log cost the rest: each is new memory.
  expect(told.collections).toBeLessThanOrEqual((8 * MESSAGES) / 100_000)
  expect(told.kept).toBeLessThan(8e6)
}, 120_000)
