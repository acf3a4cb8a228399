import { expect, test } from 'vitest'
import { fuzz } from './fuzz.ts'
import { allTargets } from './fuzz-targets.ts'

test('many more messages changed at random are scanned to what they are parsed to', async () => {
  const { frames, scanned } = fuzz(await allTargets(), 600_000, 11)
  expect(frames).toBe(600_000)
  expect(scanned).toBeGreaterThan(frames / 3)
}, 240_000)
