import { expect, test } from 'vitest'
import { fuzz } from './fuzz.ts'
import { allTargets } from './fuzz-targets.ts'

test('messages changed at random are scanned to what they are parsed to, or not scanned (npm run fuzz does more)', { timeout: 180_000 }, async () => {
  const { frames, scanned, templates, errors } = fuzz(await allTargets(), 12_000, 7)
  expect(frames).toBe(12_000)
  expect(scanned).toBeGreaterThan(frames / 3)
  expect(templates).toBeGreaterThan(60)
  for (const code of ['KT2101', 'KT2102', 'KT2103', 'KT2104', 'KT2105', 'KT2106', 'KT2108', 'KT2109']) expect(errors.get(code), code).toBeGreaterThan(5)
})
