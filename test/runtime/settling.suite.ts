import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { hasRecordings, recordings } from '../recordings.ts'

const there = hasRecordings('whether compiled code is kept', join(recordings, 'binance/demo-20240808-btc'))

/** Code is given up a few times while the engine learns; what goes on for ever is compiled for nothing. */
const TIMES_MAX = 12

test.skipIf(!there)('what the engine compiles it keeps, with several markets in one process', { timeout: 120_000 }, async () => {
  const child = spawn(process.execPath, ['--trace-deopt', join(import.meta.dirname, 'settling-child.ts')], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const given = new Map<string, number>()
  let lines = 0
  for await (const line of createInterface(child.stdout)) {
    const [, name] = /bailout .*deoptimizing 0x[0-9a-f]+ <JSFunction ([^ >]+)/.exec(line) ?? []
    if (name === undefined) continue
    lines++
    // Functions without a name are told apart by where they are.
    const key = name === '(sfi' ? /sfi = 0x[0-9a-f]+/.exec(line)![0] : name
    given.set(key, (given.get(key) ?? 0) + 1)
  }
  expect((await ended)[0]).toBe(0)
  expect(lines).toBeGreaterThan(0)
  expect([...given].filter(([, times]) => times > TIMES_MAX)).toEqual([])
})
